"""FastAPI dependencies of the routes: the service, the request context and scopes; work that ends with its client."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Scope as AsgiScope

from t2c_service.access.audit import Channel
from t2c_service.access.principals import Principal
from t2c_service.api.problems import CLIENT_CLOSED_REQUEST, request_id_of
from t2c_service.service import RequestContext, Service
from t2c_service.settings import Scope

_Result = TypeVar("_Result")

_bearer = HTTPBearer(
    auto_error=False, description="An API key of `t2c-service keys create`, where keys are required."
)
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key in a header of its own.")


async def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)  # noqa: S101  (the lifespan set it)
    return service


async def _request_id(request: Request) -> str:
    return request_id_of(request)


ServiceDependency = Annotated[Service, Depends(_service)]
RequestId = Annotated[str, Depends(_request_id)]


def authenticate(service: Service, scope: AsgiScope, channel: Channel) -> Principal:
    """Return the principal of a request.

    Raises:
        UnauthenticatedError, RateLimitedError: The request has an invalid key.
    """
    headers, client = Headers(scope=scope), scope.get("client")
    return service.authenticate(
        headers.get("authorization"),
        headers.get("x-api-key"),
        client[0] if client else "",
        request_id=scope.get("state", {}).get("request_id", ""),
        channel=channel,
    )


async def get_request_context(
    request: Request,
    service: ServiceDependency,
    _bearer_key: Annotated[object, Security(_bearer)],
    _header_key: Annotated[str | None, Security(_header)],
) -> RequestContext:
    """Return the context of a request.

    Raises:
        UnauthenticatedError: The request has an invalid key.
    """
    principal = authenticate(service, request.scope, "http")
    return RequestContext(principal=principal, request_id=request_id_of(request), channel="http")


ContextDependency = Annotated[RequestContext, Depends(get_request_context)]


def require_scope(scope: Scope) -> Callable[[RequestContext], Awaitable[Principal]]:
    """Return a dependency that provides the principal if it has a scope."""

    async def principal_of(context: ContextDependency) -> Principal:
        assert context.principal is not None  # noqa: S101
        context.principal.require(scope)
        return context.principal

    return principal_of


SchemaPrincipal = Annotated[Principal, Depends(require_scope("schema"))]
MetricsPrincipal = Annotated[Principal, Depends(require_scope("metrics"))]


async def run_until_disconnect(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine until its client disconnects.

    Raises:
        HTTPException: The client disconnected, and the coroutine was cancelled.
    """
    task = asyncio.create_task(work)
    disconnect = asyncio.create_task(_wait_for_disconnect(request))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(CLIENT_CLOSED_REQUEST, "the client disconnected")
        return task.result()
    finally:
        for each in (task, disconnect):
            each.cancel()
        await asyncio.gather(task, disconnect, return_exceptions=True)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
