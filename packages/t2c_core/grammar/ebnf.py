"""EBNF as xgrammar and vLLM read it: rules by name, literals, alternatives, bounded repetition.

    root ::= "MATCH " node ("," node){0,7}

Holds no Cypher (see `atoms` and `general`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType

MAX_ITEMS = 8
"""Patterns of a MATCH, and items of a RETURN, at most."""
FEW_VALUES = 20
"""A property of no more values may be compared with one of them as it stands."""
NUMBERS = frozenset({"INTEGER", "FLOAT"})
TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})
CALENDAR_PARTS = ("year", "month", "day")


def literal(text: str) -> str:
    """Write a terminal."""
    return json.dumps(text, ensure_ascii=False)


def one_of(parts: Iterable[str]) -> str:
    """Write alternatives, each once, in brackets; at least one is needed."""
    return "(" + " | ".join(dict.fromkeys(parts)) + ")"


class Rules:
    """Rules of a grammar in order; a rule without alternatives is left out, and so is every use of it."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._bodies

    def add(self, name: str, alternatives: Iterable[str]) -> str:
        """Add a rule and give its name; nothing is added if there are no alternatives, and the name is empty."""
        distinct = list(dict.fromkeys(each for each in alternatives if each))
        if not distinct:
            return ""
        self._bodies[name] = " | ".join(distinct)
        return name

    def text(self) -> str:
        """Write the grammar; it begins with the rule `root`."""
        rest = {name: body for name, body in self._bodies.items() if name != "root"}
        lines = [f"root ::= {self._bodies['root']}", *(f"{name} ::= {body}" for name, body in rest.items())]
        return "\n".join(lines) + "\n"


def sequence(*parts: str) -> str:
    """Write parts one after the other; nothing if one of them is nothing."""
    return " ".join(parts) if all(parts) else ""


def stored_texts(schema: GraphSchema) -> list[str]:
    """List, as Cypher writes them, values of properties that have few, as adjectives name them."""
    return sorted({quoted(value) for each in properties_of(schema) for value in few_values(each)})


def properties_of(schema: GraphSchema) -> Iterator[Property]:
    """Give the properties of all labels, then of all types."""
    for label in schema.labels:
        yield from label.properties
    for kind in schema.types:
        yield from kind.properties


def few_values(held: Property) -> tuple[str, ...]:
    """Give the frequent values of a text property that has few distinct ones."""
    if held.type != "STRING" or held.distinct > FEW_VALUES:
        return ()
    return tuple(each for each in held.examples if isinstance(each, str))


def quoted(text: str) -> str:
    """Write a text as Cypher does, in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def visible(schema: GraphSchema, policy: Policy | None) -> GraphSchema:
    """Leave out of a schema what a policy hides."""
    if policy is None:
        return schema

    def properties(holder: NodeLabel | RelationshipType) -> tuple[Property, ...]:
        return tuple(each for each in holder.properties if not policy.hides(holder.name, each.name))

    return replace(
        schema,
        labels=tuple(
            replace(each, properties=properties(each))
            for each in schema.labels
            if not policy.hides(each.name)
        ),
        types=tuple(
            replace(each, properties=properties(each)) for each in schema.types if not policy.hides(each.name)
        ),
        triples=tuple(
            each
            for each in schema.triples
            if not any(policy.hides(name) for name in (each.source, each.type, each.target))
        ),
    )
