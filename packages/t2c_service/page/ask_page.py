"""The page's frame: bar, question box, examples, and where an answer appears. One object a visitor."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from nicegui import ui

from t2c_core.errors import T2CError
from t2c_service.errors import ServiceError, UnauthenticatedError
from t2c_service.page.answer_view import OWN_QUERY, ResultView
from t2c_service.page.local_storage import SLASH, load_state, save_state
from t2c_service.page.side_panels import history_panel, schema_panel
from t2c_service.page.sign_in import sign_in_form
from t2c_service.page.theme import ACCENT, CSS, ICON
from t2c_service.problem_types import problem_type_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.answering.records import Answer
    from t2c_service.page.session import HistoryEntry, PageSession

log = logging.getLogger(__name__)

FEATURED = 6
"""Examples shown at once; all are in a menu."""
MENU = 40
READY_POLL_S = 10.0


class AskPage:
    """What one visitor sees.

    Args:
        visitor: who they are.
    """

    def __init__(self, visitor: PageSession) -> None:
        self._visitor = visitor
        self._asking = False
        self._dark = ui.dark_mode(None)
        self._result = ResultView(self._dark, self._run if visitor.has_scope("cypher") else None)
        self._shown: Answer | None = None

    async def build(self) -> None:
        """Lay the page out, then learn what the visitor's browser kept."""
        ui.colors(primary=ACCENT)
        ui.add_css(CSS)
        ui.add_head_html(SLASH)
        self._schema = schema_panel(self._visitor)
        self._history = history_panel(self._visitor, self._again, self._forget)
        self._bar()
        with ui.column().classes("g-page"):
            self._frame()
            self._error = ui.column().classes("w-full")
            self._result.build()
        ui.timer(READY_POLL_S, self._look)
        await ui.context.client.connected()
        await self._remember()
        await self._look()

    async def _remember(self) -> None:
        """Take over what the visitor's browser kept."""
        kept = await load_state()
        if kept is not None:
            self._dark.value = kept.dark
            self._visitor.recall(kept.asked)

    def _bar(self) -> None:
        with ui.row().classes("g-bar"):
            ui.html(ICON, sanitize=False).style("width: 26px; height: 26px; flex: none")
            ui.label(self._visitor.service.settings.title).classes("g-name")
            ui.space()
            self._graphs()
            with ui.row().classes("items-center gap-2 no-wrap").style("flex: none") as state:
                self._dot = ui.element("span").classes("g-state")
                self._state = ui.label("connecting").classes("g-muted g-small g-wide")
            with state:
                self._why = ui.tooltip("")
            for icon, title, action in (
                ("account_tree", "What is in the graph", self._schema.open),
                ("history", "Asked before", self._history.open),
                ("contrast", "Light or dark", self._toggle_dark),
            ):
                with ui.button(icon=icon, on_click=action).props(
                    f"flat round dense color=grey aria-label='{title}'"
                ):
                    ui.tooltip(title)

    @ui.refreshable_method
    def _graphs(self) -> None:
        """Draw the choice of graphs, where there is one."""
        graphs = self._visitor.databases if self._visitor.has_scope("query") else {}
        if len(graphs) > 1:
            ui.select(graphs, value=self._visitor.database.name, on_change=self._switch).props(
                "dense borderless options-dense aria-label=Graph"
            ).classes("g-graphs")

    @ui.refreshable_method
    def _frame(self) -> None:
        """Draw what depends on the graph and on what the visitor may do."""
        if not self._visitor.has_scope("query"):
            sign_in_form(self._enter)
            return
        self._hero()
        self._box()
        self._examples()

    def _enter(self, key: str) -> None:
        self._error.clear()
        try:
            self._visitor.sign_in(key)
        except UnauthenticatedError as error:
            self._fail(problem_type_of(error)[2], str(error), again=None)
            return
        if not self._visitor.has_scope("query"):
            self._fail("This key is not for asking", "Its scopes do not hold “query”.", again=None)
            return
        self._graphs.refresh()
        self._result.run = self._run if self._visitor.has_scope("cypher") else None
        self._frame.refresh()

    def _hero(self) -> None:
        schema = self._visitor.schema
        with ui.column().classes("g-hero w-full") as self._head:
            ui.label("Ask the graph").classes("g-title")
            if schema is not None:
                nodes = sum(label.count for label in schema.labels)
                relationships = sum(each.count for each in schema.types)
                ui.label(
                    f"{nodes:,} nodes of {len(schema.labels)} kinds and {relationships:,} relationships."
                ).classes("g-muted")
            ui.label("Asked in plain words; every answer shows the query behind it.").classes("g-muted")

    def _box(self) -> None:
        limit = self._visitor.service.settings.limits.question_chars
        with ui.row().classes("g-ask"):
            self._question = (
                ui.textarea(placeholder="What would you like to know?")
                .props(f"borderless dense autogrow autofocus rows=1 maxlength={limit}")
                .props("aria-label=Question enterkeyhint=search")
                .on("keydown.enter.exact.prevent", self._ask)
                .on("keydown.up", self._recall_last)
            )
            self._go = (
                ui.button("Ask", on_click=self._ask)
                .props("unelevated no-caps color=primary icon-right=arrow_forward aria-label=Ask")
                .classes("g-go")
            )

    def _examples(self) -> None:
        examples = self._visitor.examples
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
        if question:
            await self._work(question, lambda listener: self._visitor.ask(question, listener), self._ask)
            save_state({"asked": [each.question for each in self._visitor.history]})

    async def _run(self, cypher: str) -> None:
        parameters = self._shown.parameters if self._shown else {}
        await self._work(
            OWN_QUERY, lambda _: self._visitor.run(cypher, parameters), lambda: self._run(cypher)
        )

    async def _work(
        self, title: str, work: Callable[[Any], Awaitable[Answer]], again: Callable[[], Awaitable[None]]
    ) -> None:
        """Show an answer while and after it is made, one at a time."""
        if self._asking:
            return
        self._asking = True
        self._go.props(add="loading")
        self._make_room()
        self._error.clear()
        progress = self._result.wait(title)
        try:
            self._shown = await work(progress.note)
            self._result.show(self._shown)
        except (T2CError, ServiceError) as error:
            log.warning("page: %s", error)
            self._result.hide()
            self._fail(problem_type_of(error)[2], str(error), again=again)
            await self._look()
        except Exception as error:  # the outer edge: the visitor must not wait for ever
            log.exception("page: fault")
            self._result.hide()
            self._fail(problem_type_of(error)[2], "It has been logged.", again=again)
        finally:
            self._asking = False
            self._go.props(remove="loading")

    async def _again(self, asked: HistoryEntry) -> None:
        """Show a question of before: its answer if it is still here, else it is asked anew."""
        self._history.close()
        self._question.value = asked.question
        if asked.answer is None:
            await self._ask()
            return
        self._make_room()
        self._error.clear()
        self._shown = asked.answer
        self._result.show(asked.answer)

    async def _forget(self) -> None:
        self._visitor.history.clear()
        save_state({"asked": []})
        self._history.open()

    def _recall_last(self) -> None:
        if not self._question.value and self._visitor.history:
            self._question.value = self._visitor.history[0].question

    def _toggle_dark(self) -> None:
        self._dark.toggle()
        save_state({"dark": bool(self._dark.value)})

    def _switch(self, event: Any) -> None:
        self._visitor.choose(event.value)
        self._result.hide()
        self._frame.refresh()

    def _make_room(self) -> None:
        """Leave heading and examples away once there is something better to see."""
        self._head.set_visibility(False)
        if self._visitor.examples:
            self._offered.set_visibility(False)
            self._more.set_visibility(True)
            self._more.text = "Examples"

    def _fail(self, title: str, detail: str, *, again: Callable[[], Awaitable[None]] | None) -> None:
        with self._error, ui.column().classes("g-card").props("role=alert"):
            with ui.row().classes("g-card-head"):
                ui.icon("cloud_off", size="20px").classes("g-muted")
                ui.label(title).classes("g-card-title")
                ui.space()
                if again is not None:
                    ui.button("Try again", icon="refresh", on_click=again).props(
                        "flat dense no-caps color=primary"
                    )
            ui.label(detail).classes("g-note g-bad g-break")

    async def _look(self) -> None:
        """Show whether graph and model can be asked."""
        try:
            checks = await self._visitor.service.check()
        except asyncio.CancelledError:
            return
        failures = [check.failure for check in checks.values() if check.failure and check.required]
        self._dot.classes(replace="g-state " + ("g-bad" if failures else "g-good"))
        self._state.text = "not ready" if failures else "ready"
        self._why.text = "; ".join(failures) or "Graph and model can be asked"
