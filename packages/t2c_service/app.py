"""The web application: routes, errors and the page, put around what `assembly` opens for as long as it runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from t2c_service.api import chat, health, problems, query, schema
from t2c_service.api.mcp import mount_mcp
from t2c_service.api.middleware import RequestMiddleware
from t2c_service.bootstrap import open_service
from t2c_service.observability import start_tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2c_service.settings import Settings

DESCRIPTION = """Ask a graph in plain language. Every answer comes with its read-only Cypher, its rows and a trace.

Errors are RFC 9457 problems (`application/problem+json`) with a stable `type`."""


def create_app(settings: Settings) -> FastAPI:
    """Make the application; what it needs is opened when it starts and closed when it stops.

    Args:
        settings: see `configuration.load_settings`.
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
    for router in (query.router, chat.router, schema.router, health.router):
        app.include_router(router)
    problems.register_exception_handlers(app)
    mcp = mount_mcp(app, body_bytes=settings.limits.body_bytes)
    if settings.page:
        from t2c_service.page import mount_page

        mount_page(app, settings)
    app.add_middleware(
        RequestMiddleware,
        body_bytes=settings.limits.body_bytes,
        body_s=settings.limits.body_s,
        hosts=settings.hosts,
    )
    return app
