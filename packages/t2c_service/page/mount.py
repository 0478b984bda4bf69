"""Mounting of the page: NiceGUI serves `/` and its own files, the API everything else.

NiceGUI has one application per process, so a process can serve one page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import nicegui
from nicegui import ui
from starlette.requests import Request  # noqa: TC002  (FastAPI reads it)
from starlette.routing import Match, Mount

from t2c_service.page.ask_page import AskPage
from t2c_service.page.session import PageSession
from t2c_service.page.theme import ICON

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Scope

    from t2c_service.settings import Settings

RECONNECT_S = 30.0
"""Seconds for which a disconnected page keeps its session."""
OWN_PATHS = ("/_nicegui", "/favicon.ico")


class PageMount(Mount):
    """Matches the page and its files only, so that the API handles unknown paths and methods."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match `/` and the paths of NiceGUI."""
        path = scope.get("path", "")
        is_page = path == "/" and scope.get("method", "GET") in {"GET", "HEAD"}
        if is_page or path.startswith(OWN_PATHS):
            return super().matches(scope)
        return Match.NONE, {}


def mount_page(app: FastAPI, settings: Settings) -> None:
    """Serve the page at `/` of an application.

    Args:
        app: Application with `state.service` while it runs.
        settings: Settings of the service.
    """

    @ui.page("/", title=settings.title, dark=None)
    async def ask_page(request: Request) -> None:
        address = request.client.host if request.client else ""
        await AskPage(PageSession(app.state.service, address)).build()

    ui.run_with(
        app,
        title=settings.title,
        favicon=ICON,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
    )
    app.router.routes[-1] = PageMount("", app=nicegui.app)
