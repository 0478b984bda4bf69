"""An answer on the page: sentence, rows, graph, query and steps. Every text of the graph is a label, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from t2c_service.answering.answer import show, tell
from t2c_service.page.drawing import colours, label_of, name_of, options
from t2c_service.page.tables import NUMBER, as_csv, as_json, table_columns, table_rows

if TYPE_CHECKING:
    from nicegui.events import EChartPointClickEventArguments

    from t2c_service.answering.records import Answer, Attempt, GraphView, LinkedValue

STATUS = {
    "answered": ("Answered", "g-good"),
    "empty": ("Nothing found", "g-warn"),
    "unanswerable": ("Not in this graph", "g-warn"),
    "refused": ("Refused", "g-bad"),
    "failed": ("Failed", "g-bad"),
}
STAGES = {
    "link": ("values linked", "#94a3b8"),
    "wait": ("waited for its turn", "#cbd5e1"),
    "model": ("query written", "#0f8a7e"),
    "explain": ("query checked", "#5b6ee1"),
    "run": ("query run", "#d97706"),
    "graph": ("graph drawn", "#64748b"),
}
CODE_THEMES: dict[bool, Literal["githubDark", "githubLight"]] = {True: "githubDark", False: "githubLight"}
PAGE_ROWS = 10


class Span(TextElement):
    """Text within a line; never markup."""

    def __init__(self, text: str, *, tag: str = "span") -> None:
        super().__init__(tag=tag, text=text)


class ResultView:
    """Where answers are shown.

    Args:
        dark: the page's switch; code is coloured after it.
    """

    def __init__(self, dark: ui.dark_mode) -> None:
        self._dark = dark

    def build(self) -> None:
        """Make the empty place."""
        self._place = ui.column().classes("w-full gap-[18px]").props("aria-live=polite")

    def hide(self) -> None:
        """Show nothing."""
        self._place.clear()

    def wait(self, question: str) -> None:
        """Show that a question is being worked on."""
        self._place.clear()
        with self._place, ui.column().classes("g-card"):
            ui.label(question).classes("g-question")
            ui.skeleton(type="text").classes("w-2/3")
            ui.skeleton(type="text").classes("w-1/2")

    def show(self, answer: Answer) -> None:
        """Show an answer with everything that led to it."""
        self._place.clear()
        with self._place:
            self._said(answer)
            if answer.rows:
                both = " g-both" if answer.graph.nodes else ""
                with ui.element("div").classes("g-two" + both):
                    self._rows(answer)
                    if answer.graph.nodes:
                        self._graph(answer.graph)
            if answer.cypher and answer.status in {"answered", "empty"}:
                self._query(answer)
            self._steps(answer)

    def _said(self, answer: Answer) -> None:
        title, colour = STATUS[answer.status]
        with ui.column().classes("g-card"):
            with ui.row().classes("w-full items-start justify-between no-wrap gap-3"):
                self._question(answer)
                ui.label(title).classes(f"g-tag {colour}")
            with ui.element("div").classes("g-answer").mark("answer"):
                if not answer.rows:
                    ui.label(answer.answer)
                for piece in (
                    tell(answer.columns, answer.rows, truncated=answer.truncated) if answer.rows else ()
                ):
                    Span(piece.text)
                    if piece.row:
                        self._citation(piece.row)
            for warning in answer.warnings:
                ui.label(warning).classes("g-note")
            if answer.status in {"refused", "failed"}:
                ui.label(answer.attempts[-1].message).classes("g-note g-bad")

    def _question(self, answer: Answer) -> None:
        """Show the question with its linked values underlined."""
        position = 0
        with ui.element("div").classes("g-question"):
            for value in answer.linked_values:
                Span(answer.question[position : value.start])
                with Span(answer.question[value.start : value.end]).classes("g-value"):
                    ui.tooltip(_places(value) or value.kind)
                position = value.end
            Span(answer.question[position:])

    def _citation(self, row: int) -> None:
        mark = Span(str(row), tag="button").classes("g-cite").props(f"aria-label='Row {row}'")
        mark.on("click", lambda: self._cite(row))

    def _cite(self, row: int) -> None:
        self._table.pagination = {"rowsPerPage": PAGE_ROWS, "page": (row - 1) // PAGE_ROWS + 1}
        self._table.selected = [self._table.rows[row - 1]]
        self._table.update()

    def _rows(self, answer: Answer) -> None:
        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("Rows").classes("g-card-title")
                count = f"{len(answer.rows)}{'+' if answer.truncated else ''}"
                ui.label(count).classes("g-tag")
                ui.space()
                for kind, write in (("CSV", as_csv), ("JSON", as_json)):
                    ui.button(
                        kind,
                        icon="download",
                        on_click=lambda write=write, kind=kind: ui.download.content(
                            write(answer), f"answer.{kind.lower()}"
                        ),
                    ).props(f"flat dense no-caps size=sm color=primary aria-label='Download {kind}'")
            self._table = (
                ui.table(
                    columns=table_columns(answer),
                    rows=table_rows(answer),
                    row_key=NUMBER,
                    pagination=PAGE_ROWS,
                )
                .classes("g-table")
                .props("flat dense wrap-cells binary-state-sort :rows-per-page-options=[10,25,100]")
            )
            if len(answer.rows) <= PAGE_ROWS:
                self._table.props("hide-bottom")

    def _graph(self, view: GraphView) -> None:
        nodes = {node.id: node for node in view.nodes}

        def pick(event: EChartPointClickEventArguments) -> None:
            data: dict[str, object] = event.data if isinstance(event.data, dict) else {}
            node = nodes.get(str(data.get("id"))) if event.data_type == "node" else None
            if node is None:
                return
            detail.clear()
            with detail:
                ui.label(f"{label_of(node)}: {name_of(node)}").classes("text-weight-medium")
                for key, value in list(node.properties.items())[:12]:
                    ui.label(f"{key}: {show(value, quoted=False)}").classes("g-muted g-small")

        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("Graph").classes("g-card-title")
                ui.label(f"{len(view.nodes)} nodes, {len(view.relationships)} relationships").classes("g-tag")
                if view.sampled:
                    ui.label("a sample").classes("g-tag")
            ui.echart(options(view), on_point_click=pick).classes("g-chart")
            with ui.row().classes("g-legend"):
                for label, colour in colours(view).items():
                    with ui.row().classes("items-center gap-[6px]"):
                        ui.element("span").classes("g-dot").style(f"background: {colour}")
                        ui.label(label)
                for kind in sorted({each.type for each in view.relationships}):
                    ui.label(f"→ {kind}")
            detail = ui.column().classes("w-full gap-0")

    def _query(self, answer: Answer) -> None:
        cypher = answer.cypher or ""
        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("Query").classes("g-card-title")
                ui.label("read-only Cypher").classes("g-tag")
                ui.space()
                ui.button("Copy", icon="content_copy", on_click=lambda: ui.clipboard.write(cypher)).props(
                    "flat dense no-caps size=sm color=primary"
                )
            code = (
                ui.codemirror(cypher, language="Cypher", line_wrapping=True).classes("g-code").mark("cypher")
            )
            code.disable()
            code.theme = CODE_THEMES[bool(self._dark.value)]
            self._dark.on_value_change(lambda event: code.set_theme(CODE_THEMES[bool(event.value)]))
            linked = {value.name: value for value in answer.linked_values}
            for name, parameter in answer.parameters.items():
                with ui.row().classes("g-param"):
                    ui.label(f"${name} = {show(parameter)}").classes("g-mono")
                    if name in linked:
                        places = _places(linked[name])
                        found = f", found in {places}" if places else ""
                        ui.label(f"from “{linked[name].text}”{found}").classes("g-muted")

    def _steps(self, answer: Answer) -> None:
        timings = answer.timings_ms
        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("How it was found").classes("g-card-title")
                ui.label(f"{timings.get('total', 0):.0f} ms").classes("g-tag")
                ui.label(answer.model).classes("g-tag")
            with ui.element("div").classes("g-steps"):
                for stage, (_, colour) in STAGES.items():
                    ui.element("div").style(
                        f"flex: {max(timings.get(stage, 0), 0.01):.3f}; background: {colour}"
                    )
            with ui.row().classes("g-legend"):
                for stage, (title, colour) in STAGES.items():
                    if timings.get(stage, 0) > 0.05:
                        with ui.row().classes("items-center gap-[6px]"):
                            ui.element("span").classes("g-dot").style(f"background: {colour}")
                            ui.label(f"{title} {timings[stage]:.1f} ms")
            if len(answer.attempts) > 1 or answer.attempts[-1].outcome in {"refused", "failed"}:
                for attempt in answer.attempts:
                    self._attempt(attempt)

    def _attempt(self, attempt: Attempt) -> None:
        with ui.column().classes("g-attempt"):
            with ui.row().classes("items-center gap-2"):
                ui.label(f"Attempt {attempt.hypothesis + 1}").classes("text-weight-medium g-small")
                ui.label(attempt.outcome).classes(
                    "g-tag " + ("g-good" if attempt.outcome == "ran" else "g-bad")
                )
                for code in attempt.codes:
                    ui.label(code).classes("g-tag")
            if attempt.cypher:
                ui.label(attempt.cypher).classes("g-mono g-muted").style("overflow-wrap: anywhere")
            if attempt.message:
                ui.label(attempt.message).classes("g-small g-muted").style("overflow-wrap: anywhere")


def _places(value: LinkedValue) -> str:
    return ", ".join(f"{place.owner}.{place.property}" for place in value.places[:4])
