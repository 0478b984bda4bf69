"""Feedback about an answer: thumbs, and for a wrong answer a comment and the query that would have been right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from t2c_core.errors import T2CError
from t2c_service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.answering.records import Answer
    from t2c_service.feedback.store import Verdict

    SendFeedback = Callable[[Answer, Verdict, str | None, str], Awaitable[None]]
    """Keeps a verdict on an answer, with a corrected query if there is one, and a comment."""

MAX_COMMENT_CHARS = 1000
_FLAT = "flat round dense size=sm color=grey"


class FeedbackBar:
    """A row of two thumbs, and a form that opens for a wrong answer.

    Args:
        answer: Answer that the feedback is about.
        send: Keeps the feedback.
        describe: Returns the description of an error for clients.
        may_correct: Whether the user may give a query.
    """

    def __init__(
        self,
        answer: Answer,
        send: SendFeedback,
        describe: Callable[[BaseException], str],
        *,
        may_correct: bool,
    ) -> None:
        self._answer = answer
        self._send = send
        self._describe = describe
        self._may_correct = may_correct
        with ui.column().classes("w-full gap-[8px]") as self._area, ui.row().classes("g-feedback"):
            ui.label("Is this right?").classes("g-muted g-small")
            ui.button(icon="thumb_up", on_click=self._right).props(f"{_FLAT} aria-label='Right'")
            ui.button(icon="thumb_down", on_click=self._open).props(f"{_FLAT} aria-label='Wrong'")

    async def _right(self) -> None:
        await self._keep("right", None, "")

    def _open(self) -> None:
        """Show the form for a wrong answer."""
        self._area.clear()
        with self._area, ui.column().classes("g-feedback-form"):
            ui.label("What is wrong?").classes("g-card-title")
            comment = ui.textarea(placeholder="In your words (optional)").classes("w-full")
            comment.props(f"outlined dense autogrow rows=1 maxlength={MAX_COMMENT_CHARS} aria-label=Comment")
            query = None
            if self._may_correct:
                ui.label("The right query, if you know it").classes("g-card-title")
                query = ui.textarea(value=self._answer.cypher or "")
                query.classes("w-full g-mono").props("outlined dense autogrow aria-label='Right query'")

            async def send() -> None:
                text = (query.value or "").strip() if query is not None else ""
                corrected = text if text and text != self._answer.cypher else None
                await self._keep("wrong", corrected, (comment.value or "").strip())

            with ui.row().classes("gap-2"):
                ui.button("Send", on_click=send).props("unelevated no-caps color=primary")
            self._error = ui.label("").classes("g-note g-bad g-break")
            self._error.set_visibility(False)

    async def _keep(self, verdict: Verdict, cypher: str | None, comment: str) -> None:
        try:
            await self._send(self._answer, verdict, cypher, comment)
        except (T2CError, ServiceError) as error:
            if verdict == "right":
                self._tell(f"Not kept: {self._describe(error)}")
            else:
                self._error.text = f"Not kept: {self._describe(error)}"
                self._error.set_visibility(True)
            return
        self._tell("Thank you. The correction was kept." if cypher else "Thank you.")

    def _tell(self, text: str) -> None:
        self._area.clear()
        with self._area:
            ui.label(text).classes("g-muted g-small").mark("feedback")
