"""Follows what the variables of a query hold, clause by clause, and notes what the guard's layers want to know.

Judges nothing. Knows no schema: what labels a node can have by the schema is `validity`'s to add.
"""

from __future__ import annotations

from typing import Literal

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.abstract_values import (
    PLAIN,
    UNKNOWN,
    Binding,
    Element,
    ListOf,
    PathOf,
    Value,
    item_of,
    join,
    list_of,
)
from t2c_core.guard.dataflow.analysis import (
    AnalysisResult,
    Matched,
    NodePatternRef,
    Output,
    PathPatternRef,
    PropertyRead,
    RelationshipPatternRef,
)
from t2c_core.guard.dataflow.expressions import Expressions, Scope
from t2c_core.guard.dataflow.predicates import (
    bindings_in,
    equality_groups,
    labels_of,
    narrow_labels,
    single_node_binding,
)

AGGREGATES = frozenset("count sum avg min max collect stdev stdevp percentilecont percentiledisc".split())


def analyze(query: t.Query) -> AnalysisResult:
    """Follow a whole query."""
    flow = DataFlowAnalyzer()
    flow.query(query, {}, outermost=True)
    return flow.facts


ScopeExtent = Literal["onwards", "within", "maybe"]


class DataFlowAnalyzer(Expressions):
    """One pass over a query."""

    def __init__(self) -> None:
        self.facts = AnalysisResult()
        self._level = 0

    def query(self, query: t.Query, scope: Scope, *, outermost: bool = False) -> dict[str, Value]:
        """Follow a query in a scope that it may see; gives its columns."""
        columns: dict[str, Value] = {}
        for number, part in enumerate(query.parts):
            found = self._part(part, dict(scope), outermost=outermost)
            if number == 0:
                columns = found
            else:
                columns = {name: join(value, found.get(name, UNKNOWN)) for name, value in columns.items()}
        return columns

    def _part(self, part: t.SingleQuery, scope: Scope, *, outermost: bool) -> dict[str, Value]:
        for clause in part.clauses:
            if isinstance(clause, t.With):
                columns = self._project(clause, scope)
                if clause.where is not None:
                    self.value(clause.where, {**scope, **columns})
                scope = columns
            elif isinstance(clause, t.Return):
                columns = self._project(clause, scope)
                if outermost:
                    self._give_out(clause, columns)
                return columns
            else:
                self._clause(clause, scope)
        return {}

    def _clause(self, clause: t.Clause, scope: Scope) -> None:
        """Follow a clause that adds to the scope."""
        if isinstance(clause, t.Match):
            self._match(clause, scope)
        elif isinstance(clause, t.Unwind):
            scope[clause.variable.name] = item_of(self.value(clause.expression, scope))
        elif isinstance(clause, t.CallSubquery):
            self._call(clause, scope)
        elif isinstance(clause, t.CallProcedure):
            self._procedure(clause, scope)
        elif isinstance(clause, t.OrderBySkipLimit):
            self._page(clause, scope)

    def _project(self, clause: t.With | t.Return, scope: Scope) -> dict[str, Value]:
        columns = dict(scope) if clause.star else {}
        for item in clause.items:
            columns[name_of(item)] = self.value(item.expression, scope)
        self._page(clause, {**scope, **columns})
        if clause.limit is not None or any(map(is_aggregate, clause.items)):
            self.facts.steps.append("aggregate")
        return columns

    def _page(self, clause: t.OrderBySkipLimit | t.Projection, scope: Scope) -> None:
        for sort in clause.order:
            self.value(sort.expression, scope)
        for each in (clause.skip, clause.limit):
            if each is not None:
                self.value(each, scope)

    def _give_out(self, clause: t.Return, columns: dict[str, Value]) -> None:
        items = {name_of(each): each for each in clause.items}
        for name, value in columns.items():
            self.facts.outputs.append(Output(clause, items.get(name), name, value))

    def _call(self, clause: t.CallSubquery, scope: Scope) -> None:
        if clause.star:
            seen = dict(scope)
        elif clause.imports is not None:
            seen = {each.name: self._variable(each, scope) for each in clause.imports}
        else:
            seen = dict(scope) if isinstance(clause.query.parts[0].clauses[0], t.With) else {}
        self._enter()
        scope.update(self.query(clause.query, seen))
        self._leave()

    def _enter(self) -> None:
        self._level += 1
        self.facts.steps.append("enter")

    def _leave(self) -> None:
        self._level -= 1
        self.facts.steps.append("leave")

    def _procedure(self, clause: t.CallProcedure, scope: Scope) -> None:
        for each in clause.arguments or ():
            value = self.value(each, scope)
            if value is not PLAIN:
                self.facts.escapes.append((value, clause.position))
        for item in clause.yields or ():
            scope[item.alias.name if item.alias else item.name] = UNKNOWN
        if clause.where is not None:
            self.value(clause.where, scope)

    def _match(self, clause: t.Match, scope: Scope) -> None:
        before = {id(each) for each in bindings_in(scope)}
        groups = []
        for pattern in clause.patterns:
            self.facts.paths.append(PathPatternRef(pattern, clause))
            found = self.pattern(pattern, scope, holds="maybe" if clause.optional else "onwards")
            is_bound = any(id(each) in before for each in found)
            groups.append((frozenset(each for each in found if each.kind == "node"), is_bound))
        groups += [(each, False) for each in equality_groups(clause.where, scope)]
        self.facts.steps.append(Matched(tuple(groups), clause.position))
        if clause.where is not None:
            if not clause.optional:
                narrow_labels(clause.where, scope, self._level)
            self.value(clause.where, scope)

    def pattern(self, pattern: t.PathPattern, scope: Scope, holds: ScopeExtent = "within") -> list[Binding]:
        """Bind the variables of a path pattern in a scope; gives all its bindings.

        Args:
            pattern: the pattern.
            scope: what is known; what the pattern binds is added.
            holds: whether what it says of a variable that is bound already is so from here on, only where this
                scope is seen, or not for sure.
        """
        before = dict(scope)
        found: list[Binding | None] = []
        wheres: list[t.Expression] = []
        for part in pattern.parts:
            if isinstance(part, t.NodePattern):
                found.append(self._node(part, scope, holds))
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
                self._properties(part, binding, {**before, **scope})
        for where in wheres:
            self.value(where, scope)
        return bindings

    def _node(self, part: t.NodePattern, scope: Scope, holds: ScopeExtent) -> Binding:
        labels = labels_of(part.labels)
        known = scope.get(part.variable.name) if part.variable else None
        old = single_node_binding(known)
        if old is not None and (labels is None or (holds == "onwards" and old.subquery_depth == self._level)):
            binding = old
            if labels is not None:
                binding.labels = labels | (binding.labels or frozenset())
        else:
            if old is not None and old.labels and labels is not None:
                labels |= old.labels
            binding = Binding("node", part.position, labels, subquery_depth=self._level)
            if part.variable is not None and (known is None or (old is not None and holds != "maybe")):
                scope[part.variable.name] = Element("node", frozenset((binding,)))
        if part.properties is not None or part.where is not None:
            binding.is_selective = True
        self.facts.nodes.append(NodePatternRef(part, binding))
        self.labels(part.labels, scope)
        return binding

    def _relationship(self, part: t.RelationshipPattern, scope: Scope) -> Binding:
        binding = Binding("relationship", part.position, labels_of(part.types))
        if part.variable is not None and part.variable.name not in scope:
            one = Element("relationship", frozenset((binding,)))
            is_list = part.length is not None or part.quantifier is not None
            scope[part.variable.name] = ListOf(one) if is_list else one
        self.labels(part.types, scope)
        return binding

    def _properties(
        self, part: t.NodePattern | t.RelationshipPattern, binding: Binding | None, scope: Scope
    ) -> None:
        if part.properties is None or binding is None:
            return
        subject = Element(binding.kind, frozenset((binding,)))
        if isinstance(part.properties, t.Parameter):
            self.facts.dynamic.append((subject, part.properties.position))
            return
        for entry in part.properties.entries:
            self.facts.reads.append(PropertyRead(subject, entry.key, entry))
            self.value(entry.value, scope)

    def _group(self, part: t.ParenthesizedPath, scope: Scope) -> None:
        inner = dict(scope)
        self.pattern(part.pattern, inner)
        if part.where is not None:
            narrow_labels(part.where, inner, self._level)
            self.value(part.where, inner)
        for name, value in inner.items():
            if name not in scope:
                scope[name] = ListOf(value) if part.quantifier is not None else value

    def _neighbours(self, pattern: t.PathPattern, found: list[Binding | None]) -> None:
        for place, part in enumerate(pattern.parts):
            binding = found[place]
            if isinstance(part, t.RelationshipPattern) and binding is not None:
                left = found[place - 1] if place else None
                right = found[place + 1] if place + 1 < len(found) else None
                self.facts.relationships.append(RelationshipPatternRef(part, binding, left, right, pattern))

    def _subquery(self, node: t.SubqueryExpression, scope: Scope) -> Value:
        self._enter()
        columns = self.query(node.query, scope)
        self._leave()
        if node.kind != "COLLECT":
            return PLAIN
        return list_of(next(iter(columns.values()), UNKNOWN))

    def _pattern_comprehension(self, node: t.PatternComprehension, scope: Scope) -> Value:
        inner = dict(scope)
        self.facts.paths.append(PathPatternRef(node.pattern, None))
        self.pattern(node.pattern, inner)
        if node.where is not None:
            self.value(node.where, inner)
        return list_of(self.value(node.result, inner))

    def _pattern_expression(self, node: t.PatternExpression, scope: Scope) -> Value:
        inner = dict(scope)
        self.facts.paths.append(PathPatternRef(node.pattern, None))
        found = _path(node.pattern, self.pattern(node.pattern, inner))
        return found if node.pattern.shortest == "shortestPath" else ListOf(found)

    KNOWN = {  # noqa: RUF012 - as in the class above
        **Expressions.KNOWN,
        t.SubqueryExpression: _subquery,
        t.PatternComprehension: _pattern_comprehension,
        t.PatternExpression: _pattern_expression,
    }


def name_of(item: t.ProjectionItem) -> str:
    """Give the name of a column, or for an expression without one its place as text."""
    if item.alias is not None:
        return item.alias.name
    if isinstance(item.expression, t.Variable):
        return item.expression.name
    return f" {item.position}"


def _path(pattern: t.PathPattern, bindings: list[Binding]) -> PathOf:
    """Say what a path holds: what its patterns find, if each part is one element."""
    is_fixed = pattern.shortest is None and not any(
        isinstance(each, t.ParenthesizedPath)
        or (isinstance(each, t.RelationshipPattern) and (each.length or each.quantifier))
        for each in pattern.parts
    )
    nodes = frozenset(each for each in bindings if each.kind == "node") if is_fixed else None
    arrows = frozenset(each for each in bindings if each.kind == "relationship")
    has_groups = any(isinstance(each, t.ParenthesizedPath) for each in pattern.parts)
    return PathOf(Element("node", nodes), Element("relationship", None if has_groups else arrows))


def is_aggregate(item: t.ProjectionItem) -> bool:
    """Tell whether a column is worked out of many rows."""
    if isinstance(item.expression, t.Variable | t.Property):
        return False
    return any(
        isinstance(each, t.CountStar)
        or (
            isinstance(each, t.FunctionInvocation)
            and len(each.name) == 1
            and each.name[0].lower() in AGGREGATES
        )
        for each in walk(item.expression)
    )


__all__ = ["DataFlowAnalyzer", "analyze", "is_aggregate", "labels_of", "name_of"]
