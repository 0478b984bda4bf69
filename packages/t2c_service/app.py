"""The web application: routes, MCP endpoint, page and middleware around the service that `bootstrap` opens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from t2c_service.api import chat, feedback, health, problems, query, schema, verified
from t2c_service.api.middleware import RequestMiddleware
from t2c_service.bootstrap import open_service
from t2c_service.mcp import mount_mcp
from t2c_service.observability import start_tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2c_service.settings import Settings

DESCRIPTION = """Ask a graph in natural language. Every answer has its read-only Cypher, its rows and a trace.

Errors are RFC 9457 problems (`application/problem+json`) with a stable `type`."""


def create_app(settings: Settings) -> FastAPI:
    """Create the application; its lifespan opens and closes the service.

    Args:
        settings: Settings, as `load_settings` returns them.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stop_tracing = start_tracing(settings.observability)
        try:
            async with open_service(settings) as service, mcp.running():
                app.state.service = service
                yield
        finally:
            await asyncio.to_thread(stop_tracing)

    app = FastAPI(
        title=settings.title,
        version=version("graphling"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its scripts come from another host
        redoc_url=None,
    )
    for part in (query, verified, feedback, chat, schema, health):
        app.include_router(part.router)
    problems.register_exception_handlers(app)
    mcp = mount_mcp(app, max_body_bytes=settings.limits.max_body_bytes)
    if settings.page:
        from t2c_service.page import mount_page

        mount_page(app, settings)
    app.add_middleware(
        RequestMiddleware,
        max_body_bytes=settings.limits.max_body_bytes,
        body_timeout_s=settings.limits.body_timeout_s,
        hosts=settings.hosts,
    )
    return app
