"""`POST /query` answers a question, as JSON or as server-sent events; `POST /cypher` runs a given query.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from t2c_core.errors import T2CError
from t2c_service.answering.progress_events import ProgressCallback, ProgressEvent
from t2c_service.answering.records import Answer
from t2c_service.api.dependencies import ContextDependency, RequestId, ServiceDependency, run_until_disconnect
from t2c_service.api.models import CypherRequest, QueryRequest, QueryResponse
from t2c_service.api.problems import PROBLEM_RESPONSES, problem_content
from t2c_service.errors import ServiceError, problem_type_of

log = logging.getLogger(__name__)

EVENT_STREAM = "text/event-stream"
KEEPALIVE_INTERVAL_S = 10.0
"""Seconds without an event after which a comment is sent, so that proxies keep the connection open."""

router = APIRouter(tags=["questions"], responses=PROBLEM_RESPONSES)

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `Accept: text/event-stream`, progress events and then the answer.",
        "content": {
            EVENT_STREAM: {
                "schema": {"type": "string"},
                "example": "event: linked\ndata: {}\n\nevent: answer\ndata: {}\n\n",
            }
        },
    }
}


@router.post("/query", summary="Ask a question", responses=_STREAM, response_model=QueryResponse)
async def query(
    body: QueryRequest,
    request: Request,
    service: ServiceDependency,
    context: ContextDependency,
    request_id: RequestId,
) -> QueryResponse | StreamingResponse:
    """Answer a question with rows, the Cypher that produced them and a trace of every attempt.

    A question that cannot be answered is not an error; `status` says so. Problems (4xx, 5xx) report invalid or
    unauthorized requests, and a graph or model that is not available.
    """
    options = body.options.to_ask_options()
    if EVENT_STREAM in request.headers.get("accept", ""):
        stream = AnswerEventStream(
            lambda on_event: service.ask(
                body.question,
                options,
                database=body.database,
                conversation=body.turns,
                context=context,
                on_event=on_event,
            ),
            request_id,
            service.describe,
        )
        first = await stream.start()
        return StreamingResponse(
            stream.events(first), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"}
        )
    work = service.ask(
        body.question, options, database=body.database, conversation=body.turns, context=context
    )
    return QueryResponse.of(await run_until_disconnect(request, work), request_id)


@router.post("/cypher", summary="Run a given query through the guard")
async def cypher(
    body: CypherRequest,
    request: Request,
    service: ServiceDependency,
    context: ContextDependency,
    request_id: RequestId,
) -> QueryResponse:
    """Run Cypher through the same guard and limits; a refusal is an answer with reason codes."""
    options = body.options.to_ask_options()
    work = service.run(body.cypher, body.parameters, options, database=body.database, context=context)
    return QueryResponse.of(await run_until_disconnect(request, work), request_id)


class AnswerEventStream:
    """Answers a question and streams its progress events, then `answer` or `problem`.

    Args:
        ask: Starts answering, given the function to call with each event.
        request_id: Id of the request.
        describe: Returns the description of an error for clients.
    """

    def __init__(
        self,
        ask: Callable[[ProgressCallback], Awaitable[Answer]],
        request_id: str,
        describe: Callable[[BaseException], str],
    ) -> None:
        self._describe = describe
        self._queue: asyncio.Queue[ProgressEvent | None] = asyncio.Queue()
        self._request_id = request_id
        self._task = asyncio.ensure_future(self._work(ask))

    async def start(self) -> ProgressEvent | None:
        """Wait for the first event, so that an earlier error becomes a problem with its own status.

        Raises:
            T2CError, ServiceError: The error of answering.
        """
        try:
            first = await self._queue.get()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if first is None:
            self._task.result()
        return first

    async def events(self, first: ProgressEvent | None) -> AsyncIterator[bytes]:
        """Yield the encoded events; closing the iterator cancels the question."""
        try:
            event = first
            while event is not None:
                yield _encode(event.name, event.data)
                while True:
                    try:
                        event = await asyncio.wait_for(self._queue.get(), KEEPALIVE_INTERVAL_S)
                        break
                    except TimeoutError:
                        yield KEEPALIVE_COMMENT
            yield self._last()
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self, ask: Callable[[ProgressCallback], Awaitable[Answer]]) -> Answer:
        try:
            return await ask(self._queue.put_nowait)
        finally:
            self._queue.put_nowait(None)

    def _last(self) -> bytes:
        error = self._task.exception()
        if error is None:
            content = self._task.result().model_dump(mode="json")
            return _encode("answer", {"request_id": self._request_id, **content})
        if not isinstance(error, T2CError | ServiceError):
            log.error("internal server error", exc_info=error)
        content = problem_content(self._request_id, problem_type_of(error), self._describe(error))
        return _encode("problem", content)


def _encode(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))
