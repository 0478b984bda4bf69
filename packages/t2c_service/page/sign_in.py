"""Where a visitor who may not ask shows a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

if TYPE_CHECKING:
    from collections.abc import Callable


def sign_in_form(enter: Callable[[str], None]) -> None:
    """Draw it.

    Args:
        enter: is given the key that was typed in.
    """
    with ui.column().classes("g-hero w-full"):
        ui.label("A key, please").classes("g-title")
        ui.label("This service answers those who have a key. It is kept until this page is closed.").classes(
            "g-muted"
        )
        with ui.row().classes("g-ask"):
            key = ui.input(placeholder="gk_…", password=True)
            key.props("borderless dense aria-label=Key autofocus")
            key.on("keydown.enter", lambda: enter(key.value))
            come = ui.button("Come in", on_click=lambda: enter(key.value))
            come.props("unelevated no-caps color=primary").classes("g-go")
