"""The page's frame: bar, question box, examples, and where an answer appears. One object a visitor."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from nicegui import ui

from t2c_core.errors import T2CError
from t2c_service.api.problems import kind_of
from t2c_service.errors import ServiceError
from t2c_service.page.result import ResultView
from t2c_service.page.theme import ACCENT, CSS, ICON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.assembly import Service

log = logging.getLogger(__name__)

FEATURED = 6
"""Examples shown at once; all are in a menu."""
MENU = 40
READY_POLL_S = 10.0
PREFERS_DARK = "return matchMedia('(prefers-color-scheme: dark)').matches"


class AskPage:
    """What one visitor sees.

    Args:
        service: answers the questions.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._asking = False
        self._dark = ui.dark_mode(None)
        self._result = ResultView(self._dark)

    async def build(self) -> None:
        """Lay the page out, then learn whether the visitor prefers dark."""
        ui.colors(primary=ACCENT)
        ui.add_css(CSS)
        self._bar()
        with ui.column().classes("g-page"):
            self._hero()
            self._box()
            self._examples()
            self._error = ui.column().classes("w-full")
            self._result.build()
        ui.timer(READY_POLL_S, self._look)
        await ui.context.client.connected()
        self._dark.value = bool(await ui.run_javascript(PREFERS_DARK, timeout=5.0))
        await self._look()

    def _bar(self) -> None:
        with ui.row().classes("g-bar"):
            ui.html(ICON, sanitize=False).style("width: 26px; height: 26px; flex: none")
            ui.label(self._service.settings.title).classes("g-name")
            ui.space()
            with ui.row().classes("items-center gap-2 no-wrap").style("flex: none") as state:
                self._dot = ui.element("span").classes("g-state")
                self._state = ui.label("connecting").classes("g-muted g-small")
            with state:
                self._why = ui.tooltip("")
            ui.button(icon="contrast", on_click=self._dark.toggle).props(
                "flat round dense color=grey aria-label='Light or dark'"
            )

    def _hero(self) -> None:
        schema = self._service.schema
        nodes = sum(label.count for label in schema.labels)
        relationships = sum(each.count for each in schema.types)
        with ui.column().classes("g-hero w-full") as self._head:
            ui.label("Ask the graph").classes("g-title")
            ui.label(
                f"{nodes:,} nodes of {len(schema.labels)} kinds and {relationships:,} relationships, "
                "asked in plain words. Every answer shows the query behind it."
            ).classes("g-muted")

    def _box(self) -> None:
        limit = self._service.settings.limits.question_chars
        with ui.row().classes("g-ask"):
            self._question = (
                ui.textarea(placeholder="What would you like to know?")
                .props(f"borderless dense autogrow autofocus rows=1 maxlength={limit}")
                .props("aria-label=Question enterkeyhint=search")
                .on("keydown.enter.prevent", self._ask)
            )
            self._go = (
                ui.button("Ask", on_click=self._ask)
                .props("unelevated no-caps color=primary icon-right=arrow_forward aria-label=Ask")
                .classes("g-go")
            )

    def _examples(self) -> None:
        examples = self._service.examples
        if not examples:
            return
        shown = [each for each in examples if each.featured][:FEATURED] or list(examples[:FEATURED])
        with ui.row().classes("g-examples"):
            with ui.row().classes("g-examples") as self._offered:
                for each in shown:
                    with ui.element("button").classes("g-example").on("click", self._asker(each.question)):
                        ui.label(each.question)
            with (
                ui.button("More examples", icon="expand_more").props(
                    "flat dense no-caps color=primary"
                ) as more,
                ui.menu().props("max-height=60vh"),
            ):
                for each in examples[:MENU]:
                    ui.menu_item(each.question, self._asker(each.question))
            more.set_visibility(len(examples) > len(shown))
            self._more = more

    def _asker(self, question: str) -> Callable[[], Awaitable[None]]:
        async def ask_it() -> None:
            self._question.value = question
            await self._ask()

        return ask_it

    async def _ask(self) -> None:
        question = (self._question.value or "").strip()
        if not question or self._asking:
            return
        self._asking = True
        self._go.props(add="loading")
        self._make_room()
        self._error.clear()
        self._result.wait(question)
        try:
            self._result.show(await self._service.ask(question))
        except (T2CError, ServiceError) as error:
            log.warning("page: %s", error)
            self._result.hide()
            self._fail(kind_of(error)[2], str(error))
            await self._look()
        finally:
            self._asking = False
            self._go.props(remove="loading")

    def _make_room(self) -> None:
        """Leave heading and examples away once there is something better to see."""
        self._head.set_visibility(False)
        if self._service.examples:
            self._offered.set_visibility(False)
            self._more.set_visibility(True)
            self._more.text = "Examples"

    def _fail(self, title: str, detail: str) -> None:
        with self._error, ui.column().classes("g-card").props("role=alert"):
            with ui.row().classes("g-card-head"):
                ui.icon("cloud_off", size="20px").classes("g-muted")
                ui.label(title).classes("g-card-title")
                ui.space()
                ui.button("Try again", icon="refresh", on_click=self._ask).props(
                    "flat dense no-caps color=primary"
                )
            ui.label(detail).classes("g-note g-bad")

    async def _look(self) -> None:
        """Show whether graph and model can be asked."""
        try:
            checks = await self._service.check()
        except asyncio.CancelledError:
            return
        failures = [check.failure for check in checks.values() if check.failure]
        self._dot.classes(replace="g-state " + ("g-bad" if failures else "g-good"))
        self._state.text = "not ready" if failures else "ready"
        self._why.text = "; ".join(failures) or "Graph and model can be asked"
