"""Abstract values of expressions and the result records of the data-flow analysis.

An abstract value says whether an expression can hold nodes, relationships or paths, and which patterns bind them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from t2c_core.cypher import ast_nodes as t

EntityType = Literal["node", "relationship"]


@dataclass(eq=False, slots=True)
class Binding:
    """A node or relationship that patterns match, with or without a variable."""

    entity_type: EntityType
    position: int
    """Position of its first pattern in the query."""
    labels: frozenset[str] | None = None
    """Labels or types of which it certainly has at least one; None if nothing is known."""
    inferred: frozenset[str] | None = None
    """Labels or types that the schema leaves possible where `labels` is None."""
    is_selective: bool = False
    """Whether a property or the identity is compared with a value, so that few match."""
    subquery_depth: int = 0
    """Number of enclosing subqueries; a condition of a subquery narrows only bindings of the same depth."""
    excluded: set[str] = field(default_factory=set)
    """Labels that its first pattern must exclude to satisfy the policy."""

    @property
    def possible_labels(self) -> frozenset[str] | None:
        """Labels or types of which it has at least one; None if any is possible."""
        return self.labels if self.labels is not None else self.inferred


@dataclass(frozen=True, slots=True)
class NonEntity:
    """A value without nodes, relationships or paths."""


@dataclass(frozen=True, slots=True)
class Top:
    """Any value."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A node or relationship."""

    entity_type: EntityType
    bindings: frozenset[Binding] | None
    """It is one of these; None if no pattern binds it."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values that may contain entities."""

    item: Value


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map with at least one value that may contain entities."""

    entries: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class PathOf:
    """A path."""

    node: Entity
    relationship: Entity


Value: TypeAlias = NonEntity | Top | Entity | ListOf | MapOf | PathOf

NON_ENTITY = NonEntity()
TOP = Top()


def join(*values: Value) -> Value:
    """Return the least value that covers all given values."""
    result: Value = NON_ENTITY
    for value in values:
        result = _join_two(result, value)
    return result


def _join_two(first: Value, second: Value) -> Value:
    if second in (first, NON_ENTITY):
        return first
    if first == NON_ENTITY:
        return second
    if isinstance(first, Entity) and isinstance(second, Entity) and first.entity_type == second.entity_type:
        if first.bindings is None or second.bindings is None:
            return Entity(first.entity_type, None)
        return Entity(first.entity_type, first.bindings | second.bindings)
    if isinstance(first, ListOf) and isinstance(second, ListOf):
        return ListOf(join(first.item, second.item))
    return TOP


def item_of(value: Value) -> Value:
    """Return the items of a list, the values of a map, or any other value itself."""
    if isinstance(value, ListOf):
        return value.item
    if isinstance(value, MapOf):
        return join(*(each for _, each in value.entries))
    return value


def list_of(item: Value) -> Value:
    """Return a list of such items."""
    return NON_ENTITY if item == NON_ENTITY else ListOf(item)


def map_of(entries: tuple[tuple[str, Value], ...]) -> Value:
    """Return a map with such entries."""
    return NON_ENTITY if all(each == NON_ENTITY for _, each in entries) else MapOf(entries)


@dataclass(frozen=True, slots=True)
class PropertyRead:
    """A property is read by its name."""

    subject: Value
    key: str
    node: t.Property | t.PropertySelector | t.MapEntry | t.String
    """AST node that names the property."""
    not_labels: frozenset[str] = frozenset()
    """Labels that the subject does not have where the property is read."""


@dataclass(frozen=True, slots=True)
class NodePatternRef:
    """A node pattern and the node that it binds."""

    pattern: t.NodePattern
    binding: Binding


@dataclass(frozen=True, slots=True)
class RelationshipPatternRef:
    """A relationship pattern, the relationship that it binds and its neighbours if these are node patterns."""

    pattern: t.RelationshipPattern
    binding: Binding
    left: Binding | None
    right: Binding | None
    shortest: bool = False
    """Whether only shortest paths are matched."""

    @property
    def is_single(self) -> bool:
        """Whether the pattern matches exactly one relationship."""
        return self.pattern.length is None and self.pattern.quantifier is None

    @property
    def lengths(self) -> tuple[int, int | None]:
        """Minimum and maximum number of relationships that the pattern matches; None is unbounded."""
        if self.pattern.length is not None:
            least = self.pattern.length.least
            return 1 if least is None else least, self.pattern.length.most
        if self.pattern.quantifier is not None:
            return self.pattern.quantifier.least, self.pattern.quantifier.most
        return 1, 1


@dataclass(frozen=True, slots=True)
class PathPatternRef:
    """A path pattern of a MATCH clause, or of an expression where `match` is None."""

    pattern: t.PathPattern
    match: t.Match | None


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result; `item` is None if the column comes from `*`."""

    clause: t.Return
    item: t.ProjectionItem | None
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class AllPropertiesAccess:
    """An access to all properties: `properties(x)`, `keys(x)`, `x {.*}`."""

    node: t.FunctionInvocation | t.AllPropertiesSelector
    value: Value
    projection: t.MapProjection | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A MATCH clause: its connected groups of nodes, each with whether one of them was bound before."""

    groups: tuple[tuple[frozenset[Binding], bool], ...]
    position: int


RowStep: TypeAlias = Matched | Literal["aggregate", "enter", "leave"]


@dataclass(slots=True)
class AnalysisResult:
    """Result of the data-flow analysis of a query."""

    undefined: list[t.Variable] = field(default_factory=list)
    """Variables that are used but not defined."""
    reads: list[PropertyRead] = field(default_factory=list)
    dynamic_reads: list[tuple[Value, int]] = field(default_factory=list)
    """Subjects and positions of properties whose names are expressions."""
    nodes: list[NodePatternRef] = field(default_factory=list)
    relationships: list[RelationshipPatternRef] = field(default_factory=list)
    paths: list[PathPatternRef] = field(default_factory=list)
    label_predicates: list[tuple[t.LabelPredicate, Value]] = field(default_factory=list)
    all_properties_accesses: list[AllPropertiesAccess] = field(default_factory=list)
    escapes: list[tuple[Value, int]] = field(default_factory=list)
    """Values with entities, and positions, that are passed to functions without a known effect on entities."""
    outputs: list[Output] = field(default_factory=list)
    steps: list[RowStep] = field(default_factory=list)
    """Steps that multiply or reduce rows, in order."""
