"""The graph pattern of a query as nodes and relationships with the conditions that hold for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class NotVerbalisedError(Exception):
    """A query has a form that the read-back has no words for; its message names the form."""


@dataclass
class NodeFacts:
    """What a query says of one node variable."""

    labels: list[str] = field(default_factory=list)
    conditions: list[t.Expression] = field(default_factory=list)


@dataclass(eq=False)
class EdgeFacts:
    """What a query says of one relationship pattern."""

    source: str
    target: str
    types: tuple[str, ...]
    variable: str | None
    is_directed: bool
    hops: tuple[int | None, int | None] | None
    is_optional: bool
    conditions: list[t.Expression] = field(default_factory=list)


class GraphPattern:
    """Nodes, relationships and conditions of the MATCH clauses of one query scope.

    Args:
        outer: the pattern around a subquery, whose variables it may use.
    """

    def __init__(self, outer: GraphPattern | None = None) -> None:
        self.outer = outer
        self.nodes: dict[str, NodeFacts] = {}
        self.edges: list[EdgeFacts] = []
        self.loose: list[t.Expression] = []
        """Conditions on no variable or on several."""
        self._anonymous = 0

    def add(self, clause: t.Match) -> None:
        """Take up a MATCH clause.

        Raises:
            NotVerbalisedError: it selects paths or repeats a group.
        """
        for path in clause.patterns:
            self._add_path(path, optional=clause.optional)
        if clause.where is not None:
            self.require(clause.where)

    def require(self, condition: t.Expression) -> None:
        """Take up a condition: each conjunct goes to the one variable that it is about, if there is one."""
        for conjunct in _conjuncts(condition):
            names = set(variables_of(conjunct)) & self.visible()
            if isinstance(conjunct, t.SubqueryExpression) or (
                isinstance(conjunct, t.Not) and isinstance(conjunct.operand, t.SubqueryExpression)
            ):
                names &= set(self.nodes)
            owner = next(iter(names)) if len(names) == 1 else None
            if owner in self.nodes:
                self.nodes[owner].conditions.append(conjunct)
            elif owner is not None and (edge := self.edge(owner)) is not None:
                edge.conditions.append(conjunct)
            else:
                self.loose.append(conjunct)

    def visible(self) -> set[str]:
        """Return the variables of nodes and relationships in this scope and around it."""
        own = set(self.nodes) | {edge.variable for edge in self.edges if edge.variable}
        return own | (self.outer.visible() if self.outer is not None else set())

    def edge(self, variable: str) -> EdgeFacts | None:
        """Return the relationship of a variable."""
        found = next((edge for edge in self.edges if edge.variable == variable), None)
        return found if found is not None or self.outer is None else self.outer.edge(variable)

    def node(self, variable: str) -> NodeFacts | None:
        """Return the node of a variable, here or in the scope around."""
        found = self.nodes.get(variable)
        if found is not None and (found.labels or self.outer is None):
            return found
        return (self.outer.node(variable) if self.outer is not None else None) or found

    def edges_at(self, variable: str) -> Iterator[EdgeFacts]:
        """Yield the relationships of this scope that a node has."""
        for edge in self.edges:
            if variable in {edge.source, edge.target}:
                yield edge

    def _add_path(self, path: t.PathPattern, *, optional: bool) -> None:
        if path.selector is not None or path.shortest is not None:
            raise NotVerbalisedError("a shortest path")
        last: str | None = None
        waiting: t.RelationshipPattern | None = None
        for part in path.parts:
            if isinstance(part, t.ParenthesizedPath):
                raise NotVerbalisedError("a quantified path")
            if isinstance(part, t.RelationshipPattern):
                waiting = part
                continue
            name = self._add_node(part)
            if waiting is not None and last is not None:
                self._add_edge(waiting, last, name, optional=optional)
            last, waiting = name, None

    def _add_node(self, part: t.NodePattern) -> str:
        if part.variable is not None:
            name = part.variable.name
        else:
            self._anonymous += 1
            name = f" {id(self)} {self._anonymous}"
        facts = self.nodes.setdefault(name, NodeFacts())
        facts.labels.extend(label for label in _labels(part.labels) if label not in facts.labels)
        facts.conditions.extend(_entries(name, part.properties))
        facts.conditions.extend(_conjuncts(part.where))
        return name

    def _add_edge(self, part: t.RelationshipPattern, left: str, right: str, *, optional: bool) -> None:
        source, target = (right, left) if part.direction == "<-" else (left, right)
        variable = part.variable.name if part.variable is not None else None
        self.edges.append(
            EdgeFacts(
                source,
                target,
                tuple(_labels(part.types)),
                variable,
                part.direction != "-",
                _hops(part),
                optional,
                [*_entries(variable or " ", part.properties), *_conjuncts(part.where)],
            )
        )


def variables_of(node: t.Node) -> Iterator[str]:
    """Yield the names of all variables below a node, subqueries included."""
    from t2c_core.cypher.traversal import walk

    return (each.name for each in walk(node) if isinstance(each, t.Variable))


def _conjuncts(condition: t.Expression | None) -> Iterable[t.Expression]:
    if condition is None:
        return ()
    if isinstance(condition, t.Logical) and condition.operator == "AND":
        return [each for operand in condition.operands for each in _conjuncts(operand)]
    return (condition,)


def _entries(variable: str, properties: t.MapLiteral | t.Parameter | None) -> Iterator[t.Expression]:
    if properties is None:
        return
    if isinstance(properties, t.Parameter):
        raise NotVerbalisedError("properties given by a parameter")
    for entry in properties.entries:
        access = t.Property(t.Variable(variable), entry.key)
        yield t.Comparison((access, entry.value), ("=",))


def _labels(expression: t.LabelExpression | None) -> Iterator[str]:
    if expression is None:
        return
    if isinstance(expression, t.Label):
        yield expression.name
    elif isinstance(expression, t.LabelAnd | t.LabelOr):
        for operand in expression.operands:
            yield from _labels(operand)
    else:
        raise NotVerbalisedError("a label expression")


def _hops(part: t.RelationshipPattern) -> tuple[int | None, int | None] | None:
    bounds = part.quantifier or part.length
    if bounds is None:
        return None
    least, most = (getattr(bounds, name) for name in bounds.__dataclass_fields__ if name != "position")
    return least, most
