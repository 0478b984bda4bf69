"""An answer as server-sent events: each step as it is done, then `answer`, or `problem` if there is none.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from t2c_core.errors import T2CError
from t2c_service.api.problems import problem_content
from t2c_service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from t2c_service.answering.progress_events import ProgressCallback, ProgressEvent
    from t2c_service.answering.records import Answer

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream"
KEEPALIVE_INTERVAL_S = 10.0
"""A comment is sent after so long without an event, so that nothing on the way gives up."""


class AnswerEventStream:
    """Works on a question and tells its steps.

    Args:
        ask: starts answering; is given the listener to tell.
        request_id: of the request.
    """

    def __init__(self, ask: Callable[[ProgressCallback], Awaitable[Answer]], request_id: str) -> None:
        self._queue: asyncio.Queue[ProgressEvent | None] = asyncio.Queue()
        self._request_id = request_id
        self._task = asyncio.ensure_future(self._work(ask))

    async def start(self) -> ProgressEvent | None:
        """Wait for the first step, so that what goes wrong before it is a problem with its own status.

        Raises:
            T2CError, ServiceError: what answering raised.
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
        """Write the events; giving up the iteration gives up the question."""
        try:
            step = first
            while step is not None:
                yield event(step.name, step.data)
                while True:
                    try:
                        step = await asyncio.wait_for(self._queue.get(), KEEPALIVE_INTERVAL_S)
                        break
                    except TimeoutError:
                        yield b": still working\n\n"
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
            return event("answer", {"request_id": self._request_id, **content})
        if not isinstance(error, T2CError | ServiceError):
            log.error("fault", exc_info=error)
        return event("problem", problem_content(error, self._request_id))  # type: ignore[arg-type]


def event(name: str, data: dict[str, Any]) -> bytes:
    """Write one event."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
