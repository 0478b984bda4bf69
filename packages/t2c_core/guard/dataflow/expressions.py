"""Data-flow analysis of expressions: their abstract values and the properties that they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children
from t2c_core.guard.dataflow.values import (
    NON_ENTITY,
    TOP,
    AllPropertiesAccess,
    AnalysisResult,
    Entity,
    ListOf,
    MapOf,
    PathOf,
    PropertyRead,
    Value,
    item_of,
    join,
    list_of,
    map_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Scope = dict[str, Value]

_SELECTING = frozenset({"coalesce", "nullif", "max", "min", "tail", "reverse", "any_value"})
"""Functions that return one of their arguments, or a part of a list."""
_EXTRACTING: dict[str, Callable[[Value], Value]] = {
    "head": item_of,
    "last": item_of,
    "collect": ListOf,
    "nodes": lambda path: ListOf(path.node if isinstance(path, PathOf) else Entity("node", None)),
    "relationships": lambda path: ListOf(
        path.relationship if isinstance(path, PathOf) else Entity("relationship", None)
    ),
    "startnode": lambda _: Entity("node", None),
    "endnode": lambda _: Entity("node", None),
}
"""Functions that return entities, with the value for that of their argument."""
_NOT_READING = frozenset("count id elementid labels type size length exists isempty valuetype".split())
"""Functions that take entities and return nothing of their properties."""


class Expressions:
    """The part of `DataFlowAnalyzer` that evaluates expressions."""

    result: AnalysisResult

    def value(self, node: t.Node, scope: Scope) -> Value:
        """Evaluate an expression and record what it reads."""
        evaluate = self.EVALUATORS.get(type(node))
        if evaluate is not None:
            return evaluate(self, node, scope)
        for each in children(node):
            self.value(each, scope)
        return NON_ENTITY

    def _variable(self, node: t.Variable, scope: Scope) -> Value:
        if node.name not in scope:
            self.result.undefined.append(node)
        return scope.get(node.name, TOP)

    def _constant(self, _node: t.Node, _scope: Scope) -> Value:
        return NON_ENTITY

    def _property(self, node: t.Property, scope: Scope) -> Value:
        subject = self.value(node.subject, scope)
        if subject is NON_ENTITY:
            return NON_ENTITY
        self.result.reads.append(PropertyRead(subject, node.key, node))
        return _entry(subject, node.key)

    def _index(self, node: t.ContainerIndex, scope: Scope) -> Value:
        subject = self.value(node.subject, scope)
        self.value(node.index, scope)
        if subject is NON_ENTITY:
            return NON_ENTITY
        if isinstance(node.index, t.String):
            self.result.reads.append(PropertyRead(subject, node.index.value, node.index))
            return _entry(subject, node.index.value)
        if not isinstance(subject, ListOf) and not isinstance(node.index, t.Integer):
            self.result.dynamic_reads.append((subject, node.position))
        return NON_ENTITY if isinstance(subject, Entity) else item_of(subject)

    def _slice(self, node: t.ListSlice, scope: Scope) -> Value:
        for each in (node.start, node.end):
            if each is not None:
                self.value(each, scope)
        return self.value(node.subject, scope)

    def _list(self, node: t.ListLiteral, scope: Scope) -> Value:
        return list_of(join(*(self.value(each, scope) for each in node.items)))

    def _map(self, node: t.MapLiteral, scope: Scope) -> Value:
        return map_of(tuple((each.key, self.value(each.value, scope)) for each in node.entries))

    def _arithmetic(self, node: t.Arithmetic, scope: Scope) -> Value:
        found = [self.value(each, scope) for each in node.operands]
        if all(each is NON_ENTITY for each in found):
            return NON_ENTITY
        return list_of(join(*map(item_of, found)))

    def _case(self, node: t.CaseExpression, scope: Scope) -> Value:
        if node.subject is not None:
            self.value(node.subject, scope)
        results = []
        for branch in node.branches:
            for condition in branch.conditions:
                self.value(condition, scope)
            results.append(self.value(branch.result, scope))
        not_labels = _not_labels_of_default(node)
        if not_labels and isinstance(node.default, t.Property):
            subject = self.value(node.default.subject, scope)
            self.result.reads.append(PropertyRead(subject, node.default.key, node.default, not_labels))
            results.append(_entry(subject, node.default.key))
        elif node.default is not None:
            results.append(self.value(node.default, scope))
        return join(*results)

    def _function(self, node: t.FunctionInvocation, scope: Scope) -> Value:
        found = [self.value(each, scope) for each in node.arguments]
        if all(each is NON_ENTITY for each in found):
            return NON_ENTITY
        name = ".".join(node.name).lower()
        first = found[0]
        if name in _SELECTING:
            return join(*found)
        if name in _EXTRACTING:
            return _EXTRACTING[name](first)
        if name in ("keys", "properties"):
            self.result.all_properties_accesses.append(AllPropertiesAccess(node, first))
        elif name not in _NOT_READING:
            self.result.escapes += [(each, node.position) for each in found if each is not NON_ENTITY]
        return NON_ENTITY

    def _map_projection(self, node: t.MapProjection, scope: Scope) -> Value:
        subject = self._variable(node.variable, scope)
        entries: list[tuple[str, Value]] = []
        for each in node.items:
            if isinstance(each, t.Variable):
                entries.append((each.name, self._variable(each, scope)))
            elif isinstance(each, t.MapEntry):
                entries.append((each.key, self.value(each.value, scope)))
            elif isinstance(each, t.PropertySelector):
                if subject is not NON_ENTITY:
                    self.result.reads.append(PropertyRead(subject, each.key, each))
                entries.append((each.key, _entry(subject, each.key)))
            elif subject is not NON_ENTITY:
                self.result.all_properties_accesses.append(AllPropertiesAccess(each, subject, node))
                if isinstance(subject, MapOf):
                    entries += subject.entries
                elif not isinstance(subject, Entity):
                    entries.append(("", TOP))
        return map_of(tuple(entries))

    def _list_comprehension(self, node: t.ListComprehension, scope: Scope) -> Value:
        source = self.value(node.source, scope)
        inner = {**scope, node.variable.name: item_of(source)}
        if node.where is not None:
            self.value(node.where, inner)
        return source if node.result is None else list_of(self.value(node.result, inner))

    def _iterable_predicate(self, node: t.IterablePredicate, scope: Scope) -> Value:
        inner = {**scope, node.variable.name: item_of(self.value(node.source, scope))}
        if node.where is not None:
            self.value(node.where, inner)
        return NON_ENTITY

    def _reduce(self, node: t.ReduceExpression, scope: Scope) -> Value:
        accumulator = self.value(node.initial, scope)
        item = item_of(self.value(node.source, scope))
        inner = {**scope, node.variable.name: item, node.accumulator.name: accumulator}
        recorded, self.result = self.result, AnalysisResult()  # a dry run to find the accumulator's value
        accumulator = join(accumulator, self.value(node.step, inner))
        again = join(accumulator, self.value(node.step, {**inner, node.accumulator.name: accumulator}))
        self.result = recorded
        accumulator = accumulator if again == accumulator else TOP
        self.value(node.step, {**inner, node.accumulator.name: accumulator})
        return accumulator

    def _label_predicate(self, node: t.LabelPredicate, scope: Scope) -> Value:
        self.result.label_predicates.append((node, self.value(node.operand, scope)))
        self.labels(node.labels, scope)
        return NON_ENTITY

    def labels(self, node: t.Node | None, scope: Scope) -> None:
        """Evaluate the expressions inside a label expression."""
        if node is None or isinstance(node, t.Label):
            return
        if isinstance(node, t.DynamicLabel):
            self.value(node.expression, scope)
            return
        for each in children(node):
            self.labels(each, scope)

    EVALUATORS: ClassVar[dict[type[t.Node], Callable[[Any, Any, Scope], Value]]] = {
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
        t.IterablePredicate: _iterable_predicate,
        t.ReduceExpression: _reduce,
        t.LabelPredicate: _label_predicate,
    }


def _not_labels_of_default(node: t.CaseExpression) -> frozenset[str]:
    """Return the labels that `x` does not have in the default of `CASE WHEN x:A|B THEN … ELSE x.key END`."""
    conditions = [each for branch in node.branches for each in branch.conditions]
    condition, default = conditions[0], node.default
    if (
        node.subject is not None
        or len(conditions) != 1
        or not isinstance(condition, t.LabelPredicate)
        or not isinstance(condition.operand, t.Variable)
        or not isinstance(default, t.Property)
        or default.subject != condition.operand
    ):
        return frozenset()
    labels = condition.labels.operands if isinstance(condition.labels, t.LabelOr) else (condition.labels,)
    return frozenset(each.name for each in labels if isinstance(each, t.Label))


def _entry(subject: Value, key: str) -> Value:
    if isinstance(subject, MapOf):
        default = TOP if any(name == "" for name, _ in subject.entries) else NON_ENTITY
        return next((value for name, value in reversed(subject.entries) if name == key), default)
    if isinstance(subject, Entity | PathOf) or subject is NON_ENTITY:
        return NON_ENTITY
    return TOP
