"""Clients that an evaluation asks: the service in this process, or a running one over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import httpx2
from pydantic import ValidationError

from t2c_core.errors import GraphError, GraphUnavailableError
from t2c_service.access.principals import LOCAL_ADMIN
from t2c_service.answering.options import AskOptions
from t2c_service.answering.records import Answer
from t2c_service.errors import (
    DeadlineError,
    ModelError,
    ModelUnavailableError,
    OverloadedError,
    RateLimitedError,
    UnansweredError,
    UnavailableError,
)
from t2c_service.service import RequestContext

if TYPE_CHECKING:
    from t2c_service.service import Service

TIMEOUT_S = 300.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Waits before a retry where the service names none; each is twice the one before."""
MAX_WAIT_S = 600.0
"""Maximum wait for one question before the evaluation stops."""
RETRY_STATUSES = frozenset({429, 502, 503})
ACCESS_STATUSES = frozenset({401, 403, 404})
"""Statuses that say nothing about a question and that no wait helps."""


class EvaluationClient(Protocol):
    """A client that asks questions."""

    async def ask(self, question: str) -> Answer:
        """Ask one question.

        Raises:
            UnavailableError: the service cannot answer any question now; nothing is known of this one.
            UnansweredError: the service failed on this question.
        """


class InProcessClient:
    """Ask the service in this process.

    Args:
        service: open service.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def ask(self, question: str) -> Answer:
        """Ask one question; see `EvaluationClient.ask`."""
        try:
            return await self._service.ask(
                question,
                AskOptions(include_graph=False),
                context=RequestContext(principal=LOCAL_ADMIN, channel="command"),
            )
        except RateLimitedError as error:
            raise UnavailableError(str(error), retry_after_s=error.retry_after_s) from error
        except (GraphUnavailableError, ModelUnavailableError, OverloadedError) as error:
            raise UnavailableError(str(error), retry_after_s=FIRST_WAIT_S) from error
        except (GraphError, ModelError, DeadlineError) as error:
            raise UnansweredError(str(error)) from error


class HttpClient:
    """Ask a running service.

    Args:
        url: address of the service.
        client: HTTP client with the credentials.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url = url.rstrip("/") + "/query"
        self._client = client
        self._was_reached = False

    async def ask(self, question: str) -> Answer:
        """Ask one question; see `EvaluationClient.ask`."""
        body = {"question": question, "options": {"graph": False}}
        try:
            response = await self._client.post(self._url, json=body, timeout=TIMEOUT_S)
        except httpx2.HTTPError as error:
            # A service that was never reached is a wrong address, for which waiting is no use.
            retry_after_s = FIRST_WAIT_S if self._was_reached else None
            raise UnavailableError(
                f"{self._url} is unavailable: {error}", retry_after_s=retry_after_s
            ) from error
        self._was_reached = True
        status, problem = (
            response.status_code,
            f"{self._url} answered {response.status_code}: {response.text[:300]}",
        )
        if status in RETRY_STATUSES:
            raise UnavailableError(problem, retry_after_s=_seconds(response.headers.get("Retry-After", "")))
        if status in ACCESS_STATUSES:
            raise UnavailableError(problem, retry_after_s=None)
        if status != 200:
            raise UnansweredError(problem)
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError as error:
            raise UnavailableError(f"{self._url} is not a t2c-service", retry_after_s=None) from error


async def ask_patiently(client: EvaluationClient, question: str) -> Answer:
    """Ask one question; wait and retry while the service is unavailable, at most `MAX_WAIT_S` in all.

    Raises:
        UnavailableError: the service stays unavailable, or waiting is no use.
        UnansweredError: the service failed on this question.
    """
    backoff_s, waited_s = FIRST_WAIT_S, 0.0
    while True:
        try:
            return await client.ask(question)
        except UnavailableError as error:
            if error.retry_after_s is None or waited_s >= MAX_WAIT_S:
                raise
            pause_s = min(max(error.retry_after_s, backoff_s), MAX_WAIT_S - waited_s)
        await asyncio.sleep(pause_s)
        waited_s += pause_s
        backoff_s = min(2 * backoff_s, LONGEST_WAIT_S)


def _seconds(retry_after: str) -> float:
    """Read a Retry-After header; a date or nothing means the first wait."""
    return float(retry_after) if retry_after.isdecimal() else FIRST_WAIT_S
