"""What routes take from the application: the service, and whose visit it is; work ends when its client leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.exceptions import HTTPException

from t2c_service.access.principals import Principal
from t2c_service.api.problems import request_id_of
from t2c_service.errors import UnauthenticatedError
from t2c_service.service import RequestContext, Service
from t2c_service.settings import Scope

_Made = TypeVar("_Made")

CLIENT_CLOSED_REQUEST = 499
"""Status in logs and metrics for a client that left; nobody reads it."""

_bearer = HTTPBearer(
    auto_error=False, description="A key of `t2c-service keys create`, where keys are asked for."
)
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key in a header of its own.")


async def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101  (the lifespan set it)
    return service


ServiceDependency = Annotated[Service, Depends(_service)]


async def _request_id(request: Request) -> str:
    return request_id_of(request)


RequestId = Annotated[str, Depends(_request_id)]


async def get_request_context(
    request: Request,
    service: ServiceDependency,
    _bearer_key: Annotated[object, Security(_bearer)],
    _header_key: Annotated[str | None, Security(_header)],
) -> RequestContext:
    """Say whose visit a request is.

    Raises:
        UnauthenticatedError: it has a key that is not good.
    """
    try:
        caller = service.identify(
            request.headers.get("authorization"),
            request.headers.get("x-api-key"),
            request.client.host if request.client else "",
        )
    except UnauthenticatedError:
        service.metrics.turned_away.labels("unauthenticated").inc()
        raise
    return RequestContext(caller=caller, request_id=request_id_of(request), entry="http")


VisitDependency = Annotated[RequestContext, Depends(get_request_context)]


def require_scope(scope: Scope) -> Callable[[RequestContext], Awaitable[Principal]]:
    """Make a dependency that gives the caller, if it may do something."""

    async def caller_of(visit: VisitDependency) -> Principal:
        assert visit.caller is not None  # noqa: S101
        visit.caller.require(scope)
        return visit.caller

    return caller_of


SchemaCaller = Annotated[Principal, Depends(require_scope("schema"))]
MetricsCaller = Annotated[Principal, Depends(require_scope("metrics"))]


async def run_until_disconnect(request: Request, work: Coroutine[Any, Any, _Made]) -> _Made:
    """Do some work for as long as its client is there.

    Raises:
        HTTPException: the client has left and the work was given up.
    """
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_wait_for_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(CLIENT_CLOSED_REQUEST, "the client has left")
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
