"""`CypherModel` of an OpenAI-compatible server, for instance vLLM.

Text prompts go to `/completions`, chat messages to `/chat/completions`. Replies are bounded in size and time.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from t2c_service.errors import CompletionError, DeadlineError, ModelUnavailableError
from t2c_service.models.protocol import Completion, require_xgrammar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr
    from xgrammar import CompiledGrammar

    from t2c_core.grammar import Grammar
    from t2c_service.models.protocol import Prompt

MAX_REPLY_BYTES = 1_000_000
RETRIES = 1
GRAMMAR_CACHE_SIZE = 64
"""Maximum number of compiled grammars kept."""
CHECK_TIMEOUT_S = 5.0
OTHER_TEMPERATURE = 0.7
"""Temperature of alternative hypotheses. No seed is sent: see docs/decisions/no-seeds.md."""


class _ReplyTooLongError(Exception):
    pass


UNREADABLE = (_ReplyTooLongError, json.JSONDecodeError)
"""Exceptions of an unreadable reply."""


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._stream:
            received += len(chunk)
            if received > MAX_REPLY_BYTES:
                raise _ReplyTooLongError
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _CappedTransport(httpx2.AsyncHTTPTransport):
    """Stop reading a reply that is longer than any completion can be."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_CappedStream(response.stream),
            extensions=response.extensions,
        )


class OpenAIModel:
    """A model on an OpenAI-compatible server.

    Args:
        url: base URL including `/v1`.
        name: name of the model on the server; not needed if the server has only one.
        api_key: bearer token.
        max_tokens: maximum tokens of a completion.
    """

    def __init__(
        self, url: str, *, name: str | None = None, api_key: SecretStr | None = None, max_tokens: int = 256
    ) -> None:
        self._url = url.rstrip("/")
        self._name = name
        self._max_tokens = max_tokens
        # Without `api_key` no key is sent, even if OPENAI_API_KEY is set.
        self._headers: Any = {} if api_key else {"Authorization": openai.Omit()}
        self._client = openai.AsyncOpenAI(
            base_url=self._url,
            api_key=api_key.get_secret_value() if api_key else "none",
            max_retries=RETRIES,
            http_client=openai.DefaultAsyncHttpxClient(transport=_CappedTransport(), follow_redirects=False),
        )

    @property
    def name(self) -> str:
        """Return the name of the model, or the URL of the server until the name is known."""
        return self._name or self._url

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Generate one completion; see `CypherModel.complete`.

        Servers without `structured_outputs` ignore it, so the completion is checked against the grammar here.
        """
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                name = self._name or await self._only_model()
                sampling: dict[str, Any] = {"temperature": OTHER_TEMPERATURE if hypothesis else 0.0}
                if grammar is not None:
                    sampling["extra_body"] = {"structured_outputs": {"grammar": grammar.text}}
                if isinstance(prompt, str):
                    text, tokens, logprob = await self._text(name, prompt, sampling)
                else:
                    text, tokens, logprob = await self._chat(name, prompt, sampling)
        except TimeoutError as error:
            raise DeadlineError(
                f"the model server at {self._url} took longer than {timeout_s:.3g} s"
            ) from error
        except (openai.OpenAIError, *UNREADABLE) as error:
            raise self._translate(error) from error
        if grammar is not None and not await asyncio.to_thread(matches_grammar, grammar.text, text):
            raise CompletionError(
                f"the completion of {self.name} at {self._url} does not match the grammar; "
                "if the server does not support `structured_outputs`, set `model.grammar` to off"
            )
        if grammar is not None and grammar.semantics and not grammar.semantics.accepts(text):
            raise CompletionError(
                f"the completion of {self.name} uses an unbound variable, or a linked value where it does not occur"
            )
        elapsed_ms = (time.perf_counter() - started) * 1000
        return Completion(text=text, tokens=tokens, mean_logprob=logprob, elapsed_ms=elapsed_ms)

    async def check(self) -> None:
        """Check that the server lists the model; see `CypherModel.check`."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                names = await self._names()
        except TimeoutError as error:
            raise ModelUnavailableError(
                f"the model server at {self._url} did not answer within {CHECK_TIMEOUT_S:.0f} s"
            ) from error
        except (openai.OpenAIError, *UNREADABLE) as error:
            raise self._translate(error) from error
        if self._name is not None and self._name not in names:
            raise ModelUnavailableError(
                f"the model server at {self._url} has no {self._name!r}; it has {', '.join(names) or 'none'}"
            )

    def check_support(self, *, chat: bool, grammar: bool) -> None:  # noqa: ARG002
        """Check that grammars can be verified; see `CypherModel.check_support`."""
        if grammar:
            require_xgrammar()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _text(self, name: str, prompt: str, sampling: dict[str, Any]) -> tuple[str, int, float | None]:
        reply = await self._client.completions.create(
            model=name,
            prompt=prompt,
            max_tokens=self._max_tokens,
            logprobs=1,
            extra_headers=self._headers,
            **sampling,
        )
        choice = self._first(reply)
        logprobs = getattr(choice.logprobs, "token_logprobs", None) or []
        return self._finished(choice, choice.text, reply, [each for each in logprobs if each is not None])

    async def _chat(
        self, name: str, prompt: Prompt, sampling: dict[str, Any]
    ) -> tuple[str, int, float | None]:
        messages: Any = [dict(message) for message in prompt if not isinstance(message, str)]
        reply = await self._client.chat.completions.create(
            model=name,
            messages=messages,
            max_tokens=self._max_tokens,
            extra_headers=self._headers,
            **sampling,
        )
        choice = self._first(reply)
        return self._finished(choice, _text_of(choice.message), reply, [])

    def _first(self, reply: Any) -> Any:
        choices = getattr(reply, "choices", None)
        if not isinstance(choices, list) or not choices:
            raise CompletionError(f"the reply of the model server at {self._url} is not a completion")
        return choices[0]

    def _finished(
        self, choice: Any, text: Any, reply: Any, logprobs: list[float]
    ) -> tuple[str, int, float | None]:
        if choice.finish_reason == "length":
            raise CompletionError(f"the completion of {self.name} exceeds {self._max_tokens} tokens")
        if not isinstance(text, str) or not text.strip():
            raise CompletionError(f"the completion of {self.name} at {self._url} is empty")
        tokens = getattr(reply.usage, "completion_tokens", None) or len(logprobs)
        return text, int(tokens), sum(logprobs) / len(logprobs) if logprobs else None

    async def _names(self) -> list[str]:
        page = await self._client.models.list(extra_headers=self._headers)
        if not isinstance(getattr(page, "data", None), list):
            raise ModelUnavailableError(f"the server at {self._url} is not OpenAI-compatible")
        return [model.id for model in page.data]

    async def _only_model(self) -> str:
        names = await self._names()
        if len(names) != 1:
            raise ModelUnavailableError(
                f"the model server at {self._url} has {len(names)} models ({', '.join(names)}); set `model.name`"
            )
        self._name = names[0]
        return names[0]

    def _translate(self, error: Exception) -> Exception:  # noqa: PLR0911  (one per kind)
        server = f"the model server at {self._url}"
        match error:
            case _ReplyTooLongError():
                return CompletionError(f"{server} sent more than {MAX_REPLY_BYTES} bytes")
            case openai.APITimeoutError():
                return DeadlineError(f"{server} took too long")
            case openai.APIConnectionError():
                return ModelUnavailableError(f"{server} cannot be reached")
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return ModelUnavailableError(f"{server} rejects the API key; set `model.api_key`")
            case openai.NotFoundError():
                return ModelUnavailableError(
                    f"{server} does not have {self.name!r}, or `model.url` lacks /v1"
                )
            case openai.BadRequestError() | openai.UnprocessableEntityError():
                return CompletionError(f"{server} rejects this prompt: {error.message}")
            case openai.APIStatusError():
                return ModelUnavailableError(f"{server} returned status {error.status_code}")
        return CompletionError(f"the reply of {server} is not a completion")


def _text_of(message: Any) -> Any:
    """Return the text of a chat message: content, parts of it, arguments of tool calls, or the reasoning alone."""
    content = getattr(message, "content", None)
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    if content:
        return content
    for call in getattr(message, "tool_calls", None) or ():
        arguments = getattr(getattr(call, "function", None), "arguments", None)
        if arguments:
            return arguments
    reasoning = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    return reasoning or content


def matches_grammar(grammar: str, text: str) -> bool:
    """Return whether a completion matches a grammar, apart from surrounding whitespace.

    Args:
        grammar: EBNF text.
        text: completion.
    """
    from xgrammar import GrammarMatcher

    compiled = _compiled(grammar)
    for form in dict.fromkeys((text, text.strip(), f" {text.strip()}")):
        matcher = GrammarMatcher(compiled, terminate_without_stop_token=True)
        if matcher.accept_string(form) and matcher.is_terminated():
            return True
    return False


@lru_cache(maxsize=GRAMMAR_CACHE_SIZE)
def _compiled(grammar: str) -> CompiledGrammar:
    from xgrammar import GrammarCompiler, TokenizerInfo

    return GrammarCompiler(TokenizerInfo([]), max_threads=1, cache_enabled=False).compile_grammar(grammar)
