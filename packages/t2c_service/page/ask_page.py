"""The page: bar, sign-in form or question box, examples and answer, and what the browser stores of it."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import ui

from t2c_core.errors import T2CError
from t2c_service.errors import ServiceError, problem_type_of
from t2c_service.page.answer_view import OWN_QUERY, ResultView
from t2c_service.page.side_panels import history_panel, schema_panel
from t2c_service.page.theme import ACCENT, CSS, ICON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.answering.records import Answer
    from t2c_service.answering.verified.definition import VerifiedQuery
    from t2c_service.page.session import HistoryEntry, PageSession

log = logging.getLogger(__name__)

MAX_FEATURED = 6
"""Maximum number of examples shown at once; the menu has more."""
MAX_MENU = 40
READY_POLL_S = 10.0
LOAD_TIMEOUT_S = 20.0
"""Seconds to wait for the state that the browser stores."""
_STORAGE_KEY = "graphling"
_LOAD_SCRIPT = (
    f"const stored = JSON.parse(localStorage.getItem('{_STORAGE_KEY}') || '{{}}');"
    "return {dark: stored.dark ?? matchMedia('(prefers-color-scheme: dark)').matches, asked: stored.asked ?? []}"
)
_SAVE_SCRIPT = (
    f"localStorage.setItem('{_STORAGE_KEY}', JSON.stringify({{"
    f"...JSON.parse(localStorage.getItem('{_STORAGE_KEY}') || '{{}}'), ...%s}}))"
)
SLASH_SCRIPT = """<script>document.addEventListener('keydown', event => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, textarea, [contenteditable=true]')) return;
  const box = document.querySelector('.g-ask textarea');
  if (box) { event.preventDefault(); box.focus(); }
});</script>"""
"""Script that focuses the question box on `/`."""


class AskPage:
    """The page of one browser tab.

    Args:
        session: Session of the tab.
    """

    def __init__(self, session: PageSession) -> None:
        self._session = session
        self._is_busy = False
        self._dark = ui.dark_mode(None)
        self._result = ResultView(
            self._dark, session, self._run if session.has_scope("cypher") else None, self._choose
        )
        self._shown: Answer | None = None
        self._has_examples = False

    async def build(self) -> None:
        """Build the page, then restore what the browser stores."""
        ui.colors(primary=ACCENT)
        ui.add_css(CSS)
        ui.add_head_html(SLASH_SCRIPT)
        self._schema = schema_panel(self._session)
        self._history = history_panel(self._session, self._reopen, self._clear_history)
        self._bar()
        with ui.column().classes("g-page"):
            self._frame()
            self._error = ui.column().classes("w-full")
            self._result.build()
        ui.timer(READY_POLL_S, self._show_readiness)
        await ui.context.client.connected()
        await self._restore()
        await self._show_readiness()

    async def _restore(self) -> None:
        """Restore colour mode and history from the local storage of the browser."""
        try:
            state = await ui.run_javascript(_LOAD_SCRIPT, timeout=LOAD_TIMEOUT_S)
        except TimeoutError:
            return
        if isinstance(state, dict):
            self._dark.value = bool(state.get("dark"))
            questions = state.get("asked")
            self._session.restore(questions if isinstance(questions, list) else [])

    def _bar(self) -> None:
        with ui.row().classes("g-bar"):
            ui.html(ICON, sanitize=False).style("width: 26px; height: 26px; flex: none")
            ui.label(self._session.service.settings.title).classes("g-name")
            ui.space()
            self._graphs()
            with ui.row().classes("items-center gap-2 no-wrap").style("flex: none") as state:
                self._dot = ui.element("span").classes("g-state")
                self._state = ui.label("connecting").classes("g-muted g-small g-wide")
            with state:
                self._why = ui.tooltip("")
            for icon, title, action in (
                ("account_tree", "Graph schema", self._schema.open),
                ("history", "History", self._history.open),
                ("contrast", "Light or dark", self._toggle_dark),
            ):
                with ui.button(icon=icon, on_click=action).props(
                    f"flat round dense color=grey aria-label='{title}'"
                ):
                    ui.tooltip(title)

    @ui.refreshable_method
    def _graphs(self) -> None:
        """Draw the choice of databases, if there are several."""
        graphs = self._session.databases if self._session.has_scope("query") else {}
        if len(graphs) > 1:
            ui.select(graphs, value=self._session.database.name, on_change=self._switch).props(
                "dense borderless options-dense aria-label=Graph"
            ).classes("g-graphs")

    @ui.refreshable_method
    def _frame(self) -> None:
        """Draw the sign-in form, or question box and examples."""
        if not self._session.has_scope("query"):
            self._sign_in_form()
            return
        self._hero()
        self._box()
        self._conversation()
        self._examples()

    def _sign_in_form(self) -> None:
        with ui.column().classes("g-hero w-full"):
            ui.label("Sign in").classes("g-title")
            ui.label("This service requires an API key. It is kept until this page is closed.").classes(
                "g-muted"
            )
            with ui.row().classes("g-ask"):
                key = ui.input(placeholder="gk_…", password=True)
                key.props("borderless dense aria-label=Key autofocus")
                key.on("keydown.enter", lambda: self._sign_in(key.value))
                button = ui.button("Sign in", on_click=lambda: self._sign_in(key.value))
                button.props("unelevated no-caps color=primary").classes("g-go")

    def _sign_in(self, key: str) -> None:
        self._error.clear()
        try:
            self._session.sign_in(key)
        except ServiceError as error:
            self._show_error(problem_type_of(error).title, str(error), retry=None)
            return
        if not self._session.has_scope("query"):
            self._show_error("This key lacks the `query` scope", "Sign in with another key.", retry=None)
            return
        self._graphs.refresh()
        self._result.run = self._run if self._session.has_scope("cypher") else None
        self._frame.refresh()

    def _hero(self) -> None:
        schema = self._session.schema
        with ui.column().classes("g-hero w-full") as self._head:
            ui.label("Ask the graph").classes("g-title")
            if schema is not None:
                nodes = sum(label.count for label in schema.labels)
                relationships = sum(each.count for each in schema.types)
                ui.label(
                    f"{nodes:,} nodes with {len(schema.labels)} labels and {relationships:,} relationships."
                ).classes("g-muted")
            ui.label("Ask in natural language; every answer shows its query.").classes("g-muted")

    def _box(self) -> None:
        limit = self._session.service.settings.limits.max_question_chars
        with ui.row().classes("g-ask"):
            self._question = (
                ui.textarea(placeholder="What would you like to know?")
                .props(f"borderless dense autogrow autofocus rows=1 maxlength={limit}")
                .props("aria-label=Question enterkeyhint=search")
                .on("keydown.enter.exact.prevent", self._ask)
                .on("keydown.up", self._insert_last_question)
            )
            self._go = (
                ui.button("Ask", on_click=self._ask)
                .props("unelevated no-caps color=primary icon-right=arrow_forward aria-label=Ask")
                .classes("g-go")
            )

    def _examples(self) -> None:
        examples, verified = self._session.examples, self._session.verified_queries
        self._has_examples = bool(examples or verified)
        if not self._has_examples:
            return
        shown = [each for each in examples if each.featured][:MAX_FEATURED] or list(examples[:MAX_FEATURED])
        with ui.row().classes("g-examples"):
            with ui.row().classes("g-examples") as self._offered:
                for each in shown:
                    with (
                        ui.element("button")
                        .classes("g-example")
                        .on("click", partial(self._ask_example, each.question))
                    ):
                        ui.label(each.question)
                for query in verified[:MAX_FEATURED]:
                    with (
                        ui.element("button")
                        .classes("g-example g-verified")
                        .on("click", partial(self._ask_verified, query))
                    ):
                        ui.icon("verified", size="16px")
                        ui.label(query.example() or query.questions[0])
                        ui.tooltip(f"Verified query {query.name}: {query.description}")
            with (
                ui.button("More examples", icon="expand_more").props(
                    "flat dense no-caps color=primary"
                ) as more,
                ui.menu().props("max-height=60vh"),
            ):
                for each in examples[:MAX_MENU]:
                    ui.menu_item(each.question, partial(self._ask_example, each.question))
                for query in verified[:MAX_MENU]:
                    text = query.example() or query.questions[0]
                    ui.menu_item(f"{text} (verified)", partial(self._ask_verified, query))
            more.set_visibility(len(examples) > len(shown) or len(verified) > MAX_FEATURED)
            self._more = more

    async def _ask_example(self, question: str) -> None:
        self._question.value = question
        await self._ask()

    async def _ask_verified(self, query: VerifiedQuery) -> None:
        """Ask the example of a verified query, or put its wording into the box for the values to be filled in."""
        example = query.example()
        if example is not None:
            await self._ask_example(example)
            return
        self._question.value = query.questions[0]
        self._question.run_method("focus")

    async def _ask(self) -> None:
        question = (self._question.value or "").strip()
        if question:
            await self._answer(question, lambda on_event: self._session.ask(question, on_event), self._ask)
            _save_state({"asked": [each.question for each in self._session.history]})

    async def _choose(self, question: str, number: int) -> None:
        """Take one of the readings that were offered."""
        await self._answer(
            question,
            lambda on_event: self._session.ask(question, on_event, number),
            partial(self._choose, question, number),
        )

    @ui.refreshable_method
    def _conversation(self) -> None:
        """Say what the next question may follow up on, and offer to begin anew."""
        turns = self._session.conversation
        if not turns:
            return
        with ui.row().classes("g-follow items-center no-wrap"):
            ui.icon("subdirectory_arrow_right", size="16px").classes("g-muted")
            ui.label(f"A follow-up refers to: {turns[-1].question}").classes("g-muted g-small g-break").mark(
                "context"
            )
            ui.space()
            ui.button("New conversation", on_click=self._begin_anew).props(
                "flat dense no-caps size=sm color=primary"
            ).style("flex: none")

    def _begin_anew(self) -> None:
        self._session.conversation.clear()
        self._conversation.refresh()
        self._question.value = ""
        self._question.run_method("focus")

    async def _run(self, cypher: str) -> None:
        parameters = self._shown.parameters if self._shown else {}
        await self._answer(
            OWN_QUERY, lambda _: self._session.run(cypher, parameters), partial(self._run, cypher)
        )

    async def _answer(
        self, title: str, answer: Callable[[Any], Awaitable[Answer]], retry: Callable[[], Awaitable[None]]
    ) -> None:
        """Show the progress of an answer, then the answer; one at a time."""
        if self._is_busy:
            return
        self._is_busy = True
        self._go.props(add="loading")
        self._collapse()
        self._error.clear()
        progress = self._result.show_progress(title)
        try:
            self._shown = await answer(progress.add)
            self._result.show(self._shown)
            self._conversation.refresh()
        except (T2CError, ServiceError) as error:
            log.warning("page: %s", error)
            self._result.hide()
            self._show_error(problem_type_of(error).title, self._session.service.describe(error), retry=retry)
            await self._show_readiness()
        except Exception as error:  # the outer edge: the page must not stay busy
            log.exception("page: internal server error")
            self._result.hide()
            self._show_error(problem_type_of(error).title, "The error was logged.", retry=retry)
        finally:
            self._is_busy = False
            self._go.props(remove="loading")

    async def _reopen(self, entry: HistoryEntry) -> None:
        """Show the answer of an earlier question, or ask it again."""
        self._history.close()
        self._question.value = entry.question
        if entry.answer is None:
            await self._ask()
            return
        self._collapse()
        self._error.clear()
        self._shown = entry.answer
        self._result.show(entry.answer)

    async def _clear_history(self) -> None:
        self._session.history.clear()
        _save_state({"asked": []})
        self._history.open()

    def _insert_last_question(self) -> None:
        if not self._question.value and self._session.history:
            self._question.value = self._session.history[0].question

    def _toggle_dark(self) -> None:
        self._dark.toggle()
        _save_state({"dark": bool(self._dark.value)})

    def _switch(self, event: Any) -> None:
        self._session.choose(event.value)
        self._result.hide()
        self._frame.refresh()

    def _collapse(self) -> None:
        """Hide heading and examples."""
        self._head.set_visibility(False)
        if self._has_examples:
            self._offered.set_visibility(False)
            self._more.set_visibility(True)
            self._more.text = "Examples"

    def _show_error(self, title: str, detail: str, *, retry: Callable[[], Awaitable[None]] | None) -> None:
        with self._error, ui.column().classes("g-card").props("role=alert"):
            with ui.row().classes("g-card-head"):
                ui.icon("cloud_off", size="20px").classes("g-muted")
                ui.label(title).classes("g-card-title")
                ui.space()
                if retry is not None:
                    ui.button("Try again", icon="refresh", on_click=retry).props(
                        "flat dense no-caps color=primary"
                    )
            ui.label(detail).classes("g-note g-bad g-break")

    async def _show_readiness(self) -> None:
        """Show whether graph and model are available."""
        try:
            checks = await self._session.service.check()
        except asyncio.CancelledError:
            return
        failures = [check.failure for check in checks.values() if check.failure and check.required]
        self._dot.classes(replace="g-state " + ("g-bad" if failures else "g-good"))
        self._state.text = "not ready" if failures else "ready"
        details = "; ".join(failures) if self._session.shows_internals else "Graph or model is unavailable"
        self._why.text = details if failures else "Graph and model are available"


def _save_state(state: dict[str, Any]) -> None:
    """Store a part of the state in the browser."""
    ui.run_javascript(_SAVE_SCRIPT % json.dumps(state).replace("<", "\\u003c"))
