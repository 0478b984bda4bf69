"""What opens at the side: the shape of the graph, the questions asked before. Esc closes both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from t2c_service.page.answer_view import STATUS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property
    from t2c_service.page.session import HistoryEntry, PageSession

MOST_TRIPLES = 200


class Panel:
    """A dialog at the right that is drawn anew whenever it opens."""

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
        """Draw and show it."""
        self._content.clear()
        with self._content:
            self._draw()
        self._dialog.open()

    def close(self) -> None:
        """Hide it."""
        self._dialog.close()


def schema_panel(visitor: PageSession) -> Panel:
    """Make the panel of labels, properties and relationships."""

    def draw() -> None:
        schema = visitor.schema
        if schema is None:
            ui.label("Those who have a key for the schema see it here.").classes("g-muted g-small")
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

    return Panel("What is in the graph", draw)


def _schema(schema: GraphSchema, wanted: str) -> None:
    triples = [
        each for each in schema.triples if wanted in f"{each.source} {each.type} {each.target}".lower()
    ]
    labels = [each for each in schema.labels if _mentions(each, wanted)]
    if not labels and not triples:
        ui.label("Nothing is called so.").classes("g-muted g-small")
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
    for triple in triples[:MOST_TRIPLES]:
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
    visitor: PageSession,
    choose: Callable[[HistoryEntry], Awaitable[None]],
    forget: Callable[[], Awaitable[None]],
) -> Panel:
    """Make the panel of questions asked before."""

    def draw() -> None:
        if not visitor.history:
            ui.label("No question has been asked here yet.").classes("g-muted g-small")
        for asked in visitor.history:
            with ui.element("button").classes("g-past").on("click", _chooser(asked, choose)):
                ui.label(asked.question).classes("g-grow g-break")
                if asked.answer is not None:
                    title, colour = STATUS[asked.answer.status]
                    ui.label(title).classes(f"g-tag {colour}")
        if visitor.history:
            ui.button("Forget them", icon="delete_outline", on_click=forget).props(
                "flat dense no-caps color=grey"
            )

    return Panel("Asked before", draw)


def _chooser(
    asked: HistoryEntry, choose: Callable[[HistoryEntry], Awaitable[None]]
) -> Callable[[], Awaitable[None]]:
    async def choose_it() -> None:
        await choose(asked)

    return choose_it
