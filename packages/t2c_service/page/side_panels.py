"""Side panels: graph schema and history. Esc closes them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from t2c_service.page.answer_view import STATUS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property
    from t2c_service.page.session import HistoryEntry, PageSession

MAX_TRIPLES = 200


class Panel:
    """A dialog at the right that is redrawn whenever it opens."""

    def __init__(self, title: str, draw: Callable[[], None]) -> None:
        self._draw = draw
        with ui.dialog().props("position=right full-height") as self._dialog, ui.column().classes("g-panel"):
            with ui.row().classes("w-full items-center no-wrap"):
                ui.label(title).classes("g-card-title")
                ui.space()
                ui.button(icon="close", on_click=self._dialog.close).props(
                    "flat round dense color=grey aria-label=Close"
                )
            self._content = ui.column().classes("w-full gap-[4px] no-wrap g-scroll")

    def open(self) -> None:
        """Draw and show the panel."""
        self._content.clear()
        with self._content:
            self._draw()
        self._dialog.open()

    def close(self) -> None:
        """Hide the panel."""
        self._dialog.close()


def schema_panel(session: PageSession) -> Panel:
    """Create the panel of labels, properties and relationships."""

    def draw() -> None:
        schema = session.schema
        if schema is None:
            ui.label("Requires a key with the `schema` scope.").classes("g-muted g-small")
            return
        search = ui.input(placeholder="Find a label, property or relationship").props(
            "dense outlined clearable autofocus aria-label=Find"
        )
        search.classes("w-full")
        listed = ui.column().classes("w-full gap-[2px]")

        def fill() -> None:
            listed.clear()
            with listed:
                _schema(schema, (search.value or "").strip().lower())

        search.on_value_change(fill)
        fill()

    return Panel("Graph schema", draw)


def _schema(schema: GraphSchema, wanted: str) -> None:
    triples = [
        each for each in schema.triples if wanted in f"{each.source} {each.type} {each.target}".lower()
    ]
    labels = [each for each in schema.labels if _mentions(each, wanted)]
    if not labels and not triples:
        ui.label("No match.").classes("g-muted g-small")
    for label in sorted(labels, key=lambda each: -each.count):
        with (
            ui.expansion(f"{label.name}", caption=f"{label.count:,} nodes")
            .classes("w-full g-kind")
            .props("dense")
        ):
            for each in label.properties:
                _property(each)
    if triples:
        ui.label("Relationships").classes("g-card-title q-mt-md")
    for triple in triples[:MAX_TRIPLES]:
        with ui.row().classes("w-full no-wrap items-baseline gap-2"):
            ui.label(f"{triple.source} → {triple.type} → {triple.target}").classes("g-small g-grow g-break")
            ui.label(f"{triple.count:,}").classes("g-muted g-small")


def _mentions(label: NodeLabel, wanted: str) -> bool:
    return wanted in label.name.lower() or any(wanted in each.name.lower() for each in label.properties)


def _property(found: Property) -> None:
    with ui.row().classes("w-full no-wrap items-baseline gap-2"):
        ui.label(found.name).classes("g-mono")
        ui.label(str(found.type).lower().replace("_", " ")).classes("g-muted g-small g-grow")
        if found.share < 1:
            ui.label(f"{found.share:.0%} have it").classes("g-muted g-small")


def history_panel(
    session: PageSession,
    choose: Callable[[HistoryEntry], Awaitable[None]],
    clear: Callable[[], Awaitable[None]],
) -> Panel:
    """Create the panel of earlier questions."""

    def draw() -> None:
        if not session.history:
            ui.label("No questions yet.").classes("g-muted g-small")
        for entry in session.history:
            with ui.element("button").classes("g-past").on("click", partial(choose, entry)):
                ui.label(entry.question).classes("g-grow g-break")
                if entry.answer is not None:
                    title, colour = STATUS[entry.answer.status]
                    ui.label(title).classes(f"g-tag {colour}")
        if session.history:
            ui.button("Clear history", icon="delete_outline", on_click=clear).props(
                "flat dense no-caps color=grey"
            )

    return Panel("History", draw)
