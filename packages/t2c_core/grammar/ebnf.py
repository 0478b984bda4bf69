"""EBNF of xgrammar and vLLM: rules, literals, alternatives and bounded repetition.

Example: `root ::= "MATCH " node ("," node){0,7}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from t2c_core.cypher.literals import write_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.schema.model import GraphSchema, Property

MAX_ITEMS = 8
"""Maximum number of patterns of a MATCH, and of items of a RETURN."""
MAX_LITERAL_VALUES = 20
"""Maximum number of distinct values of a property that a query may be compared with literally."""
NUMBERS = frozenset({"INTEGER", "FLOAT"})
TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})
CALENDAR_PARTS = ("year", "month", "day")


def literal(text: str) -> str:
    """Return a terminal."""
    return json.dumps(text, ensure_ascii=False)


def one_of(parts: Iterable[str]) -> str:
    """Return the distinct alternatives in brackets; at least one is required."""
    return "(" + " | ".join(dict.fromkeys(parts)) + ")"


class Rules:
    """Rules of a grammar in order, without rules that have no alternatives."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._bodies

    def add(self, name: str, alternatives: Iterable[str]) -> str:
        """Add a rule and return its name; a rule without alternatives is not added, and the name is empty."""
        distinct = list(dict.fromkeys(each for each in alternatives if each))
        if not distinct:
            return ""
        self._bodies[name] = " | ".join(distinct)
        return name

    def text(self) -> str:
        """Return the grammar, which begins with the rule `root`."""
        rest = {name: body for name, body in self._bodies.items() if name != "root"}
        lines = [f"root ::= {self._bodies['root']}", *(f"{name} ::= {body}" for name, body in rest.items())]
        return "\n".join(lines) + "\n"


def sequence(*parts: str) -> str:
    """Return a sequence of parts, or an empty string if a part is empty."""
    return " ".join(parts) if all(parts) else ""


def stored_texts(schema: GraphSchema) -> list[str]:
    """Return the quoted values of properties with few distinct values."""
    return sorted({write_string(value) for each in properties_of(schema) for value in literal_values(each)})


def properties_of(schema: GraphSchema) -> Iterator[Property]:
    """Yield the properties of all labels, then of all types."""
    for label in schema.labels:
        yield from label.properties
    for kind in schema.types:
        yield from kind.properties


def literal_values(found: Property) -> tuple[str, ...]:
    """Return the frequent values of a string property with few distinct values."""
    if found.value_type != "STRING" or found.distinct > MAX_LITERAL_VALUES:
        return ()
    return tuple(each for each in found.examples if isinstance(each, str))
