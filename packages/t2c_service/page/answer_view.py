"""An answer on the page: sentence, rows, chart, graph, query and trace. Values are labels, never markup."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from t2c_service.answering.explaining.verbalise_rows import format_value, render_segments
from t2c_service.page.charts import graph_chart, label_colours, label_of, name_of, row_chart
from t2c_service.page.feedback_bar import FeedbackBar
from t2c_service.page.query_editor import QueryView, occurrences
from t2c_service.page.tables import NUMBER, as_csv, as_json, table_columns, table_rows
from t2c_service.page.trace import ProgressView, confidence_tag, diagnosis_note, trace_card

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nicegui.events import EChartPointClickEventArguments

    from t2c_service.answering.records import Answer, GraphView
    from t2c_service.page.session import PageSession

STATUS = {
    "answered": ("Answered", "g-good"),
    "empty": ("Nothing found", "g-warn"),
    "ambiguous": ("Which one is meant?", "g-warn"),
    "unanswerable": ("Not in this graph", "g-warn"),
    "refused": ("Refused", "g-bad"),
    "failed": ("Failed", "g-bad"),
}
PAGE_ROWS = 10
OWN_QUERY = "Your own query"


class Span(TextElement):
    """Inline text; never markup."""

    def __init__(self, text: str, *, tag: str = "span") -> None:
        super().__init__(tag=tag, text=text)


class ResultView:
    """The area of the page that shows answers.

    Args:
        dark: Dark mode of the page.
        session: Session of the page.
        run: Runs an edited query; None if the user lacks the scope.
        choose: Takes a reading of an ambiguous question, by its number from 1.
    """

    def __init__(
        self,
        dark: ui.dark_mode,
        session: PageSession,
        run: Callable[[str], Awaitable[None]] | None,
        choose: Callable[[str, int], Awaitable[None]],
    ) -> None:
        self._choose = choose
        self._dark = dark
        self._session = session
        self.run = run

    def build(self) -> None:
        """Create the empty area."""
        self._area = ui.column().classes("w-full gap-[18px]").props("aria-live=polite")

    def hide(self) -> None:
        """Empty the area."""
        self._area.clear()

    def show_progress(self, question: str) -> ProgressView:
        """Show that a question is being answered, and return the view for its progress events."""
        self._area.clear()
        with self._area:
            return ProgressView(question)

    def show(self, answer: Answer) -> None:
        """Show an answer with its query and trace."""
        self._area.clear()
        with self._area:
            self._sentence(answer)
            if answer.rows:
                both = " g-both" if answer.graph.nodes else ""
                with ui.element("div").classes("g-two" + both):
                    self._rows(answer)
                    if answer.graph.nodes:
                        _graph(answer.graph)
            if answer.cypher and not answer.choices:
                QueryView(answer, self._dark, self.run)
            trace_card(answer)

    def _sentence(self, answer: Answer) -> None:
        title, colour = STATUS[answer.status]
        with ui.column().classes("g-card"):
            with ui.row().classes("g-said-head"):
                _question(answer)
                with ui.row().classes("gap-2 justify-end"):
                    if answer.verified_query is not None:
                        with ui.label("Verified query").classes("g-tag g-good"):
                            ui.tooltip(f"Answered by the verified query {answer.verified_query}")
                    if answer.confidence is not None and answer.status == "answered":
                        confidence_tag(answer.confidence)
                    ui.label(title).classes(f"g-tag {colour}")
            if answer.follow_up_of:
                ui.label(f"Follows up on: {answer.follow_up_of}").classes("g-muted g-small g-break").mark(
                    "follows"
                )
            with ui.element("div").classes("g-answer").mark("answer"):
                if answer.choices:
                    self._choices(answer)
                elif not answer.rows:
                    ui.label(answer.answer)
                else:
                    for segment in render_segments(answer.columns, answer.rows, truncated=answer.truncated):
                        Span(segment.text)
                        if segment.row:
                            self._citation(segment.row)
            if answer.interpretation and not answer.choices:
                ui.label(f"Understood as: {answer.interpretation}").classes("g-muted g-small g-break").mark(
                    "interpretation"
                )
            self._notes(answer)

    def _choices(self, answer: Answer) -> None:
        """Draw the readings of an ambiguous question, each to be taken by a click."""
        ui.label("This can be read in several ways:")
        with ui.column().classes("gap-2 w-full"):
            for number, choice in enumerate(answer.choices, 1):
                with (
                    ui.element("button")
                    .classes("g-example g-choice")
                    .on("click", partial(self._choose, answer.question, number))
                ):
                    ui.label(f"{number}. {choice.interpretation}").classes("g-break")

    def _notes(self, answer: Answer) -> None:
        """Draw warnings, diagnosis, the reason of a refusal and the thumbs."""
        for warning in answer.warnings:
            ui.label(warning).classes("g-note g-break")
        if answer.diagnosis is not None:
            diagnosis_note(answer.diagnosis, self.run)
        if answer.status in {"refused", "failed"}:
            ui.label(answer.attempts[-1].message).classes("g-note g-bad g-break")
        if self._session.keeps_feedback and answer.question and answer.request_id and not answer.choices:
            FeedbackBar(
                answer,
                self._session.give_feedback,
                self._session.service.describe,
                may_correct=self.run is not None,
            )

    def _citation(self, row: int) -> None:
        mark = Span(str(row), tag="button").classes("g-cite").props(f"aria-label='Row {row}'")
        mark.on("click", lambda: self._cite(row))

    def _cite(self, row: int) -> None:
        self._tabs.value = "table"
        self._table.pagination = {"rowsPerPage": PAGE_ROWS, "page": (row - 1) // PAGE_ROWS + 1}
        self._table.selected = [self._table.rows[row - 1]]
        self._table.update()

    def _rows(self, answer: Answer) -> None:
        chart = row_chart(answer)
        with ui.column().classes("g-card"):
            with ui.row().classes("g-card-head"):
                ui.label("Rows").classes("g-card-title")
                ui.label(f"{len(answer.rows)}{'+' if answer.truncated else ''}").classes("g-tag")
                self._tabs = ui.toggle({"table": "Table", "chart": "Chart"}, value="table")
                self._tabs.props("no-caps dense unelevated size=sm toggle-color=primary").classes("g-toggle")
                self._tabs.set_visibility(chart is not None)
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
                .bind_visibility_from(self._tabs, "value", value="table")
            )
            if len(answer.rows) <= PAGE_ROWS:
                self._table.props("hide-bottom")
            if chart is not None:
                options, height_px = chart
                with (
                    ui.element("div")
                    .classes("w-full")
                    .bind_visibility_from(self._tabs, "value", value="chart")
                ):
                    ui.echart(options).classes("g-bars").style(f"height: {height_px}px")


def _question(answer: Answer) -> None:
    """Draw the question with its linked values underlined."""
    position = 0
    with ui.element("div").classes("g-question"):
        if not answer.question:
            Span(OWN_QUERY)
        for value in answer.linked_values:
            Span(answer.question[position : value.start])
            with Span(answer.question[value.start : value.end]).classes("g-value").props("tabindex=0"):
                ui.tooltip(occurrences(value) or value.kind)
            position = value.end
        Span(answer.question[position:])


def _graph(view: GraphView) -> None:
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
                ui.label(f"{key}: {format_value(value, quoted=False)}").classes("g-muted g-small")

    with ui.column().classes("g-card"):
        with ui.row().classes("g-card-head"):
            ui.label("Graph").classes("g-card-title")
            ui.label(f"{len(view.nodes)} nodes, {len(view.relationships)} relationships").classes("g-tag")
            if view.sampled:
                ui.label("sample").classes("g-tag")
        ui.echart(graph_chart(view), on_point_click=pick).classes("g-chart")
        with ui.row().classes("g-legend"):
            for label, colour in label_colours(view).items():
                with ui.row().classes("items-center gap-[6px]"):
                    ui.element("span").classes("g-dot").style(f"background: {colour}")
                    ui.label(label)
            for kind in sorted({each.type for each in view.relationships}):
                ui.label(f"→ {kind}")
        detail = ui.column().classes("w-full gap-0")
