"""Compares a query with the schema: names that are none, properties of others, patterns that cannot be.

What is wrong beyond doubt and can be put right in one way only is put right; the rest is refused. Holds no policy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.abstract_values import Element
from t2c_core.guard.verdict import Refused

if TYPE_CHECKING:
    from t2c_core.guard.dataflow.abstract_values import Binding
    from t2c_core.guard.dataflow.analysis import AnalysisResult, PropertyRead, RelationshipPatternRef
    from t2c_core.guard.rewrites import PendingRewrites
    from t2c_core.guard.schema.index import SchemaIndex

_FLIPPED: dict[str, Literal["->", "<-"]] = {"->": "<-", "<-": "->"}


def check_variables_defined(facts: AnalysisResult) -> None:
    """Refuse a query with a variable that nothing has named; the server would not compile it.

    Raises:
        Refused: `scope.variable`.
    """
    for variable in facts.unbound:
        raise Refused(
            "scope.variable",
            f"the variable {variable.name} is not known here; a MATCH, WITH or UNWIND before must name it",
            variable.position,
        )


def infer_labels(facts: AnalysisResult, shape: SchemaIndex) -> None:
    """Note which labels nodes without one can have by their relationships."""
    for _ in range(2):
        for use in facts.relationships:
            if not _is_single(use) or use.left is None or use.right is None:
                continue
            if use.left.labels is not None and use.right.labels is not None:
                continue
            pairs = _pairs(use, shape)
            if pairs:
                _narrow(use.left, frozenset(left for left, _ in pairs))
                _narrow(use.right, frozenset(right for _, right in pairs))


def check_validity(facts: AnalysisResult, shape: SchemaIndex, edits: PendingRewrites) -> None:
    """Pass a query that fits the schema, or can be made to.

    Raises:
        Refused: `schema.label`, `schema.type`, `schema.property`, `schema.owner` or `schema.pattern`.
    """
    _check_names(facts, shape, edits)
    infer_labels(facts, shape)
    for use in facts.relationships:
        _check_direction(use, shape, edits)
    infer_labels(facts, shape)
    for read in facts.reads:
        if isinstance(read.subject, Element):
            _check_read(read, read.subject, shape, edits)


def _check_names(facts: AnalysisResult, shape: SchemaIndex, edits: PendingRewrites) -> None:
    for node in facts.nodes:
        if node.pattern.labels is not None:
            _check_labels(node.pattern.labels, "label", shape, edits, node.binding)
    for arrow in facts.relationships:
        if arrow.pattern.types is not None:
            _check_labels(arrow.pattern.types, "type", shape, edits, arrow.binding)
    for test, value in facts.label_tests:
        if isinstance(value, Element):
            binding = next(iter(value.bindings or ()), None)
            _check_labels(test.labels, "label" if value.kind == "node" else "type", shape, edits, binding)


def _check_labels(
    labels: t.LabelExpression,
    kind: Literal["label", "type"],
    shape: SchemaIndex,
    edits: PendingRewrites,
    binding: Binding | None,
) -> None:
    names = shape.labels if kind == "label" else shape.types
    for each in walk(labels):
        if not isinstance(each, t.Label) or each.name in names or each.name in shape.kept_out:
            continue
        name = each.name
        meant = shape.resolve_label_or_type(kind, name)
        if meant is None:
            what = "label" if kind == "label" else "relationship type"
            raise Refused(
                f"schema.{kind}", f"there is no {what} {name}{shape.suggest(name, names)}", each.position
            )
        edits.add(each, lambda node, meant=meant: replace(cast("t.Label", node), name=meant))  # type: ignore[misc]
        edits.tell("repair.label", f"{name} → {meant}", each.position)
        if binding is not None and binding.labels:
            binding.labels = binding.labels - {name} | {meant}


def _is_single(use: RelationshipPatternRef) -> bool:
    return use.pattern.length is None and use.pattern.quantifier is None


def _pairs(use: RelationshipPatternRef, shape: SchemaIndex, *, turned: bool = False) -> set[tuple[str, str]]:
    """Give the labels of left and right node that the schema leaves possible."""
    ends = shape.endpoint_labels(use.binding.labels)
    direction = _FLIPPED.get(use.pattern.direction, "-") if turned else use.pattern.direction
    both: set[tuple[str, str]] = set()
    if direction != "<-":
        both |= ends
    if direction != "->":
        both |= {(target, source) for source, target in ends}
    left = use.left.owners if use.left else None
    right = use.right.owners if use.right else None
    return {
        (one, other)
        for one, other in both
        if (left is None or one in left) and (right is None or other in right)
    }


def _narrow(binding: Binding, labels: frozenset[str]) -> None:
    if binding.labels is None:
        binding.inferred = labels if binding.inferred is None else (binding.inferred & labels or labels)


def _check_direction(use: RelationshipPatternRef, shape: SchemaIndex, edits: PendingRewrites) -> None:
    if not _is_single(use) or _pairs(use, shape):
        return
    has_reverse = use.pattern.direction != "-" and _pairs(use, shape, turned=True)
    if not has_reverse:
        raise Refused("schema.pattern", _no_pattern(use, shape), use.pattern.position)
    turned = _FLIPPED[use.pattern.direction]
    edits.add(use.pattern, lambda node: replace(cast("t.RelationshipPattern", node), direction=turned))
    types = "|".join(sorted(use.binding.labels or ()))
    edits.tell("repair.direction", f"{types or 'a relationship'} turned round", use.pattern.position)
    for binding, place in ((use.left, 0), (use.right, 1)):
        if binding is not None:
            _narrow(binding, frozenset(each[place] for each in _pairs(use, shape, turned=True)))


def _no_pattern(use: RelationshipPatternRef, shape: SchemaIndex) -> str:
    types = "|".join(sorted(use.binding.labels or ())) or "any type"
    left, right = (
        "|".join(sorted(each.owners or ())) if each and each.owners else "any node"
        for each in (use.left, use.right)
    )
    known = sorted(shape.endpoint_labels(use.binding.labels))[:3]
    there = ", ".join(f"(:{source})-[:{types}]->(:{target})" for source, target in known)
    has = f"; there is {there}" if there and use.binding.labels else ""
    return f"no relationship of {types} is between {left} and {right}{has}"


def _check_read(read: PropertyRead, subject: Element, shape: SchemaIndex, edits: PendingRewrites) -> None:
    owners: set[str] = set()
    is_any = subject.bindings is None
    for binding in subject.bindings or ():
        is_any = is_any or binding.owners is None
        owners |= binding.owners or frozenset()
    if is_any:
        owners = set(shape.labels if subject.kind == "node" else shape.types)
    if any(read.key in shape.properties.get(owner, ()) for owner in owners):
        return
    meant = shape.resolve_property(owners, read.key)
    if meant is not None:
        edits.add(read.node, lambda node: _renamed(node, meant))
        edits.tell("repair.property", f"{read.key} → {meant}", read.node.position)
        return
    names = {key for owner in owners for key in shape.properties.get(owner, ())}
    holders = sorted(shape.owners.get(read.key, ()))
    whose = "|".join(sorted(owners)) if not is_any and len(owners) <= 4 else "the graph"
    if not holders:
        raise Refused(
            "schema.property",
            f"{whose} has no property {read.key}{shape.suggest(read.key, names)}",
            read.node.position,
        )
    raise Refused(
        "schema.owner",
        f"{whose} has no property {read.key}; {', '.join(holders[:4])} has it{shape.suggest(read.key, names)}",
        read.node.position,
    )


def _renamed(node: t.Node, key: str) -> t.Node:
    if isinstance(node, t.String):
        return replace(node, value=key)
    return replace(cast("t.Property | t.PropertySelector | t.MapEntry", node), key=key)
