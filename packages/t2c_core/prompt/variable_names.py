"""Fixed query variables: one for each label and relationship type of a schema."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from t2c_core.cypher.identifiers import format_identifier

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, Triple

SUFFIXES = ("", "2", "3")
"""Suffixes of the variables of the first, second and third node of a label."""
ANY = "any_of"
"""Variable of a relationship with alternative types."""

_KEYWORDS = frozenset(
    """
    all and any as asc ascending avg by call case coalesce collect contains count create date datetime delete desc
    descending detach distinct duration else end ends exists false finish for foreach from in insert is let limit
    load match max merge min next node nodes not null offset on optional or order path point reduce remove return
    set show single size skip starts sum then time true type union unique unwind use using when where with xor yield
    n v rows
    """.split()
)

Kind = Literal["node", "relationship"]


class LabelOrType(NamedTuple):
    """Label or relationship type of a variable."""

    name: str
    kind: Kind


class VariableNames:
    """Variables of a schema: `case_` for label Case, `has_reaction` for type HAS_REACTION.

    Args:
        schema: schema of the graph; equal schemas give equal variables.
    """

    def __init__(self, schema: GraphSchema) -> None:
        self._schema = schema
        self.label_variables: dict[str, str] = {}
        self.type_variables: dict[str, str] = {}
        taken = {ANY + suffix for suffix in SUFFIXES}
        for label in schema.labels:
            self.label_variables[label.name] = _allocate(label.name, "node", taken)
        for kind in schema.types:
            self.type_variables[kind.name] = _allocate(kind.name, "link", taken)

    @cached_property
    def by_variable(self) -> dict[str, LabelOrType]:
        """Labels and types by variable, with each suffix."""
        found = {}
        for suffix in SUFFIXES:
            for label, variable in self.label_variables.items():
                found[variable + suffix] = LabelOrType(label, "node")
            for kind, variable in self.type_variables.items():
                found[variable + suffix] = LabelOrType(kind, "relationship")
        return found

    def node(self, label: str, number: int = 0) -> str:
        """Return a node pattern such as `(case_:Case)`; `number` 0 is the first node of the label."""
        return f"({self.label_variables[label]}{SUFFIXES[number]}:{format_identifier(label)})"

    def triple(
        self,
        triple: Triple,
        *,
        source: int = 0,
        target: int = 0,
        number: int = 0,
        types: tuple[str, ...] = (),
    ) -> str:
        """Return a path pattern such as `(case_:Case)-[has_reaction:HAS_REACTION]->(reaction:Reaction)`.

        Args:
            triple: labels of both ends, and type.
            source: number of the source among the nodes of its label, from 0.
            target: number of the target among the nodes of its label, from 0.
            number: number of the relationship among those of its type, from 0.
            types: alternative types that replace the type of the triple.
        """
        kinds = types or (triple.type,)
        variable = (ANY if len(kinds) > 1 else self.type_variables[kinds[0]]) + SUFFIXES[number]
        names = "|".join(format_identifier(kind) for kind in kinds)
        return f"{self.node(triple.source, source)}-[{variable}:{names}]->{self.node(triple.target, target)}"


def _allocate(name: str, fallback: str, taken: set[str]) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    base = re.sub(r"[^0-9a-z]+", "_", words.lower()).strip("_") or fallback
    if base[0].isdigit():
        base = f"{fallback}_{base}"
    if base in _KEYWORDS:
        base += "_"
    while taken & {base + suffix for suffix in SUFFIXES} or base in _KEYWORDS:
        base += "_"
    taken.update(base + suffix for suffix in SUFFIXES)
    return base
