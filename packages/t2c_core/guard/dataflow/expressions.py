"""Follows what expressions hold, and notes what they read. See `flow` for clauses and patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children
from t2c_core.guard.dataflow.abstract_values import (
    PLAIN,
    UNKNOWN,
    Element,
    ListOf,
    MapOf,
    PathOf,
    Value,
    item_of,
    join,
    joined,
    list_of,
    map_of,
)
from t2c_core.guard.dataflow.analysis import AllPropertiesAccess, AnalysisResult, PropertyRead

if TYPE_CHECKING:
    from collections.abc import Callable

Scope = dict[str, Value]

_SAME = frozenset({"coalesce", "nullif", "max", "min", "tail", "reverse", "any_value"})
"""Functions that give one of their arguments, or a part of a list."""
_GIVING: dict[str, Callable[[Value], Value]] = {
    "head": item_of,
    "last": item_of,
    "collect": ListOf,
    "nodes": lambda path: ListOf(path.node if isinstance(path, PathOf) else Element("node", None)),
    "relationships": lambda path: ListOf(
        path.relationship if isinstance(path, PathOf) else Element("relationship", None)
    ),
    "startnode": lambda _: Element("node", None),
    "endnode": lambda _: Element("node", None),
}
"""What functions give that find elements in their one argument."""
_TELLING = frozenset(
    """
    count id elementid labels type size length exists isempty valuetype
    """.split()
)
"""Functions that may take elements, and give out nothing of their properties."""


class Expressions:
    """Works out values; the part of `Flow` that knows expressions."""

    facts: AnalysisResult

    def value(self, node: t.Node, scope: Scope) -> Value:
        """Work out what an expression may hold, noting what it reads."""
        found = self.KNOWN.get(type(node))
        if found is not None:
            return found(self, node, scope)
        for each in children(node):
            self.value(each, scope)
        return PLAIN

    def _variable(self, node: t.Variable, scope: Scope) -> Value:
        if node.name not in scope:
            self.facts.unbound.append(node)
        return scope.get(node.name, UNKNOWN)

    def _constant(self, _node: t.Node, _scope: Scope) -> Value:
        return PLAIN

    def _property(self, node: t.Property, scope: Scope) -> Value:
        subject = self.value(node.subject, scope)
        if subject is PLAIN:
            return PLAIN
        self.facts.reads.append(PropertyRead(subject, node.key, node))
        return _entry(subject, node.key)

    def _index(self, node: t.ContainerIndex, scope: Scope) -> Value:
        subject = self.value(node.subject, scope)
        self.value(node.index, scope)
        if subject is PLAIN:
            return PLAIN
        if isinstance(node.index, t.String):
            self.facts.reads.append(PropertyRead(subject, node.index.value, node.index))
            return _entry(subject, node.index.value)
        if not isinstance(subject, ListOf) and not isinstance(node.index, t.Integer):
            self.facts.dynamic.append((subject, node.position))
        return PLAIN if isinstance(subject, Element) else item_of(subject)

    def _slice(self, node: t.ListSlice, scope: Scope) -> Value:
        for each in (node.start, node.end):
            if each is not None:
                self.value(each, scope)
        return self.value(node.subject, scope)

    def _list(self, node: t.ListLiteral, scope: Scope) -> Value:
        return list_of(joined([self.value(each, scope) for each in node.items]))

    def _map(self, node: t.MapLiteral, scope: Scope) -> Value:
        return map_of(tuple((each.key, self.value(each.value, scope)) for each in node.entries))

    def _arithmetic(self, node: t.Arithmetic, scope: Scope) -> Value:
        found = [self.value(each, scope) for each in node.operands]
        if all(each is PLAIN for each in found):
            return PLAIN
        return list_of(joined([item_of(each) for each in found]))

    def _case(self, node: t.CaseExpression, scope: Scope) -> Value:
        if node.subject is not None:
            self.value(node.subject, scope)
        results = []
        for branch in node.branches:
            for condition in branch.conditions:
                self.value(condition, scope)
            results.append(self.value(branch.result, scope))
        if node.default is not None:
            results.append(self.value(node.default, scope))
        return joined(results)

    def _function(self, node: t.FunctionInvocation, scope: Scope) -> Value:
        found = [self.value(each, scope) for each in node.arguments]
        if all(each is PLAIN for each in found):
            return PLAIN
        name = ".".join(node.name).lower()
        first = found[0]
        if name in _SAME:
            return joined(found)
        if name in _GIVING:
            return _GIVING[name](first)
        if name in ("keys", "properties"):
            self.facts.all_properties_accesses.append(AllPropertiesAccess(node, first))
        elif name not in _TELLING:
            self.facts.escapes += [(each, node.position) for each in found if each is not PLAIN]
        return PLAIN

    def _map_projection(self, node: t.MapProjection, scope: Scope) -> Value:
        subject = self._variable(node.variable, scope)
        entries: list[tuple[str, Value]] = []
        for each in node.items:
            if isinstance(each, t.Variable):
                entries.append((each.name, self._variable(each, scope)))
            elif isinstance(each, t.MapEntry):
                entries.append((each.key, self.value(each.value, scope)))
            elif isinstance(each, t.PropertySelector):
                if subject is not PLAIN:
                    self.facts.reads.append(PropertyRead(subject, each.key, each))
                entries.append((each.key, _entry(subject, each.key)))
            elif subject is not PLAIN:
                self.facts.all_properties_accesses.append(AllPropertiesAccess(each, subject, node))
                if isinstance(subject, MapOf):
                    entries += subject.entries
                elif not isinstance(subject, Element):
                    entries.append(("", UNKNOWN))
        return map_of(tuple(entries))

    def _list_comprehension(self, node: t.ListComprehension, scope: Scope) -> Value:
        source = self.value(node.source, scope)
        inner = {**scope, node.variable.name: item_of(source)}
        if node.where is not None:
            self.value(node.where, inner)
        return source if node.result is None else list_of(self.value(node.result, inner))

    def _list_predicate(self, node: t.IterablePredicate, scope: Scope) -> Value:
        inner = {**scope, node.variable.name: item_of(self.value(node.source, scope))}
        if node.where is not None:
            self.value(node.where, inner)
        return PLAIN

    def _reduce(self, node: t.ReduceExpression, scope: Scope) -> Value:
        gathered = self.value(node.initial, scope)
        item = item_of(self.value(node.source, scope))
        inner = {**scope, node.variable.name: item, node.accumulator.name: gathered}
        kept, self.facts = self.facts, AnalysisResult()  # a first look at what a step makes of it, not noted
        gathered = join(gathered, self.value(node.step, inner))
        again = join(gathered, self.value(node.step, {**inner, node.accumulator.name: gathered}))
        self.facts = kept
        gathered = gathered if again == gathered else UNKNOWN
        self.value(node.step, {**inner, node.accumulator.name: gathered})
        return gathered

    def _label_test(self, node: t.LabelPredicate, scope: Scope) -> Value:
        self.facts.label_tests.append((node, self.value(node.operand, scope)))
        self.labels(node.labels, scope)
        return PLAIN

    def labels(self, node: t.Node | None, scope: Scope) -> None:
        """Work out the expressions inside a label expression."""
        if node is None or isinstance(node, t.Label):
            return
        if isinstance(node, t.DynamicLabel):
            self.value(node.expression, scope)
            return
        for each in children(node):
            self.labels(each, scope)

    KNOWN: ClassVar[dict[type[t.Node], Callable[[Any, Any, Scope], Value]]] = {
        t.Null: _constant,
        t.Boolean: _constant,
        t.Integer: _constant,
        t.Float: _constant,
        t.FloatConstant: _constant,
        t.String: _constant,
        t.Parameter: _constant,
        t.CountStar: _constant,
        t.CaseOperand: _constant,
        t.Variable: _variable,
        t.Property: _property,
        t.ContainerIndex: _index,
        t.ListSlice: _slice,
        t.ListLiteral: _list,
        t.MapLiteral: _map,
        t.Arithmetic: _arithmetic,
        t.CaseExpression: _case,
        t.FunctionInvocation: _function,
        t.MapProjection: _map_projection,
        t.ListComprehension: _list_comprehension,
        t.IterablePredicate: _list_predicate,
        t.ReduceExpression: _reduce,
        t.LabelPredicate: _label_test,
    }


def _entry(subject: Value, key: str) -> Value:
    if isinstance(subject, MapOf):
        return next((value for name, value in reversed(subject.entries) if name == key), PLAIN)
    if isinstance(subject, Element | PathOf) or subject is PLAIN:
        return PLAIN
    return UNKNOWN
