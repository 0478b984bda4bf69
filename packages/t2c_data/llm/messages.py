"""Chat messages from the prompt files, and the JSON schemas of the replies.

Text from the graph is data: it is written as JSON, cut short, and the prompts say that it gives no orders.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from t2c_core.prompt.chat import describe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from t2c_data.graph.context import GraphContext

PROMPTS = Path(__file__).parent / "prompts"
MAX_TEXT = 80
"""Maximum number of characters of a value."""
NODES, RELATIONSHIPS = 2, 2
"""Number of nodes per label, and of relationships per triple of the schema, that are shown."""
MAX_SCHEMA_CHARS = 12_000

_TEXT = {"type": "string"}


def _reply(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_ITEMS = {
    "categories": _reply(name=_TEXT, description=_TEXT),
    "pairs": _reply(question=_TEXT, cypher=_TEXT),
    "rewordings": _TEXT,
}
VERDICT = _reply(reason=_TEXT, fits={"type": "boolean"})
QUESTION = _reply(question=_TEXT)


def list_reply(name: str, max_items: int, *, min_items: int = 0) -> dict[str, Any]:
    """Return the schema of a reply that lists items; without a maximum a small model may never end its list."""
    items = {"type": "array", "items": _ITEMS[name], "minItems": min_items, "maxItems": max_items}
    return _reply(**{name: items})


def messages(name: str, /, **values: str | int) -> list[dict[str, str]]:
    """Return the messages of a prompt: the file up to a line `---` for the system, the rest for the user."""
    text = (PROMPTS / f"{name}.md").read_text(encoding="utf-8")
    system, _, user = text.partition("\n---\n")
    shown = {key: str(value) for key, value in values.items()}
    return [
        {"role": "system", "content": Template(system).substitute(shown).strip()},
        {"role": "user", "content": Template(user).substitute(shown).strip()},
    ]


def schema_text(graph: GraphContext) -> str:
    """Return the schema of a graph for a prompt; of a very large one the beginning, sorted by name."""
    text = describe(graph.schema)
    return text if len(text) <= MAX_SCHEMA_CHARS else text[:MAX_SCHEMA_CHARS] + "\n(more is left out)"


def sample_text(graph: GraphContext, rng: Random) -> str:
    """Return some nodes and relationships of a graph as lines of JSON."""
    lines = []
    for label in graph.labels:
        held = graph.sample.by_label[label]
        for position in rng.sample(held, min(NODES, len(held))):
            node = graph.sample.nodes[position]
            lines.append(_line({"label": label, "properties": _short(node.properties)}))
    for number, triple in enumerate(graph.schema.triples):
        starts = [
            position
            for position in graph.sample.by_label.get(triple.source, ())
            if (number, True) in graph.sample.nodes[position].relationships
        ]
        for position in rng.sample(starts, min(RELATIONSHIPS, len(starts))):
            node = graph.sample.nodes[position]
            properties, end = rng.choice(node.relationships[number, True])
            shown = {
                "source": {"label": triple.source, "properties": _short(node.properties)},
                "type": triple.type,
                "properties": _short(properties),
                "target": {"label": triple.target, "properties": _short(graph.sample.nodes[end].properties)},
            }
            lines.append(_line(shown))
    return "\n".join(lines)[:MAX_SCHEMA_CHARS]


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)


def _short(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value[:MAX_TEXT] if isinstance(value, str) else value[:3] if isinstance(value, list) else value
        for name, value in properties.items()
    }
