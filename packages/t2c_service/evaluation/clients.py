"""Where evaluated questions are asked: in this process, or of a running service over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import httpx2
from pydantic import ValidationError

from t2c_core.errors import GraphError
from t2c_service.access.principals import LOCAL_ADMIN
from t2c_service.answering.loop import AskOptions
from t2c_service.answering.records import Answer
from t2c_service.errors import DeadlineError, ModelError, OverloadedError, UnansweredError
from t2c_service.service import RequestContext

if TYPE_CHECKING:
    from t2c_service.service import Service

TRIES = 5
TIMEOUT_S = 300.0


class EvaluationClient(Protocol):
    """Something that answers questions."""

    async def ask(self, question: str) -> Answer:
        """Answer one.

        Raises:
            UnansweredError: there was a problem instead.
        """


class InProcessClient:
    """Asks in this process.

    Args:
        service: open.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def ask(self, question: str) -> Answer:
        """See `Asker.ask`."""
        try:
            return await self._service.ask(
                question, AskOptions(graph=False), visit=RequestContext(caller=LOCAL_ADMIN, entry="command")
            )
        except (GraphError, ModelError, DeadlineError, OverloadedError) as error:
            raise UnansweredError(str(error)) from error


class HttpClient:
    """Asks a running service.

    Args:
        url: its address.
        client: for all requests.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url = url.rstrip("/") + "/query"
        self._client = client

    async def ask(self, question: str) -> Answer:
        """See `Asker.ask`."""
        body = {"question": question, "options": {"graph": False}}
        for left in reversed(range(TRIES)):
            try:
                response = await self._client.post(self._url, json=body, timeout=TIMEOUT_S)
            except httpx2.HTTPError as error:
                raise UnansweredError(f"{self._url} cannot be asked: {error}") from error
            if response.status_code == 503 and left:
                await asyncio.sleep(float(response.headers.get("Retry-After", "1")))
                continue
            break
        if response.status_code != 200:
            raise UnansweredError(f"{self._url} answered {response.status_code}: {response.text[:300]}")
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise UnansweredError(f"what answers at {self._url} is no t2c-service") from error
