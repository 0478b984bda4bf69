"""How an answer was found: live progress, then timings, attempts and diagnosis. Values are labels, never markup."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nicegui import ui

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.answering.progress_events import ProgressEvent
    from t2c_service.answering.records import Answer, Attempt, Confidence, Diagnosis

ICONS = {
    "linked": "link",
    "prompted": "schema",
    "generated": "edit_note",
    "guarded": "verified_user",
    "attempt": "table_rows",
    "diagnosed": "troubleshoot",
}
MAX_MENTIONS = 4
STAGES = {
    "link": ("values linked", "#94a3b8"),
    "prompt": ("prompt built", "#a78bfa"),
    "wait": ("queued", "#cbd5e1"),
    "model": ("query generated", "#0f8a7e"),
    "explain": ("query validated", "#5b6ee1"),
    "run": ("query executed", "#d97706"),
    "diagnose": ("diagnosed empty result", "#c2417c"),
    "graph": ("graph drawn", "#64748b"),
}
MIN_SHOWN_MS = 0.05
LIMIT_ADDED = "repair.limit"
LOW_CONFIDENCE = 0.5
"""Confidence below which the tag of an answer is a warning."""
OUTCOMES = {"ran": "g-good", "passed": "g-good", "unanswerable": "g-warn"}


class ProgressView:
    """A card with the progress of a question.

    Args:
        question: Question shown above the steps.
    """

    def __init__(self, question: str) -> None:
        self._started = time.perf_counter()
        with ui.column().classes("g-card").mark("progress"):
            ui.label(question).classes("g-question")
            self._lines = ui.column().classes("w-full gap-[6px]")
            with ui.row().classes("items-center gap-[10px] g-muted g-small"):
                ui.spinner(size="16px", thickness=4)
                self._now = ui.label("Linking values")

    def add(self, event: ProgressEvent) -> None:
        """Show an event."""
        done, following = _describe(event.name, event.data)
        if done:
            elapsed_ms = (time.perf_counter() - self._started) * 1000
            with self._lines, ui.row().classes("g-step"):
                ui.icon(ICONS.get(event.name, "check"), size="18px").classes("g-muted")
                ui.label(done).classes("g-grow")
                ui.label(f"{elapsed_ms:.0f} ms").classes("g-muted g-small")
        if following:
            self._now.text = following


def _describe(name: str, data: dict[str, Any]) -> tuple[str, str]:  # noqa: PLR0911  (one case per event)
    """Return what was done, and what is in progress now."""
    match name:
        case "linked":
            return _linked(data.get("linked_values", [])), "Generating a query"
        case "prompted":
            return f"Prompt with {len(data['labels'])} labels and {len(data['examples'])} examples", ""
        case "generated":
            return str(data.get("cypher", "")), "Validating the query"
        case "guarded":
            return "Query is read-only", "Executing the query"
        case "attempt":
            return _attempted(data), "Composing the answer"
        case "diagnosed":
            return "Searched for the condition that matches nothing", ""
    return "", ""


def _linked(values: list[dict[str, Any]]) -> str:
    if not values:
        return "No values linked"
    mentions = [f"“{value['text']}”" + _occurrence(value) for value in values[:MAX_MENTIONS]]
    return "Linked " + ", ".join(mentions) + (" and more" if len(values) > MAX_MENTIONS else "")


def _occurrence(value: dict[str, Any]) -> str:
    occurrences = value.get("occurrences") or []
    return f" ({occurrences[0]['owner']}.{occurrences[0]['property']})" if occurrences else ""


def _attempted(data: dict[str, Any]) -> str:
    match data["outcome"]:
        case "ran":
            return f"Query executed: {_count_rows(data.get('rows') or 0)}"
        case "unanswerable":
            return "Not answerable from this graph"
        case "passed":
            return "Query approved"
    return f"{str(data['outcome']).capitalize()}: {data.get('message', '')}"


def _count_rows(rows: int) -> str:
    return f"{rows} {'row' if rows == 1 else 'rows'}"


def trace_card(answer: Answer) -> None:
    """Draw the timings of an answer and, if there was more than one, all attempts."""
    timings = answer.timings_ms
    with ui.column().classes("g-card"):
        with ui.row().classes("g-card-head"):
            ui.label("Trace").classes("g-card-title")
            ui.label(f"{timings.get('total', 0):.0f} ms").classes("g-tag")
            if answer.model:
                ui.label(answer.model).classes("g-tag")
        with ui.element("div").classes("g-steps").props("aria-hidden=true"):
            for stage, (_, colour) in STAGES.items():
                ui.element("div").style(f"flex: {max(timings.get(stage, 0), 0.01):.3f}; background: {colour}")
        with ui.row().classes("g-legend"):
            for stage, (title, colour) in STAGES.items():
                if timings.get(stage, 0) > MIN_SHOWN_MS:
                    with ui.row().classes("items-center gap-[6px]"):
                        ui.element("span").classes("g-dot").style(f"background: {colour}")
                        ui.label(f"{title} {timings[stage]:.1f} ms")
        if len(answer.attempts) > 1 or answer.attempts[-1].outcome in {"refused", "failed"}:
            for number, attempt in enumerate(answer.attempts, start=1):
                _attempt(number, attempt)
        else:
            _repairs(answer.attempts[-1])


def _attempt(number: int, attempt: Attempt) -> None:
    with ui.column().classes("g-attempt"):
        with ui.row().classes("items-center gap-2"):
            ui.label(f"Attempt {number}").classes("text-weight-medium g-small")
            ui.label(attempt.outcome).classes("g-tag " + OUTCOMES.get(attempt.outcome, "g-bad"))
            if attempt.rows is not None:
                ui.label(_count_rows(attempt.rows)).classes("g-tag")
            for code in attempt.codes:
                ui.label(code).classes("g-tag")
        if attempt.cypher:
            ui.label(attempt.cypher).classes("g-mono g-muted g-break")
        _repairs(attempt)
        if attempt.message:
            ui.label(attempt.message).classes("g-small g-muted g-break")


def _repairs(attempt: Attempt) -> None:
    """Draw the repairs of a query, except an added LIMIT."""
    repairs = [
        each.partition(": ")[2] or each for each in attempt.repairs if not each.startswith(LIMIT_ADDED)
    ]
    if repairs:
        ui.label("Repaired: " + "; ".join(repairs)).classes("g-small g-muted g-break")


def confidence_tag(found: Confidence) -> None:
    """Draw the confidence of an answer with an explanation."""
    parts = []
    if found.agreement is not None:
        parts.append(f"{found.agreement:.0%} of {found.samples} samples agree")
    if found.probability is not None:
        parts.append(f"model probability of the query {found.probability:.0%}")
    if found.differences:
        parts.append(
            f"{found.differences} difference{'s' * (found.differences > 1)} between question and query"
        )
    if found.probability is None:
        parts.append("for ranking answers; not a calibrated probability")
    else:
        parts.insert(0, "estimated probability that the answer is right")
    colour = " g-warn" if found.score < LOW_CONFIDENCE else ""
    with ui.label(f"confidence {found.score:.0%}").classes("g-tag" + colour):
        ui.tooltip("; ".join(parts))


def diagnosis_note(found: Diagnosis, run: Callable[[str], Awaitable[None]] | None) -> None:
    """Draw why there are no rows, with the queries without one condition.

    Args:
        found: Diagnosis of the empty result.
        run: Runs a query; None if the user lacks the scope.
    """
    with ui.column().classes("g-note gap-[8px]").mark("diagnosis"):
        ui.label(found.summary).classes("g-break")
        for relaxation in found.relaxations:
            if not relaxation.rows:
                continue
            with ui.row().classes("g-relaxation"):
                ui.label(relaxation.condition).classes("g-mono g-break")
                count = f"{relaxation.rows}{'+' if relaxation.more else ''}"
                without = f"{count} without it"
                if run is None:
                    ui.label(without).classes("g-small")
                else:
                    ui.button(without, icon="play_arrow", on_click=_runner(run, relaxation.cypher)).props(
                        "flat dense no-caps size=sm"
                    )


def _runner(run: Callable[[str], Awaitable[None]], cypher: str) -> Callable[[], Awaitable[None]]:
    async def run_it() -> None:
        await run(cypher)

    return run_it
