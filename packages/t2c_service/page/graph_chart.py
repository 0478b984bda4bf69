"""A graph view as ECharts options: force layout, one colour a label. Text is drawn on the canvas, never as markup."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from t2c_service.answering.explaining.verbalise_rows import find_name_property, format_value
from t2c_service.page.theme import PALETTE

if TYPE_CHECKING:
    from t2c_service.answering.records import GraphNode, GraphView

NAME_CHARS = 22
NARROW_PX = 380
NARROW_ZOOM = 0.72
"""A phone shows the same picture smaller."""
INK = "#7b8798"


def colours(view: GraphView) -> dict[str, str]:
    """Give each label that occurs a colour, the most frequent first."""
    counts: dict[str, int] = {}
    for node in view.nodes:
        counts[label_of(node)] = counts.get(label_of(node), 0) + 1
    labels = sorted(counts, key=lambda label: (-counts[label], label))
    return {label: PALETTE[position % len(PALETTE)] for position, label in enumerate(labels)}


def label_of(node: GraphNode) -> str:
    """Give the label that a node is drawn as."""
    return node.labels[0] if node.labels else "node"


def name_of(node: GraphNode) -> str:
    """Choose what a node is called."""
    name = find_name_property(node.properties)
    return label_of(node) if name is None else format_value(name, quoted=False)


def options(view: GraphView) -> dict[str, Any]:
    """Write the chart's options."""
    by_label = colours(view)
    degree: dict[str, int] = {}
    for each in view.relationships:
        for end in (each.start, each.end):
            degree[end] = degree.get(end, 0) + 1
    few = len(view.nodes) <= 30
    scale = min(
        1.0, math.sqrt(9 / max(1, len(view.nodes)))
    )  # so that any number of nodes fills the same place
    nodes = [
        {
            "id": node.id,
            "name": _short(name_of(node)),
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


def _short(text: str) -> str:
    return text if len(text) <= NAME_CHARS else text[: NAME_CHARS - 1].rstrip() + "…"
