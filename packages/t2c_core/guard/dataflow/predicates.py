"""What conditions and label expressions say of the nodes in a scope. Holds no order of clauses (see `flow`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.abstract_values import Element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.guard.dataflow.abstract_values import Binding, Value
    from t2c_core.guard.dataflow.expressions import Scope


def labels_of(node: t.LabelExpression | None) -> frozenset[str] | None:
    """Give labels one of which holds wherever a label expression does; None if there are none such."""
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
    """Give the one binding of a variable that holds a node, if there is just one."""
    if isinstance(value, Element) and value.kind == "node" and value.bindings and len(value.bindings) == 1:
        return next(iter(value.bindings))
    return None


def bindings_in(scope: Scope) -> Iterator[Binding]:
    """Give all elements that variables hold."""
    for value in scope.values():
        if isinstance(value, Element):
            yield from value.bindings or ()


def narrow_labels(where: t.Expression, scope: Scope, level: int) -> None:
    """Take over what a condition says of the nodes of its own query, if it holds wherever the whole condition does."""
    for each in _joined(where):
        if isinstance(each, t.LabelPredicate) and isinstance(each.operand, t.Variable):
            binding, labels = single_node_binding(scope.get(each.operand.name)), labels_of(each.labels)
            if binding is not None and labels is not None and binding.subquery_depth == level:
                binding.labels = labels | (binding.labels or frozenset())
        elif isinstance(each, t.Comparison | t.BinaryPredicate):
            _pin(each, scope)


def equality_groups(where: t.Expression | None, scope: Scope) -> Iterator[frozenset[Binding]]:
    """Give the nodes that a condition joins by an equality."""
    for each in _joined(where) if where is not None else ():
        if isinstance(each, t.Comparison) and each.operators == ("=",):
            names = {inner.name for inner in walk(each) if isinstance(inner, t.Variable)}
            if len(names) > 1:
                yield frozenset(bindings_in({name: scope[name] for name in names if name in scope}))


def _joined(where: t.Expression) -> tuple[t.Expression, ...]:
    """Part a condition at its outermost ANDs."""
    return where.operands if isinstance(where, t.Logical) and where.operator == "AND" else (where,)


def _pin(condition: t.Comparison | t.BinaryPredicate, scope: Scope) -> None:
    """Note that a property or identity of a node is asked for by value."""
    if isinstance(condition, t.Comparison):
        if condition.operators != ("=",):
            return
        sides = list(condition.operands)
    else:
        sides = [condition.left]
    for place, side in enumerate(sides):
        others = [each for number, each in enumerate(sides) if number != place]
        if any(isinstance(inner, t.Property) for other in others for inner in walk(other)):
            continue
        for inner in walk(side):
            if isinstance(inner, t.Variable):
                value = scope.get(inner.name)
                for binding in (value.bindings or ()) if isinstance(value, Element) else ():
                    binding.is_selective = True
