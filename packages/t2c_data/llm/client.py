"""Asks a model on any server with the OpenAI HTTP API; every reply is kept on disk, so that nothing is paid twice.

A stopped build asks again only what it has no reply to yet. Holds no prompt (see `prompting`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import openai

from t2c_data.errors import BudgetError, DataInputError, ModelError
from t2c_data.pairs import write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

MAX_TRIES = 3
"""How often a model is asked for a structured reply before its replies are given up."""
_FENCE = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A model and how much may be asked of it."""

    url: str
    """Address with `/v1`."""
    model: str = ""
    """Its name there; without one, the only one that the server has."""
    key_env: str = "T2C_LLM_KEY"
    """Environment variable with the API key, if one is wanted."""
    temperature: float = 0.8
    max_tokens: int = 2_000
    """Tokens of a reply at most."""
    timeout_s: float = 120.0
    retries: int = 4
    """How often a call that failed on the way is repeated, after longer and longer pauses."""
    concurrency: int = 8
    """Calls in flight."""
    budget_tokens: int = 0
    """Tokens read and written over the whole build, cached ones included; 0 for no bound."""
    structured: bool = True
    """Whether the server holds replies to a JSON schema (`response_format`); else it is only asked to."""


@dataclass(slots=True)
class Usage:
    """What was spent."""

    calls: int = 0
    cached: int = 0
    tokens: int = 0

    def to_row(self) -> dict[str, int]:
        """Give the figures by name."""
        return {"calls": self.calls, "cached": self.cached, "tokens": self.tokens}


class LLMClient:
    """An asynchronous client with a cache; a context manager.

    Args:
        endpoint: the server.
        cache: folder of replies; made when absent.
    """

    def __init__(self, endpoint: Endpoint, cache: Path) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        self._cache = cache
        cache.mkdir(parents=True, exist_ok=True)
        self._gate = asyncio.Semaphore(endpoint.concurrency)
        self._name = endpoint.model
        key = os.environ.get(endpoint.key_env, "")
        # Without a key of ours none is sent, whatever OPENAI_API_KEY says.
        self._headers: Any = {} if key else {"Authorization": openai.Omit()}
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.url,
            api_key=key or "none",
            max_retries=endpoint.retries,
            timeout=endpoint.timeout_s,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], *, sample: int = 0
    ) -> dict[str, Any] | None:
        """Ask for an object that keeps to a JSON schema.

        Args:
            messages: the chat.
            schema: a JSON schema of type `object`; its `required` properties and their types are checked.
            sample: another number is another reply to the same question.

        Returns:
            The object; None if no reply was one.

        Raises:
            BudgetError: the budget is spent.
            ModelError: the server cannot be asked.
        """
        for attempt in range(MAX_TRIES):
            text = await self.text(messages, schema=schema, sample=sample * MAX_TRIES + attempt)
            found = _object(text)
            if found is not None and _fits(found, schema):
                return found
        return None

    async def text(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        sample: int = 0,
    ) -> str:
        """Ask for a text; see `ask`."""
        request = await self._request(messages, schema)
        file = self._cache / f"{_digest(request, sample)}.json"
        if file.is_file():
            held = json.loads(file.read_text(encoding="utf-8"))
            self.usage.cached += 1
        else:
            self._check_budget()
            async with self._gate:
                held = await self._call(request)
            write_lines(file, [json.dumps(held, ensure_ascii=False)])
            self.usage.calls += 1
        self.usage.tokens += int(held["tokens"])
        return str(held["text"])

    async def _request(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Make a request; without a seed, see docs/decisions/no-seeds.md."""
        request: dict[str, Any] = {
            "model": await self._model(),
            "messages": [dict(message) for message in messages],
            "max_tokens": self.endpoint.max_tokens,
            "temperature": self.endpoint.temperature,
        }
        if schema is not None and self.endpoint.structured:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": dict(schema), "strict": True},
            }
        return request

    async def _model(self) -> str:
        if not self._name:
            async with self._gate:
                names = [model.id for model in (await self._guarded(self._list())).data]
            if len(names) != 1:
                raise DataInputError(
                    f"the model server at {self.endpoint.url} has {len(names)} models "
                    f"({', '.join(names) or 'none'}); name one with --model"
                )
            self._name = names[0]
        return self._name

    async def _list(self) -> Any:
        return await self._client.models.list(extra_headers=self._headers)

    async def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        reply = await self._guarded(
            self._client.chat.completions.create(**request, extra_headers=self._headers)
        )
        choices = getattr(reply, "choices", None)
        text = choices[0].message.content if choices else None
        spent = getattr(reply.usage, "total_tokens", 0) if choices else 0
        return {"text": text or "", "tokens": spent or 0}

    async def _guarded(self, call: Any) -> Any:
        server = f"the model server at {self.endpoint.url}"
        try:
            return await call
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise DataInputError(f"{server} does not accept our key; set {self.endpoint.key_env}") from error
        except openai.NotFoundError as error:
            raise DataInputError(
                f"{server} does not have {self._name!r}, or the address lacks its /v1"
            ) from error
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise ModelError(
                f"{server} does not take this request: {error.message}; if it knows no response_format, "
                "use --no-structured"
            ) from error
        except openai.OpenAIError as error:
            raise ModelError(
                f"{server} failed {self.endpoint.retries + 1} times: {error}; what it replied so far is kept, "
                "call again to go on"
            ) from error
        except json.JSONDecodeError as error:
            raise ModelError(f"{server} sent something that is no reply") from error

    def _check_budget(self) -> None:
        bound = self.endpoint.budget_tokens
        if bound and self.usage.tokens >= bound:
            raise BudgetError(
                f"the budget of {bound} tokens is spent ({self.usage.tokens}); raise it with --budget-tokens"
            )


def _digest(request: dict[str, Any], sample: int) -> str:
    """Name a reply by what was asked and which of several replies to that it is."""
    return hashlib.sha256(json.dumps([request, sample], sort_keys=True).encode()).hexdigest()[:32]


def _object(text: str) -> dict[str, Any] | None:
    """Take an object out of a reply: alone, in a fence, or between its outermost braces."""
    candidates = [text, *_FENCE.findall(text), text[text.find("{") : text.rfind("}") + 1]]
    for candidate in candidates:
        try:
            found = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return None


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "array": list, "object": dict, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Check types, required properties and items: all that our schemas use."""
    if not isinstance(value, _TYPES[schema["type"]]):
        return False
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return all(name in value for name in schema.get("required", ())) and all(
            _fits(each, known[name]) for name, each in value.items() if name in known
        )
    if isinstance(value, list):
        return all(_fits(each, schema["items"]) for each in value)
    return True
