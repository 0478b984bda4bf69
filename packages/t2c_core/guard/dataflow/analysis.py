"""What the guard's layers want to know of a query: who reads what, which patterns there are, what is given out.

Plain records, filled by `flow`, judged by `hiding`, `validity` and `cost`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import (
        AllPropertiesSelector,
        FunctionInvocation,
        LabelPredicate,
        MapEntry,
        MapProjection,
        Match,
        NodePattern,
        PathPattern,
        ProjectionItem,
        Property,
        PropertySelector,
        Return,
        String,
        Variable,
        YieldItem,
    )
    from t2c_core.cypher.ast_nodes import RelationshipPattern as Arrow
    from t2c_core.guard.dataflow.abstract_values import Binding, Value


@dataclass(frozen=True, slots=True)
class PropertyRead:
    """A property is read by name."""

    subject: Value
    key: str
    node: Property | PropertySelector | MapEntry | String
    """Where the name stands."""


@dataclass(frozen=True, slots=True)
class NodePatternRef:
    """A node pattern."""

    pattern: NodePattern
    binding: Binding


@dataclass(frozen=True, slots=True)
class RelationshipPatternRef:
    """A relationship pattern; its neighbours if these are plain node patterns."""

    pattern: Arrow
    binding: Binding
    left: Binding | None
    right: Binding | None
    path: PathPattern


@dataclass(frozen=True, slots=True)
class PathPatternRef:
    """A path pattern of a MATCH, or of an expression where `match` is None."""

    pattern: PathPattern
    match: Match | None


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result. `item` is None if it comes from `*`."""

    clause: Return
    item: ProjectionItem | None
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class AllPropertiesAccess:
    """Something that looks at all properties: `properties(x)`, `keys(x)`, `x {.*}`."""

    node: FunctionInvocation | AllPropertiesSelector
    value: Value
    projection: MapProjection | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """A MATCH finds these groups of nodes, each connected; `True` if one was found before."""

    groups: tuple[tuple[frozenset[Binding], bool], ...]
    position: int


Step: TypeAlias = Matched | Literal["aggregate", "enter", "leave"]


@dataclass(slots=True)
class AnalysisResult:
    """All that was found."""

    unbound: list[Variable] = field(default_factory=list)
    """Variables that nothing before them has named."""
    reads: list[PropertyRead] = field(default_factory=list)
    dynamic: list[tuple[Value, int]] = field(default_factory=list)
    """Properties by an expression for a name: of what, and where."""
    nodes: list[NodePatternRef] = field(default_factory=list)
    relationships: list[RelationshipPatternRef] = field(default_factory=list)
    paths: list[PathPatternRef] = field(default_factory=list)
    label_tests: list[tuple[LabelPredicate, Value]] = field(default_factory=list)
    all_properties_accesses: list[AllPropertiesAccess] = field(default_factory=list)
    escapes: list[tuple[Value, int]] = field(default_factory=list)
    """Elements handed to functions that are not known to take them: what, and where."""
    outputs: list[Output] = field(default_factory=list)
    yields: list[YieldItem] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    """How rows multiply, in order."""
