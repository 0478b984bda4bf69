"""The logical form of a question: a tree of nodes and relationships with predicates.

The root is what the question is about; relationships lead to its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from t2c_core.schema.model import Scalar, Triple

Operator = Literal[
    "eq", "ne", "gt", "ge", "lt", "le", "between", "in", "contains", "starts", "ends", "null", "known", "true", "false",
    "has", "size_gt", "size_ge", "size_eq", "on", "before", "after", "since", "until", "during", "year", "month",
    "after_year", "before_year", "years",
]  # fmt: skip

ZERO = "0"
"""The literal of predicates such as `with no discount`."""
SENTINEL_OPEN, SENTINEL_CLOSE = "\ue000", "\ue001"
"""Delimiters of a mention's number in a text or query until the value is inserted."""


@dataclass(frozen=True, slots=True)
class ValueMention:
    """A value that a question names."""

    number: int
    value: Scalar
    kind: str
    """string, number, count, date, year, month, id or part (of a string)."""

    @property
    def sentinel(self) -> str:
        """The text that stands for the value in a question."""
        return f"{SENTINEL_OPEN}{self.number}{SENTINEL_CLOSE}"

    @property
    def parameter(self) -> str:
        """The text that stands for its parameter in a query until parameters are numbered."""
        return f"${SENTINEL_OPEN}{self.number}{SENTINEL_CLOSE}"


@dataclass(slots=True)
class PropertyPredicate:
    """A comparison of a property."""

    name: str
    operator: Operator
    mentions: tuple[ValueMention, ...] = ()
    type: str = "STRING"
    """Property type as the schema spells it."""
    missing_text: str | None = None
    """The string that stands for an absent value."""
    conjoined_value: ValueMention | None = None
    """Value of a coordinated neighbour that the question joins with "and"."""
    literal: str = ""
    """A Cypher literal in place of a mention: 0, or a value that the lexicon has an adjective for."""


@dataclass(slots=True)
class CountPredicate:
    """A comparison of the number of neighbours over a relationship."""

    rel: QueryRelationship
    operator: Literal["gt", "ge", "lt", "le", "eq"]
    mention: ValueMention


@dataclass(slots=True, eq=False)
class QueryNode:
    """A node pattern."""

    label: str
    conditions: list[PropertyPredicate] = field(default_factory=list)
    relationships: list[QueryRelationship] = field(default_factory=list)
    count_predicates: list[CountPredicate] = field(default_factory=list)
    is_disjunction: bool = False
    """Whether the conditions are joined by OR."""

    @property
    def label_or_type(self) -> str:
        """The label, under which the schema lists the properties."""
        return self.label


@dataclass(slots=True, eq=False)
class QueryRelationship:
    """A relationship pattern from an anchor node to another node."""

    triple: Triple
    forward: bool
    """Whether the anchor is the start node."""
    node: QueryNode
    types: tuple[str, ...] = ()
    """Alternative types; empty for the type of the triple alone."""
    conditions: list[PropertyPredicate] = field(default_factory=list)
    is_negated: bool = False
    """Whether the relationship must not exist."""
    is_unverbalised: bool = False
    """Whether it serves only what is returned, so that no condition mentions it."""
    closing: QueryRelationship | None = None
    """A second relationship of the anchor to the same node, verbalised with it: `a drug that they are allergic to`."""

    @property
    def label_or_type(self) -> str:
        """The type, under which the schema lists the properties."""
        return self.triple.type


@dataclass(slots=True)
class Slot:
    """Something that a question asks for."""

    part: QueryNode | QueryRelationship
    name: str = ""
    """Property; empty for the node itself."""
    path: tuple[QueryRelationship, ...] = ()
    """Relationships from the root to it; for conditional counts, the relationships counted."""
    is_already_mentioned: bool = False
    """Whether a condition mentions the part already."""
    suffix: str = ""
    """`.year` or `.month`."""
    separate_condition: PropertyPredicate | None = None
    """A condition on the relationship that the question verbalises separately."""
    values: tuple[ValueMention, ...] = ()
    """Values that are compared."""
    mention: ValueMention | None = None
    """A number that the question gives."""
    is_conditional_count: bool = False
    """Whether roots are counted by an EXISTS subquery."""
    anchor: QueryNode | None = None
    """Node whose neighbours over `path` are counted for each node by itself; None for other slots."""
    subset: QueryNode | None = None
    """The root with one further condition, whose share or number is returned; None for other slots."""
