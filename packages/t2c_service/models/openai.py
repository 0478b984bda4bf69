"""Any server with the OpenAI HTTP API as a `CypherModel`: vLLM, and all that speak the same.

A text prompt goes to `/completions`, chat messages to `/chat/completions`. Replies are bounded in size and time; what
is not a reply is an error with the server's address in it, never an empty completion.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from t2c_service.errors import CompletionError, DeadlineError, ModelUnavailableError
from t2c_service.models.grammar_check import matches_grammar
from t2c_service.models.protocol import Completion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr

    from t2c_core.grammar import Grammar
    from t2c_service.models.protocol import Prompt

MAX_REPLY_BYTES = 1_000_000
RETRIES = 1
CHECK_TIMEOUT_S = 5.0
OTHER_TEMPERATURE = 0.7
"""Temperature of the hypotheses after the first. No seed is sent: see docs/decisions/no-seeds.md."""


class _ReplyTooLongError(Exception):
    pass


UNREADABLE = (_ReplyTooLongError, json.JSONDecodeError)
"""What reading a reply raises when it is none."""


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
    """Ends a reply that is longer than any completion can be, before it fills the memory."""

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
        url: address with `/v1`.
        name: the model's name there; without one, the only one that the server has.
        api_key: sent as a bearer token, if given.
        max_tokens: longest completion.
        logprobs: whether to ask for log-probabilities.
    """

    def __init__(
        self, url: str, *, name: str | None = None, api_key: SecretStr | None = None, max_tokens: int = 256
    ) -> None:
        self._url = url.rstrip("/")
        self._name = name
        self._max_tokens = max_tokens
        # Without a key of ours none is sent, whatever OPENAI_API_KEY says.
        self._headers: Any = {} if api_key else {"Authorization": openai.Omit()}
        self._client = openai.AsyncOpenAI(
            base_url=self._url,
            api_key=api_key.get_secret_value() if api_key else "none",
            max_retries=RETRIES,
            http_client=openai.DefaultAsyncHttpxClient(transport=_CappedTransport(), follow_redirects=False),
        )

    @property
    def name(self) -> str:
        """The model's name, or the server's address until it is known."""
        return self._name or self._url

    async def complete(
        self, prompt: Prompt, *, hypothesis: int = 0, grammar: Grammar | None = None, timeout_s: float
    ) -> Completion:
        """Write one completion; see `CypherModel.complete`.

        A server that does not know `structured_outputs` ignores it, so whether the grammar was kept is looked at here.
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
            raise self._explained(error) from error
        if grammar is not None and not await asyncio.to_thread(matches_grammar, grammar.text, text):
            raise CompletionError(
                f"{self.name} at {self._url} wrote what the grammar does not take; "
                "if that server has no `structured_outputs`, set `model.grammar` to off"
            )
        elapsed_ms = (time.perf_counter() - started) * 1000
        return Completion(text=text, tokens=tokens, mean_logprob=logprob, elapsed_ms=elapsed_ms)

    async def check(self) -> None:
        """Ask the server which models it has; see `CypherModel.check`."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                names = await self._names()
        except TimeoutError as error:
            raise ModelUnavailableError(
                f"the model server at {self._url} did not answer within {CHECK_TIMEOUT_S:.0f} s"
            ) from error
        except (openai.OpenAIError, *UNREADABLE) as error:
            raise self._explained(error) from error
        if self._name is not None and self._name not in names:
            raise ModelUnavailableError(self._has_not(names))

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
        return self._finished(choice, getattr(choice.message, "content", None), reply, [])

    def _first(self, reply: Any) -> Any:
        choices = getattr(reply, "choices", None)
        if not isinstance(choices, list) or not choices:
            raise CompletionError(f"the model server at {self._url} sent something that is no completion")
        return choices[0]

    def _finished(
        self, choice: Any, text: Any, reply: Any, logprobs: list[float]
    ) -> tuple[str, int, float | None]:
        if choice.finish_reason == "length":
            raise CompletionError(f"{self.name} wrote {self._max_tokens} tokens without coming to an end")
        if not isinstance(text, str) or not text.strip():
            raise CompletionError(f"{self.name} at {self._url} wrote nothing")
        tokens = getattr(reply.usage, "completion_tokens", None) or len(logprobs)
        return text, int(tokens), sum(logprobs) / len(logprobs) if logprobs else None

    async def _names(self) -> list[str]:
        page = await self._client.models.list(extra_headers=self._headers)
        if not isinstance(getattr(page, "data", None), list):
            raise ModelUnavailableError(f"what answers at {self._url} is no OpenAI-compatible server")
        return [model.id for model in page.data]

    async def _only_model(self) -> str:
        names = await self._names()
        if len(names) != 1:
            raise ModelUnavailableError(
                f"the model server at {self._url} has {len(names)} models ({', '.join(names)}); set `model.name`"
            )
        self._name = names[0]
        return names[0]

    def _has_not(self, names: list[str]) -> str:
        return f"the model server at {self._url} has no {self._name!r}; it has {', '.join(names) or 'none'}"

    def _explained(self, error: Exception) -> Exception:  # noqa: PLR0911  (one for each kind)
        server = f"the model server at {self._url}"
        match error:
            case _ReplyTooLongError():
                return CompletionError(f"{server} sent more than {MAX_REPLY_BYTES} bytes")
            case openai.APITimeoutError():
                return DeadlineError(f"{server} took too long")
            case openai.APIConnectionError():
                return ModelUnavailableError(f"{server} cannot be reached")
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return ModelUnavailableError(f"{server} does not accept our key; set `model.api_key`")
            case openai.NotFoundError():
                return ModelUnavailableError(
                    f"{server} does not have {self.name!r}, or `model.url` lacks its /v1"
                )
            case openai.BadRequestError() | openai.UnprocessableEntityError():
                return CompletionError(f"{server} does not take this prompt: {error.message}")
            case openai.APIStatusError():
                return ModelUnavailableError(f"{server} answered with status {error.status_code}")
        return CompletionError(f"{server} sent something that is no completion")
