"""How an answer was found: times, attempts, and why there are no rows. Every text of the graph is a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from t2c_service.answering.records import Answer, Attempt, Confidence, Diagnosis

STAGES = {
    "link": ("values linked", "#94a3b8"),
    "prompt": ("prompt written", "#a78bfa"),
    "wait": ("waited for its turn", "#cbd5e1"),
    "model": ("query written", "#0f8a7e"),
    "explain": ("query checked", "#5b6ee1"),
    "run": ("query run", "#d97706"),
    "diagnose": ("looked why it is empty", "#c2417c"),
    "graph": ("graph drawn", "#64748b"),
}
SHOWN_MS = 0.05
ADDED_LIMIT = "repair.limit"
UNSURE = 0.5
"""Confidence below which an answer should be looked at twice."""
OUTCOMES = {"ran": "g-good", "passed": "g-good", "unanswerable": "g-warn"}


def steps(answer: Answer) -> None:
    """Draw the times of an answer and, where there was more than one attempt, all of them."""
    timings = answer.timings_ms
    with ui.column().classes("g-card"):
        with ui.row().classes("g-card-head"):
            ui.label("How it was found").classes("g-card-title")
            ui.label(f"{timings.get('total', 0):.0f} ms").classes("g-tag")
            if answer.model:
                ui.label(answer.model).classes("g-tag")
        with ui.element("div").classes("g-steps").props("aria-hidden=true"):
            for stage, (_, colour) in STAGES.items():
                ui.element("div").style(f"flex: {max(timings.get(stage, 0), 0.01):.3f}; background: {colour}")
        with ui.row().classes("g-legend"):
            for stage, (title, colour) in STAGES.items():
                if timings.get(stage, 0) > SHOWN_MS:
                    with ui.row().classes("items-center gap-[6px]"):
                        ui.element("span").classes("g-dot").style(f"background: {colour}")
                        ui.label(f"{title} {timings[stage]:.1f} ms")
        if len(answer.attempts) > 1 or answer.attempts[-1].outcome in {"refused", "failed"}:
            for number, attempt in enumerate(answer.attempts, start=1):
                _attempt(number, attempt)
        else:
            _mended(answer.attempts[-1])


def _attempt(number: int, attempt: Attempt) -> None:
    with ui.column().classes("g-attempt"):
        with ui.row().classes("items-center gap-2"):
            ui.label(f"Attempt {number}").classes("text-weight-medium g-small")
            ui.label(attempt.outcome).classes("g-tag " + OUTCOMES.get(attempt.outcome, "g-bad"))
            if attempt.rows is not None:
                ui.label(f"{attempt.rows} {'row' if attempt.rows == 1 else 'rows'}").classes("g-tag")
            for code in attempt.codes:
                ui.label(code).classes("g-tag")
        if attempt.cypher:
            ui.label(attempt.cypher).classes("g-mono g-muted g-break")
        _mended(attempt)
        if attempt.message:
            ui.label(attempt.message).classes("g-small g-muted g-break")


def _mended(attempt: Attempt) -> None:
    """Say what the guard mended; a LIMIT that it added to a query without one is nothing to tell."""
    told = [each.partition(": ")[2] or each for each in attempt.repairs if not each.startswith(ADDED_LIMIT)]
    if told:
        ui.label("Mended: " + "; ".join(told)).classes("g-small g-muted g-break")


def confidence(found: Confidence) -> None:
    """Draw how much speaks for an answer, as a tag that explains itself."""
    parts = []
    if found.agreement is not None:
        parts.append(f"{found.agreement:.0%} of {found.samples} samples agree")
    if found.probability is not None:
        parts.append(f"the model gives its query {found.probability:.0%}")
    unsure = " g-warn" if found.score < UNSURE else ""
    with ui.label(f"confidence {found.score:.0%}").classes("g-tag" + unsure):
        ui.tooltip("; ".join([*parts, "to compare answers by, no probability of being right"]))


def diagnosis(found: Diagnosis, run: Callable[[str], Awaitable[None]] | None) -> None:
    """Draw why there are no rows; a query without one condition can be run where the visitor may."""
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
