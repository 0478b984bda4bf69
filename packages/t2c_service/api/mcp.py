"""`/mcp`: the MCP tools over streamable HTTP, without sessions; who calls and from where is checked first."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.routing import Route

from t2c_service.api.problems import NAMESPACE, problem
from t2c_service.mcp import make_server
from t2c_service.service import RequestContext, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Receive, Scope, Send

PATH = "/mcp"


class McpEndpoint:
    """Lets requests in that come from no other site and have a good key, if they have one.

    The host name has been checked by the envelope around the application.

    Args:
        app: holds the service.
        body_bytes: longest request body.
    """

    def __init__(self, app: FastAPI, *, body_bytes: int) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer requests from entry to exit.

        The SDK's task group lives in a task of its own, because it must be left in the task that entered it.
        """
        server = make_server(lambda: self._service)
        server.streamable_http_app(
            stateless_http=True,
            json_response=True,
            max_request_body_size=self._body_bytes,
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=False
            ),  # checked here
        )
        started, stop = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            async with server.session_manager.run():
                self._manager = server.session_manager
                started.set()
                await stop.wait()

        task = asyncio.create_task(run())
        waiting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            self._manager = None
            stop.set()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def _service(self) -> Service:
        service = self._app.state.service
        assert isinstance(service, Service)  # noqa: S101
        return service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            UnauthenticatedError, ForbiddenError: not for this caller.
        """
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        request_id = state.get("request_id", "")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            refusal = problem(request_id, 403, NAMESPACE + "origin", "Pages of other sites may not call this")
            await refusal(scope, receive, send)
            return
        client = scope.get("client")
        address = client[0] if client else ""
        caller = self._service.identify(headers.get("authorization"), headers.get("x-api-key"), address)
        if not caller.scopes & {"query", "cypher", "schema"}:
            caller.require("query")
        state["visit"] = RequestContext(caller=caller, request_id=request_id, entry="mcp")
        assert self._manager is not None  # noqa: S101  (the lifespan runs it)
        await self._manager.handle_request(scope, receive, send)


def mount_mcp(app: FastAPI, *, body_bytes: int) -> McpEndpoint:
    """Serve the tools at `/mcp`; `running` of what is returned belongs into the application's lifespan."""
    endpoint = McpEndpoint(app, body_bytes=body_bytes)
    app.router.routes.append(Route(PATH, endpoint, include_in_schema=False))
    return endpoint
