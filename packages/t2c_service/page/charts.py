"""Rows as a chart, where their shape suits one: a name and a figure a row. Text is drawn on the canvas only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.verbalise_rows import format_value, heading
from t2c_service.page.graph_chart import INK
from t2c_service.page.theme import ACCENT

if TYPE_CHECKING:
    from t2c_service.answering.records import Answer

MOST_BARS = 30
LABEL_CHARS = 28
BAR_PX = 30
LINE_PX = 300
GRID = {"lineStyle": {"color": INK, "opacity": 0.25}}
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d.*)?)?")


def chart(answer: Answer) -> tuple[dict[str, Any], int] | None:
    """Give a chart's options and height in pixels; none where rows are no names with one figure each."""
    columns = _name_and_figure(answer)
    if columns is None:
        return None
    name, figure = columns
    rows = answer.rows[:MOST_BARS]
    names = [_short(format_value(row[name], quoted=False)) for row in rows]
    figures = [row[figure] for row in rows]
    title = heading(answer.columns[figure])
    common: dict[str, Any] = {"animation": False, "textStyle": {"color": INK}, "tooltip": {"trigger": "axis"}}
    if len(rows) > 2 and all(_TIME.fullmatch(each) for each in names):
        return common | {
            "grid": {"left": 8, "right": 24, "top": 30, "bottom": 8, "containLabel": True},
            "xAxis": {"type": "category", "data": names, "axisLabel": {"color": INK}},
            "yAxis": {"type": "value", "name": title, "axisLabel": {"color": INK}, "splitLine": GRID},
            "series": [{"type": "line", "data": figures, "name": title, "color": ACCENT}],
        }, LINE_PX
    return common | {
        "grid": {"left": 8, "right": 56, "top": 8, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "value", "axisLabel": {"color": INK, "hideOverlap": True}, "splitLine": GRID},
        "yAxis": {
            "type": "category",
            "data": names,
            "inverse": True,
            "axisLabel": {"color": INK, "interval": 0},
            "axisTick": {"show": False},
        },
        "series": [
            {
                "type": "bar",
                "data": figures,
                "name": title,
                "color": ACCENT,
                "barMaxWidth": 18,
                "itemStyle": {"borderRadius": [0, 4, 4, 0]},
                "label": {"show": True, "position": "right", "color": INK},
            }
        ],
    }, 40 + BAR_PX * len(rows)


def _name_and_figure(answer: Answer) -> tuple[int, int] | None:
    """Find the column of names and the only one of figures."""
    if len(answer.rows) < 2:
        return None
    count = len(answer.columns)
    figures = [column for column in range(count) if all(_is_figure(row[column]) for row in answer.rows)]
    names = [
        column
        for column in range(count)
        if column not in figures
        and all(isinstance(row[column], str | dict) for row in answer.rows)
        and len({format_value(row[column]) for row in answer.rows}) == len(answer.rows)
    ]
    return (names[0], figures[0]) if names and len(figures) == 1 else None


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(text: str) -> str:
    return text if len(text) <= LABEL_CHARS else text[: LABEL_CHARS - 1].rstrip() + "…"
