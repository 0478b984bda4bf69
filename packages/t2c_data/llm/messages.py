"""Prompts as files, filled with a graph's schema and a few of its nodes; the JSON schemas of the replies.

What comes from the graph is data: it is written as JSON, cut short, and the prompts say that it holds no orders.
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
"""Characters of a value shown at most."""
NODES, EDGES = 2, 2
"""How many nodes of each label, and relationships of each kind, are shown."""
MAX_SCHEMA_CHARS = 12_000

_TEXT = {"type": "string"}


def _reply(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


LISTED = {
    "categories": _reply(name=_TEXT, description=_TEXT),
    "pairs": _reply(question=_TEXT, cypher=_TEXT),
    "rewordings": _TEXT,
}
VERDICT = _reply(reason=_TEXT, fits={"type": "boolean"})
QUESTION = _reply(question=_TEXT)


def several(name: str, count: int, *, at_least: int = 0) -> dict[str, Any]:
    """Say that a reply lists up to `count` of something; without a bound a small model may never end its list."""
    return _reply(**{name: {"type": "array", "items": LISTED[name], "minItems": at_least, "maxItems": count}})


def messages(name: str, /, **values: str | int) -> list[dict[str, str]]:
    """Fill a prompt: the file's text up to a line `---` is the system message, the rest the user's."""
    text = (PROMPTS / f"{name}.md").read_text(encoding="utf-8")
    system, _, user = text.partition("\n---\n")
    shown = {key: str(value) for key, value in values.items()}
    return [
        {"role": "system", "content": Template(system).substitute(shown).strip()},
        {"role": "user", "content": Template(user).substitute(shown).strip()},
    ]


def schema_text(world: GraphContext) -> str:
    """Write a schema for a prompt; of a very large one the beginning, which is sorted by name."""
    text = describe(world.schema)
    return text if len(text) <= MAX_SCHEMA_CHARS else text[:MAX_SCHEMA_CHARS] + "\n(more is left out)"


def sample_text(world: GraphContext, rng: Random) -> str:
    """Write some nodes and relationships of the graph as lines of JSON."""
    lines = []
    for label in world.labels:
        held = world.sample.by_label[label]
        for position in rng.sample(held, min(NODES, len(held))):
            node = world.sample.nodes[position]
            lines.append(_line({"label": label, "properties": _short(node.properties)}))
    for number, triple in enumerate(world.schema.triples):
        starts = [
            position
            for position in world.sample.by_label.get(triple.source, ())
            if (number, True) in world.sample.nodes[position].links
        ]
        for position in rng.sample(starts, min(EDGES, len(starts))):
            node = world.sample.nodes[position]
            properties, end = rng.choice(node.links[number, True])
            shown = {
                "source": {"label": triple.source, "properties": _short(node.properties)},
                "type": triple.type,
                "properties": _short(properties),
                "target": {"label": triple.target, "properties": _short(world.sample.nodes[end].properties)},
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
