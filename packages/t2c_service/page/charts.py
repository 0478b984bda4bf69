"""ECharts options: bars or a line for rows, and the graph behind an answer. Text is drawn, never markup."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.verbalise_rows import find_name_property, format_value, heading
from t2c_service.page.theme import ACCENT, PALETTE

if TYPE_CHECKING:
    from t2c_service.answering.records import Answer, GraphNode, GraphView

MAX_BARS = 30
BAR_LABEL_CHARS = 28
BAR_HEIGHT_PX = 30
LINE_HEIGHT_PX = 300
NODE_LABEL_CHARS = 22
NARROW_PX = 380
NARROW_ZOOM = 0.72
"""Zoom of the graph on a phone."""
INK = "#7b8798"
GRID = {"lineStyle": {"color": INK, "opacity": 0.25}}
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d.*)?)?")


def row_chart(answer: Answer) -> tuple[dict[str, Any], int] | None:
    """Return options and height in pixels of a chart; None unless each row is a name and one number."""
    columns = _name_and_number(answer)
    if columns is None:
        return None
    name, number = columns
    rows = answer.rows[:MAX_BARS]
    names = [_shorten(format_value(row[name], quoted=False), BAR_LABEL_CHARS) for row in rows]
    numbers = [row[number] for row in rows]
    title = heading(answer.columns[number])
    common: dict[str, Any] = {"animation": False, "textStyle": {"color": INK}, "tooltip": {"trigger": "axis"}}
    if len(rows) > 2 and all(_TIME.fullmatch(each) for each in names):
        return common | {
            "grid": {"left": 8, "right": 24, "top": 30, "bottom": 8, "containLabel": True},
            "xAxis": {"type": "category", "data": names, "axisLabel": {"color": INK}},
            "yAxis": {"type": "value", "name": title, "axisLabel": {"color": INK}, "splitLine": GRID},
            "series": [{"type": "line", "data": numbers, "name": title, "color": ACCENT}],
        }, LINE_HEIGHT_PX
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
                "data": numbers,
                "name": title,
                "color": ACCENT,
                "barMaxWidth": 18,
                "itemStyle": {"borderRadius": [0, 4, 4, 0]},
                "label": {"show": True, "position": "right", "color": INK},
            }
        ],
    }, 40 + BAR_HEIGHT_PX * len(rows)


def _name_and_number(answer: Answer) -> tuple[int, int] | None:
    """Return the columns of names and of numbers, if there is exactly one of numbers."""
    if len(answer.rows) < 2:
        return None
    count = len(answer.columns)
    numbers = [column for column in range(count) if all(is_number(row[column]) for row in answer.rows)]
    names = [
        column
        for column in range(count)
        if column not in numbers
        and all(isinstance(row[column], str | dict) for row in answer.rows)
        and len({format_value(row[column]) for row in answer.rows}) == len(answer.rows)
    ]
    return (names[0], numbers[0]) if names and len(numbers) == 1 else None


def is_number(value: Any) -> bool:
    """Return whether a value is a number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def label_colours(view: GraphView) -> dict[str, str]:
    """Return the colour of each label, the most frequent label first."""
    counts: dict[str, int] = {}
    for node in view.nodes:
        counts[label_of(node)] = counts.get(label_of(node), 0) + 1
    labels = sorted(counts, key=lambda label: (-counts[label], label))
    return {label: PALETTE[position % len(PALETTE)] for position, label in enumerate(labels)}


def label_of(node: GraphNode) -> str:
    """Return the label that determines the colour of a node."""
    return node.labels[0] if node.labels else "node"


def name_of(node: GraphNode) -> str:
    """Return the display name of a node."""
    name = find_name_property(node.properties)
    return label_of(node) if name is None else format_value(name, quoted=False)


def graph_chart(view: GraphView) -> dict[str, Any]:
    """Return the options of the graph drawing: force layout, one colour per label."""
    by_label = label_colours(view)
    degree: dict[str, int] = {}
    for each in view.relationships:
        for end in (each.start, each.end):
            degree[end] = degree.get(end, 0) + 1
    few = len(view.nodes) <= 30
    scale = min(1.0, math.sqrt(9 / max(1, len(view.nodes))))  # any number of nodes fills the same area
    nodes = [
        {
            "id": node.id,
            "name": _shorten(name_of(node), NODE_LABEL_CHARS),
            "symbolSize": 10 + 6 * scale + min(20, 3 * degree.get(node.id, 0)),
            "itemStyle": {"color": by_label[label_of(node)]},
            "label": {"show": few or degree.get(node.id, 0) > 2},
        }
        for node in view.nodes
    ]
    links = [
        {"source": each.start, "target": each.end, "value": each.type, "label": {"show": False}}
        for each in view.relationships
    ]
    return {
        "animation": False,
        "media": [{"query": {"maxWidth": NARROW_PX}, "option": {"series": [{"zoom": NARROW_ZOOM}]}}],
        "series": [
            {
                "type": "graph",
                "layout": "force",
                "roam": True,
                "draggable": True,
                "data": nodes,
                "links": links,
                "force": {
                    "repulsion": 420 * scale**2,
                    "edgeLength": [60 * scale, 120 * scale],
                    "gravity": 0.2,
                    "layoutAnimation": False,
                },
                "lineStyle": {"color": "#9aa6b5", "opacity": 0.55, "width": 1.3, "curveness": 0.06},
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 7,
                "label": {"position": "bottom", "distance": 3, "color": INK, "fontSize": 11},
                "edgeLabel": {"formatter": "{c}", "color": INK, "fontSize": 9},
                "labelLayout": {"hideOverlap": True},
                "emphasis": {
                    "focus": "adjacency",
                    "label": {"show": True},
                    "edgeLabel": {"show": True},
                    "lineStyle": {"width": 2.2},
                },
            }
        ],
    }


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
