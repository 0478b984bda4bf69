"""Scope and data-flow analysis of a query: what each variable may hold, clause by clause.

Uses no schema; `guard.schema.check` adds the labels that the schema leaves possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import has_aggregate, walk
from t2c_core.guard.dataflow.expressions import Expressions, Scope
from t2c_core.guard.dataflow.values import (
    NON_ENTITY,
    TOP,
    AnalysisResult,
    Binding,
    Entity,
    ListOf,
    Matched,
    NodePatternRef,
    Output,
    PathOf,
    PathPatternRef,
    PropertyRead,
    RelationshipPatternRef,
    Value,
    item_of,
    join,
    list_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def analyze(query: t.Query) -> AnalysisResult:
    """Analyze a whole query."""
    analyzer = DataFlowAnalyzer()
    analyzer.query(query, {}, is_outermost=True)
    return analyzer.result


ScopeExtent = Literal["outer", "pattern", "optional"]
"""Where labels hold that a pattern adds to a bound variable: from there on, in the pattern only, or not certainly."""


class DataFlowAnalyzer(Expressions):
    """One pass over the clauses of a query."""

    def __init__(self) -> None:
        self.result = AnalysisResult()
        self._depth = 0

    def query(
        self, query: t.Query, scope: Scope, constants: Scope | None = None, *, is_outermost: bool = False
    ) -> dict[str, Value]:
        """Analyze a query and return its columns.

        Args:
            query: Syntax tree of a query or subquery.
            scope: Variables that the query may use.
            constants: Those of them that WITH does not remove.
            is_outermost: Whether its columns are the result.
        """
        columns: dict[str, Value] = {}
        for number, part in enumerate(query.parts):
            found = self._part(part, dict(scope), constants or {}, is_outermost=is_outermost)
            if number == 0:
                columns = found
            else:
                columns = {name: join(value, found.get(name, TOP)) for name, value in columns.items()}
        return columns

    def _part(
        self, part: t.SingleQuery, scope: Scope, constants: Scope, *, is_outermost: bool
    ) -> dict[str, Value]:
        for clause in part.clauses:
            if isinstance(clause, t.With):
                columns = self._project(clause, scope)
                if clause.where is not None:
                    self.value(clause.where, {**scope, **columns})
                both = {
                    name: join(constants[name], columns[name]) for name in constants.keys() & columns.keys()
                }
                scope = {**constants, **columns, **both}
            elif isinstance(clause, t.Return):
                columns = self._project(clause, scope)
                if is_outermost:
                    self._record_outputs(clause, columns)
                return columns
            else:
                self._clause(clause, scope)
        return {}

    def _clause(self, clause: t.Clause, scope: Scope) -> None:
        """Analyze a clause that adds to the scope."""
        if isinstance(clause, t.Match):
            self._match(clause, scope)
        elif isinstance(clause, t.Unwind):
            scope[clause.variable.name] = item_of(self.value(clause.expression, scope))
        elif isinstance(clause, t.CallSubquery):
            self._call(clause, scope)
        elif isinstance(clause, t.CallProcedure):
            self._procedure(clause, scope)
        elif isinstance(clause, t.OrderBySkipLimit):
            self._order_by_skip_limit(clause, scope)

    def _project(self, clause: t.With | t.Return, scope: Scope) -> dict[str, Value]:
        columns = dict(scope) if clause.star else {}
        for item in clause.items:
            columns[name_of(item)] = self.value(item.expression, scope)
        self._order_by_skip_limit(clause, {**scope, **columns})
        if clause.limit is not None or any(map(is_aggregate, clause.items)):
            self.result.steps.append("aggregate")
        return columns

    def _order_by_skip_limit(self, clause: t.OrderBySkipLimit | t.Projection, scope: Scope) -> None:
        for sort in clause.order:
            self.value(sort.expression, scope)
        for each in (clause.skip, clause.limit):
            if each is not None:
                self.value(each, scope)

    def _record_outputs(self, clause: t.Return, columns: dict[str, Value]) -> None:
        items = {name_of(each): each for each in clause.items}
        for name, value in columns.items():
            self.result.outputs.append(Output(clause, items.get(name), name, value))

    def _call(self, clause: t.CallSubquery, scope: Scope) -> None:
        if clause.star:
            imported = dict(scope)
        elif clause.imports is not None:
            imported = {each.name: self._variable(each, scope) for each in clause.imports}
        else:
            imported = dict(scope) if isinstance(clause.query.parts[0].clauses[0], t.With) else {}
        imports_by_with = clause.imports is None and not clause.star
        self._enter()
        scope.update(self.query(clause.query, imported, {} if imports_by_with else imported))
        self._leave()

    def _enter(self) -> None:
        self._depth += 1
        self.result.steps.append("enter")

    def _leave(self) -> None:
        self._depth -= 1
        self.result.steps.append("leave")

    def _procedure(self, clause: t.CallProcedure, scope: Scope) -> None:
        for each in clause.arguments or ():
            value = self.value(each, scope)
            if value is not NON_ENTITY:
                self.result.escapes.append((value, clause.position))
        for item in clause.yields or ():
            scope[item.alias.name if item.alias else item.name] = TOP
        if clause.where is not None:
            self.value(clause.where, scope)

    def _match(self, clause: t.Match, scope: Scope) -> None:
        before = {id(each) for each in bindings_in(scope)}
        groups = []
        for pattern in clause.patterns:
            self.result.paths.append(PathPatternRef(pattern, clause))
            found = self.pattern(pattern, scope, "optional" if clause.optional else "outer")
            is_bound = any(id(each) in before for each in found)
            groups.append((frozenset(each for each in found if each.entity_type == "node"), is_bound))
        groups += [(each, False) for each in equality_groups(clause.where, scope)]
        self.result.steps.append(Matched(tuple(groups), clause.position))
        if clause.where is not None:
            if not clause.optional:
                narrow_labels(clause.where, scope, self._depth)
            self.value(clause.where, scope)

    def pattern(self, pattern: t.PathPattern, scope: Scope, extent: ScopeExtent = "pattern") -> list[Binding]:
        """Bind the variables of a path pattern and return all its bindings.

        Args:
            pattern: Path pattern.
            scope: Variables by name; those of the pattern are added.
            extent: Where the labels hold that the pattern adds to a variable that is bound already.
        """
        found: list[Binding | None] = []
        wheres: list[t.Expression] = []
        for part in pattern.parts:
            if isinstance(part, t.NodePattern):
                found.append(self._node(part, scope, extent))
            elif isinstance(part, t.RelationshipPattern):
                found.append(self._relationship(part, scope))
            else:
                self._group(part, scope)
                found.append(None)
            if not isinstance(part, t.ParenthesizedPath) and part.where is not None:
                wheres.append(part.where)
        bindings = [each for each in found if each is not None]
        self._neighbours(pattern, found)
        if pattern.variable is not None:
            scope[pattern.variable.name] = _path(pattern, bindings)
        for part, binding in zip(pattern.parts, found, strict=True):
            if isinstance(part, t.NodePattern | t.RelationshipPattern):
                self._properties(part, binding, scope)
        for where in wheres:
            self.value(where, scope)
        return bindings

    def _node(self, part: t.NodePattern, scope: Scope, extent: ScopeExtent) -> Binding:
        labels = labels_of(part.labels)
        known = scope.get(part.variable.name) if part.variable else None
        old = single_node_binding(known)
        if old is not None and (labels is None or (extent == "outer" and old.subquery_depth == self._depth)):
            binding = old
            if labels is not None:
                binding.labels = labels | (binding.labels or frozenset())
        else:
            if old is not None and old.labels and labels is not None:
                labels |= old.labels
            binding = Binding("node", part.position, labels, subquery_depth=self._depth)
            if part.variable is not None and (known is None or (old is not None and extent != "optional")):
                scope[part.variable.name] = Entity("node", frozenset((binding,)))
        if part.properties is not None or part.where is not None:
            binding.is_selective = True
        self.result.nodes.append(NodePatternRef(part, binding))
        self.labels(part.labels, scope)
        return binding

    def _relationship(self, part: t.RelationshipPattern, scope: Scope) -> Binding:
        binding = Binding("relationship", part.position, labels_of(part.types))
        if part.variable is not None and part.variable.name not in scope:
            one = Entity("relationship", frozenset((binding,)))
            is_list = part.length is not None or part.quantifier is not None
            scope[part.variable.name] = ListOf(one) if is_list else one
        self.labels(part.types, scope)
        return binding

    def _properties(
        self, part: t.NodePattern | t.RelationshipPattern, binding: Binding | None, scope: Scope
    ) -> None:
        if part.properties is None or binding is None:
            return
        subject = Entity(binding.entity_type, frozenset((binding,)))
        if isinstance(part.properties, t.Parameter):
            self.result.dynamic_reads.append((subject, part.properties.position))
            return
        for entry in part.properties.entries:
            self.result.reads.append(PropertyRead(subject, entry.key, entry))
            self.value(entry.value, scope)

    def _group(self, part: t.ParenthesizedPath, scope: Scope) -> None:
        inner = dict(scope)
        self.pattern(part.pattern, inner)
        if part.where is not None:
            narrow_labels(part.where, inner, self._depth)
            self.value(part.where, inner)
        for name, value in inner.items():
            if name not in scope:
                scope[name] = ListOf(value) if part.quantifier is not None else value

    def _neighbours(self, pattern: t.PathPattern, found: list[Binding | None]) -> None:
        selector = pattern.selector.kind if pattern.selector is not None else "ALL"
        shortest = pattern.shortest is not None or selector not in ("ALL", "ANY")
        for index, part in enumerate(pattern.parts):
            binding = found[index]
            if isinstance(part, t.RelationshipPattern) and binding is not None:
                left = found[index - 1] if index else None
                right = found[index + 1] if index + 1 < len(found) else None
                self.result.relationships.append(RelationshipPatternRef(part, binding, left, right, shortest))

    def _subquery(self, node: t.SubqueryExpression, scope: Scope) -> Value:
        self._enter()
        columns = self.query(node.query, scope, scope)
        self._leave()
        if node.kind != "COLLECT":
            return NON_ENTITY
        return list_of(next(iter(columns.values()), TOP))

    def _pattern_comprehension(self, node: t.PatternComprehension, scope: Scope) -> Value:
        inner = dict(scope)
        self.result.paths.append(PathPatternRef(node.pattern, None))
        self.pattern(node.pattern, inner)
        if node.where is not None:
            self.value(node.where, inner)
        return list_of(self.value(node.result, inner))

    def _pattern_expression(self, node: t.PatternExpression, scope: Scope) -> Value:
        inner = dict(scope)
        self.result.paths.append(PathPatternRef(node.pattern, None))
        found = _path(node.pattern, self.pattern(node.pattern, inner))
        return found if node.pattern.shortest == "shortestPath" else ListOf(found)

    EVALUATORS = {  # noqa: RUF012 - a ClassVar in the base class
        **Expressions.EVALUATORS,
        t.SubqueryExpression: _subquery,
        t.PatternComprehension: _pattern_comprehension,
        t.PatternExpression: _pattern_expression,
    }


def name_of(item: t.ProjectionItem) -> str:
    """Return the name of a column; its position as text for an expression without an alias."""
    if item.alias is not None:
        return item.alias.name
    if isinstance(item.expression, t.Variable):
        return item.expression.name
    return f" {item.position}"


def _path(pattern: t.PathPattern, bindings: list[Binding]) -> PathOf:
    """Return the value of a path; its nodes are known if each part is one node or relationship."""
    is_fixed = pattern.shortest is None and not any(
        isinstance(each, t.ParenthesizedPath)
        or (isinstance(each, t.RelationshipPattern) and (each.length or each.quantifier))
        for each in pattern.parts
    )
    nodes = frozenset(each for each in bindings if each.entity_type == "node") if is_fixed else None
    arrows = frozenset(each for each in bindings if each.entity_type == "relationship")
    has_groups = any(isinstance(each, t.ParenthesizedPath) for each in pattern.parts)
    return PathOf(Entity("node", nodes), Entity("relationship", None if has_groups else arrows))


def is_aggregate(item: t.ProjectionItem) -> bool:
    """Return whether a column aggregates rows."""
    return not isinstance(item.expression, t.Variable | t.Property) and has_aggregate(item.expression)


def labels_of(node: t.LabelExpression | None) -> frozenset[str] | None:
    """Return labels of which at least one is implied by a label expression, or None if it implies none."""
    if isinstance(node, t.Label):
        return frozenset((node.name,))
    if isinstance(node, t.LabelAnd):
        known = [each for each in map(labels_of, node.operands) if each is not None]
        return frozenset[str]().union(*known) if known else None
    if isinstance(node, t.LabelOr):
        parts = [labels_of(each) for each in node.operands]
        return None if None in parts else frozenset[str]().union(*(each for each in parts if each))
    return None


def single_node_binding(value: Value | None) -> Binding | None:
    """Return the binding of a variable that holds a node, if there is exactly one."""
    if (
        isinstance(value, Entity)
        and value.entity_type == "node"
        and value.bindings
        and len(value.bindings) == 1
    ):
        return next(iter(value.bindings))
    return None


def bindings_in(scope: Scope) -> Iterator[Binding]:
    """Yield all bindings of the variables of a scope."""
    for value in scope.values():
        if isinstance(value, Entity):
            yield from value.bindings or ()


def narrow_labels(where: t.Expression, scope: Scope, subquery_depth: int) -> None:
    """Narrow the labels of the bindings of a query by the conjuncts of its WHERE condition."""
    for each in _conjuncts(where):
        if isinstance(each, t.LabelPredicate) and isinstance(each.operand, t.Variable):
            binding, labels = single_node_binding(scope.get(each.operand.name)), labels_of(each.labels)
            if binding is not None and labels is not None and binding.subquery_depth == subquery_depth:
                binding.labels = labels | (binding.labels or frozenset())
        elif isinstance(each, t.Comparison | t.BinaryPredicate):
            _mark_selective(each, scope)


def equality_groups(where: t.Expression | None, scope: Scope) -> Iterator[frozenset[Binding]]:
    """Yield the groups of nodes that an equality in a WHERE condition connects."""
    for each in _conjuncts(where) if where is not None else ():
        if isinstance(each, t.Comparison) and each.operators == ("=",):
            names = {inner.name for inner in walk(each) if isinstance(inner, t.Variable)}
            if len(names) > 1:
                yield frozenset(bindings_in({name: scope[name] for name in names if name in scope}))


def _conjuncts(where: t.Expression) -> tuple[t.Expression, ...]:
    """Return the operands of a condition's outermost AND."""
    return where.operands if isinstance(where, t.Logical) and where.operator == "AND" else (where,)


def _mark_selective(condition: t.Comparison | t.BinaryPredicate, scope: Scope) -> None:
    """Mark the nodes whose property or identity is compared with a value."""
    if isinstance(condition, t.BinaryPredicate):
        sides = [condition.left]
    else:
        sides = list(condition.operands) if condition.operators == ("=",) else []
    for index, side in enumerate(sides):
        others = (inner for other in (*sides[:index], *sides[index + 1 :]) for inner in walk(other))
        if any(isinstance(inner, t.Property) for inner in others):
            continue
        for inner in walk(side):
            if isinstance(inner, t.Variable):
                value = scope.get(inner.name)
                for binding in (value.bindings or ()) if isinstance(value, Entity) else ():
                    binding.is_selective = True
