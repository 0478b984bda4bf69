"""Client of a language model with the OpenAI HTTP API; every reply is cached on disk, so nothing is paid for twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import openai
from jsonschema import Draft202012Validator, validators  # type: ignore[import-untyped]

from graphling_io.outputs import write_text
from t2c_data.errors import BudgetError, DataInputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from t2c_data.llm.endpoint import Endpoint

MAX_TRIES = 3
"""Maximum number of replies that are asked for until one fits the schema."""
CACHE, DEPRECATED_CACHE = "llm_cache", "replies"
_FENCE = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)
_ReplyValidator = validators.create(
    {},
    {name: Draft202012Validator.VALIDATORS[name] for name in ("type", "properties", "required", "items")},
    type_checker=Draft202012Validator.TYPE_CHECKER,
)
"""Checks types and required properties; replies may be longer than the schema says or hold more."""


@dataclass(slots=True)
class Usage:
    """Number of calls, of replies from the cache, and of tokens."""

    calls: int = 0
    cached: int = 0
    tokens: int = 0

    def to_row(self) -> dict[str, int]:
        """Return the numbers by name."""
        return asdict(self)


def cache_dir(folder: Path) -> Path:
    """Return the folder of cached replies in a folder; builds of earlier versions have it under another name."""
    deprecated = folder / DEPRECATED_CACHE
    return deprecated if deprecated.is_dir() else folder / CACHE


class LLMClient:
    """An asynchronous client with a cache; an asynchronous context manager.

    Args:
        endpoint: the model.
        cache: folder of cached replies; created if missing.
    """

    def __init__(self, endpoint: Endpoint, cache: Path) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        self._cache = cache
        self._slots = asyncio.Semaphore(endpoint.concurrency)
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
        """Return a reply that fits a JSON schema, or None if no reply did.

        Args:
            messages: the chat.
            schema: JSON schema of type `object`.
            sample: number of the reply among several replies to the same messages.

        Raises:
            BudgetError: the token budget is used up.
            ModelError: the server is unavailable.
        """
        for attempt in range(MAX_TRIES):
            reply = _parse_object(await self._text(messages, schema, sample * MAX_TRIES + attempt))
            if reply is not None and _ReplyValidator(schema).is_valid(reply):
                return reply
        return None

    async def _text(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any], sample: int
    ) -> str:
        request = await self._request(messages, schema)
        digest = hashlib.sha256(json.dumps([request, sample], sort_keys=True).encode()).hexdigest()[:32]
        file = self._cache / f"{digest}.json"
        if file.is_file():
            reply = json.loads(file.read_text(encoding="utf-8"))
            self.usage.cached += 1
        else:
            self._check_budget()
            async with self._slots:
                reply = await self._call(request)
            write_text(file, json.dumps(reply, ensure_ascii=False) + "\n")
            self.usage.calls += 1
        self.usage.tokens += int(reply["tokens"])
        return str(reply["text"])

    async def _request(
        self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a request without a seed; see docs/decisions/no-seeds.md."""
        request: dict[str, Any] = {
            "model": await self._model(),
            "messages": [dict(message) for message in messages],
            "max_tokens": self.endpoint.max_tokens,
            "temperature": self.endpoint.temperature,
        }
        if self.endpoint.structured_output:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": dict(schema), "strict": True},
            }
        return request

    async def _model(self) -> str:
        if not self._name:
            async with self._slots:
                names = [model.id for model in (await self._translate_errors(self._list())).data]
            if len(names) != 1:
                raise DataInputError(
                    f"the model server at {self.endpoint.url} has {len(names)} models "
                    f"({', '.join(names) or 'none'}); choose one with --llm-model"
                )
            self._name = names[0]
        return self._name

    async def _list(self) -> Any:
        return await self._client.models.list(extra_headers=self._headers)

    async def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        reply = await self._translate_errors(
            self._client.chat.completions.create(**request, extra_headers=self._headers)
        )
        choices = getattr(reply, "choices", None)
        text = choices[0].message.content if choices else None
        tokens = getattr(reply.usage, "total_tokens", 0) if choices else 0
        return {"text": text or "", "tokens": tokens or 0}

    async def _translate_errors(self, call: Any) -> Any:
        server = f"the model server at {self.endpoint.url}"
        try:
            return await call
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise DataInputError(f"{server} rejects the API key; set {self.endpoint.key_env}") from error
        except openai.NotFoundError as error:
            raise DataInputError(
                f"{server} has no model {self._name!r}, or the address lacks its /v1"
            ) from error
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise ModelError(
                f"{server} rejects the request: {error.message}; if it does not support response_format, use "
                "--no-structured-output"
            ) from error
        except openai.OpenAIError as error:
            raise ModelError(
                f"{server} failed {self.endpoint.retries + 1} times: {error}; its replies so far are kept, run the "
                "same command again to resume"
            ) from error
        except json.JSONDecodeError as error:
            raise ModelError(f"{server} sent a response that is not JSON") from error

    def _check_budget(self) -> None:
        limit = self.endpoint.max_total_tokens
        if limit and self.usage.tokens >= limit:
            raise BudgetError(
                f"the budget of {limit} tokens is used up ({self.usage.tokens}); raise it with --max-total-tokens"
            )


def _parse_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object of a reply: the whole text, a fenced block, or what is between the outermost braces."""
    for candidate in (text, *_FENCE.findall(text), text[text.find("{") : text.rfind("}") + 1]):
        try:
            found = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return found
    return None
