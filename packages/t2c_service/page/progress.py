"""The steps of an answer while it is made, one line each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nicegui import ui

if TYPE_CHECKING:
    from t2c_service.answering.progress_events import ProgressEvent

ICONS = {
    "linked": "link",
    "prompted": "schema",
    "generated": "edit_note",
    "guarded": "verified_user",
    "attempt": "table_rows",
    "diagnosed": "troubleshoot",
}
MENTIONS = 4


class ProgressView:
    """A card that tells what is being done.

    Args:
        question: shown above the steps.
    """

    def __init__(self, question: str) -> None:
        self._started = time.perf_counter()
        with ui.column().classes("g-card").mark("progress"):
            ui.label(question).classes("g-question")
            self._lines = ui.column().classes("w-full gap-[6px]")
            with ui.row().classes("items-center gap-[10px] g-muted g-small"):
                ui.spinner(size="16px", thickness=4)
                self._now = ui.label("Looking for values of the graph in the question")

    def note(self, step: ProgressEvent) -> None:
        """Add a step; called as soon as it is done."""
        done, following = _told(step.name, step.data)
        if done:
            elapsed_ms = (time.perf_counter() - self._started) * 1000
            with self._lines, ui.row().classes("g-step"):
                ui.icon(ICONS.get(step.name, "check"), size="18px").classes("g-muted")
                ui.label(done).classes("g-grow")
                ui.label(f"{elapsed_ms:.0f} ms").classes("g-muted g-small")
        if following:
            self._now.text = following


def _told(name: str, data: dict[str, Any]) -> tuple[str, str]:  # noqa: PLR0911  (one case a step)
    """Say what was done, and what comes next."""
    match name:
        case "linked":
            return _linked(data.get("linked_values", [])), "The model writes a query"
        case "prompted":
            return f"Chose {len(data['labels'])} kinds of node and {len(data['examples'])} examples", ""
        case "generated":
            return str(data.get("cypher", "")), "The guard reads it and the database plans it"
        case "guarded":
            return "It only reads", "The query runs"
        case "attempt":
            return _attempted(data), "Putting the answer together"
        case "diagnosed":
            return "Looked for the condition that nothing meets", ""
    return "", ""


def _linked(values: list[dict[str, Any]]) -> str:
    if not values:
        return "No value of the graph in the question"
    mentions = [f"“{value['text']}”" + _place(value) for value in values[:MENTIONS]]
    return "Found " + ", ".join(mentions) + (" and more" if len(values) > MENTIONS else "")


def _place(value: dict[str, Any]) -> str:
    places = value.get("places") or []
    return f" ({places[0]['owner']}.{places[0]['property']})" if places else ""


def _attempted(data: dict[str, Any]) -> str:
    match data["outcome"]:
        case "ran":
            rows = data.get("rows") or 0
            return f"It ran: {rows} {'row' if rows == 1 else 'rows'}"
        case "unanswerable":
            return "The model says that this graph cannot tell"
        case "passed":
            return "It may run"
    return f"{str(data['outcome']).capitalize()}: {data.get('message', '')}"
