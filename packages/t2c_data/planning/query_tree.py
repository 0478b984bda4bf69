"""What a question asks, before any words: a tree of nodes with conditions, and the query that it means.

The root is what the question is about; links lead to what it is joined to. Holds no wording (see `verbalise`) and
no choice of values (see `binding`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.prompt.variable_names import SUFFIXES
from t2c_data.errors import UnfitError

if TYPE_CHECKING:
    from t2c_core.prompt.variable_names import VariableNames
    from t2c_core.schema.model import Scalar, Triple

Operator = Literal[
    "eq", "ne", "gt", "ge", "lt", "le", "between", "in", "contains", "starts", "ends", "null", "known", "true", "false",
    "has", "size_gt", "size_ge", "size_eq", "on", "before", "after", "since", "until", "during", "year", "month",
    "after_year", "before_year", "years",
]  # fmt: skip

TIMES = frozenset({"DATE", "LOCAL DATETIME", "ZONED DATETIME"})
"""Types of properties that hold a date."""
MARK_OPEN, MARK_CLOSE = "\ue000", "\ue001"
"""What stands around the number of a mention in a text until the mention is written out."""


@dataclass(frozen=True, slots=True)
class ValueMention:
    """A value that a question names."""

    number: int
    value: Scalar
    kind: str
    """string, number, date, year, month, id or part (of a string)."""

    @property
    def sentinel(self) -> str:
        """The text that stands for it."""
        return f"{MARK_OPEN}{self.number}{MARK_CLOSE}"

    @property
    def parameter(self) -> str:
        """The parameter that stands for it in a query before parameters are numbered."""
        return f"${MARK_OPEN}{self.number}{MARK_CLOSE}"


@dataclass(slots=True)
class PropertyPredicate:
    """A comparison of a property."""

    name: str
    operator: Operator
    mentions: tuple[ValueMention, ...] = ()
    type: str = "STRING"
    conjoined_value: ValueMention | None = None
    """A second value, of a twin of the node, that the wording joins with "and"."""
    literal: str = ""
    """A value that the lexicon has an adjective for, written into the query instead of a mention."""


@dataclass(slots=True)
class CountPredicate:
    """A comparison of how many there are of a link."""

    link: QueryRelationship
    operator: Literal["gt", "ge", "lt", "le", "eq"]
    mention: ValueMention


@dataclass(slots=True, eq=False)
class QueryNode:
    """A node of the pattern."""

    label: str
    conditions: list[PropertyPredicate] = field(default_factory=list)
    links: list[QueryRelationship] = field(default_factory=list)
    degrees: list[CountPredicate] = field(default_factory=list)
    is_disjunction: bool = False
    """Whether the conditions are alternatives (OR)."""


@dataclass(slots=True, eq=False)
class QueryRelationship:
    """A relationship from a node (the holder) to another."""

    triple: Triple
    forward: bool
    """Whether the holder is the source."""
    node: QueryNode
    types: tuple[str, ...] = ()
    """Alternated types; empty for the triple's own."""
    conditions: list[PropertyPredicate] = field(default_factory=list)
    is_negated: bool = False
    """Whether there must be none such."""
    is_unverbalised: bool = False
    """Whether it is there for what is returned only, so that no condition speaks of it."""


class CypherBuilder:
    """The query of a tree: variables for its nodes and links, its patterns and conditions.

    Args:
        root: the tree.
        names: variables of the schema.
    """

    def __init__(self, root: QueryNode, names: VariableNames) -> None:
        self._names = names
        self._numbers: dict[int, int] = {}
        self._variables: dict[int, str] = {}
        self._labels: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self.triples: list[str] = []
        self.conditions: list[str] = []
        self.root = root
        self._place(root)
        self._walk(root, self.triples, self.conditions)
        self.triples.sort()

    def variable(self, part: QueryNode | QueryRelationship) -> str:
        """Name the variable of a node or link."""
        return self._variables[id(part)]

    def access(self, part: QueryNode | QueryRelationship, name: str) -> str:
        """Write a property access."""
        return f"{self.variable(part)}.{format_identifier(name)}"

    def match(self, extra: tuple[str, ...] = ()) -> str:
        """Write MATCH and WHERE; conditions stand in the order of their parameters once these are numbered."""
        patterns = self.triples or [self._names.node(self.root.label)]
        text = "MATCH " + ", ".join(patterns)
        conditions = [*self.conditions, *extra]
        return text + (" WHERE \ue003" + "\ue002".join(conditions) + "\ue003" if conditions else "")

    def _place(self, node: QueryNode) -> None:
        number = self._labels.get(node.label, 0)
        if number >= len(SUFFIXES):
            raise UnfitError(f"more than {len(SUFFIXES)} nodes of one label")
        self._labels[node.label] = number + 1
        self._numbers[id(node)] = number
        self._variables[id(node)] = self._names.label_variables[node.label] + SUFFIXES[number]

    def _walk(self, node: QueryNode, triples: list[str], conditions: list[str]) -> None:
        own = [self.condition(node, each) for each in node.conditions]
        conditions += ["(" + " OR ".join(own) + ")"] if node.is_disjunction and len(own) > 1 else own
        for degree in node.degrees:
            inner = self.counted(degree.link, node)
            sign = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}[degree.operator]
            conditions.append(f"{inner} {sign} {degree.mention.parameter}")
        for link in node.links:
            if link.is_negated:
                conditions.append("NOT EXISTS { " + self._inner(link, node) + " }")
            else:
                self._join(link, node, triples, conditions)

    def counted(self, link: QueryRelationship, anchor: QueryNode) -> str:
        """Write a count of the ways to follow a link."""
        return "COUNT { " + self._inner(link, anchor) + " }"

    def exists(self, link: QueryRelationship, anchor: QueryNode) -> str:
        """Write that a link exists."""
        return "EXISTS { " + self._inner(link, anchor) + " }"

    def _inner(self, link: QueryRelationship, anchor: QueryNode) -> str:
        triples: list[str] = []
        conditions: list[str] = []
        before = dict(self._labels), dict(self._types)
        self._join(link, anchor, triples, conditions)
        self._labels, self._types = before
        inner = "MATCH " + ", ".join(sorted(triples))
        return inner + (" WHERE " + " AND ".join(conditions) if conditions else "")

    def _join(
        self, link: QueryRelationship, anchor: QueryNode, triples: list[str], conditions: list[str]
    ) -> None:
        if id(link.node) not in self._variables:
            self._place(link.node)
            fresh = True
        else:
            fresh = False
        here, there = self._numbers[id(anchor)], self._numbers[id(link.node)]
        source, target = (here, there) if link.forward else (there, here)
        kinds = link.types or (link.triple.type,)
        key = kinds[0] if len(kinds) == 1 else "|"
        number = self._types.get(key, 0)
        self._types[key] = number + 1
        if number >= len(SUFFIXES):
            raise UnfitError(f"more than {len(SUFFIXES)} relationships of one type")
        triples.append(
            self._names.triple(link.triple, source=source, target=target, number=number, types=kinds)
        )
        variable = triples[-1].split("-[", 1)[1].split(":", 1)[0]
        self._variables[id(link)] = variable
        conditions += [self.condition(link, each) for each in link.conditions]
        if fresh:
            self._walk(link.node, triples, conditions)

    def condition(self, part: QueryNode | QueryRelationship, condition: PropertyPredicate) -> str:
        """Write a condition on a node or link."""
        return _comparison(self.access(part, condition.name), condition)


_SIGNS = {
    "eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "on": "=", "before": "<", "after": ">",
    "since": ">=", "until": "<=", "contains": "CONTAINS", "starts": "STARTS WITH", "ends": "ENDS WITH",
}  # fmt: skip
_SIZES = {"size_gt": ">", "size_ge": ">=", "size_eq": "="}
_YEARS = {"year": "=", "after_year": ">", "before_year": "<"}
_ALONE = {"null": "IS NULL", "known": "IS NOT NULL", "true": "= true", "false": "= false"}


def _comparison(access: str, condition: PropertyPredicate) -> str:
    operator = condition.operator
    values = [each.parameter for each in condition.mentions]
    if condition.literal:
        return f"{access} {_SIGNS[operator]} {condition.literal}"
    if operator in _ALONE:
        return f"{access} {_ALONE[operator]}"
    if operator == "has":
        return " AND ".join(f"{value} IN {access}" for value in values)
    if operator in _SIZES:
        return f"size({access}) {_SIZES[operator]} {values[0]}"
    if operator in _YEARS or operator in {"month", "years"}:
        return _calendar(access, operator, values)
    if condition.type in TIMES:
        values = [f"date({value})" for value in values]
        access = access if condition.type == "DATE" else f"date({access})"
    return _order(access, operator, values)


def _order(side: str, operator: str, values: list[str]) -> str:
    if operator in {"between", "during"}:
        return f"{side} >= {values[0]} AND {side} <= {values[1]}"
    if operator == "in":
        return f"{side} IN [{', '.join(values)}]"
    return f"{side} {_SIGNS[operator]} {values[0]}"


def _calendar(access: str, operator: str, values: list[str]) -> str:
    if operator == "years":
        return f"{access}.year >= {values[0]} AND {access}.year <= {values[1]}"
    if operator == "month":
        return " AND ".join(
            f"{access}.{part} = {value}" for part, value in zip(("month", "year"), values, strict=False)
        )
    return f"{access}.year {_YEARS[operator]} {values[0]}"
