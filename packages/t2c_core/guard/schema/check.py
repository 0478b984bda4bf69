"""Check of a query against the schema: unknown names, properties of other labels, impossible patterns.

An error with exactly one repair is repaired; any other error refuses the query. Where the schema is partial, a missing
name or triple is no error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.values import Entity
from t2c_core.guard.schema.index import suggest
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from t2c_core.guard.dataflow.values import (
        AnalysisResult,
        Binding,
        PropertyRead,
        RelationshipPatternRef,
    )
    from t2c_core.guard.repair import PendingRewrites
    from t2c_core.guard.schema.index import Endpoints, SchemaIndex

_REVERSED: dict[str, Literal["->", "<-"]] = {"->": "<-", "<-": "->"}


def check_variables_defined(analysis: AnalysisResult) -> None:
    """Check that every variable is defined; the server would not compile the query otherwise.

    Raises:
        GuardRejectionError: `scope.variable`.
    """
    for variable in analysis.undefined:
        raise GuardRejectionError(
            "scope.variable",
            f"variable {variable.name} not defined; bind it in a MATCH, WITH or UNWIND before",
            variable.position,
        )


def infer_labels(analysis: AnalysisResult, index: SchemaIndex) -> None:
    """Infer which labels a node without a known label can have from its relationships."""
    for _ in range(2):
        for use in analysis.relationships:
            if not _is_known(use, index) or use.left is None or use.right is None:
                continue
            if use.left.labels is None or use.right.labels is None:
                _narrow(use, _possible_endpoints(use, index))


def check_schema(analysis: AnalysisResult, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    """Check that a query fits the schema, repairing it where there is one way to do so.

    Raises:
        GuardRejectionError: `schema.label`, `schema.type`, `schema.property`, `schema.owner` or `schema.pattern`.
    """
    _check_names(analysis, index, rewrites)
    infer_labels(analysis, index)
    for use in analysis.relationships:
        _check_direction(use, index, rewrites)
        _check_path_direction(use, index, rewrites)
    infer_labels(analysis, index)
    for read in analysis.reads:
        if isinstance(read.subject, Entity):
            _check_read(read, read.subject, index, rewrites)


def _check_names(analysis: AnalysisResult, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    for node in analysis.nodes:
        _check_labels(node.pattern.labels, index, rewrites, node.binding)
    for relationship in analysis.relationships:
        _check_labels(relationship.pattern.types, index, rewrites, relationship.binding, is_type=True)
    for predicate, value in analysis.label_predicates:
        if isinstance(value, Entity):
            binding = next(iter(value.bindings or ()), None)
            is_type = value.entity_type == "relationship"
            _check_labels(predicate.labels, index, rewrites, binding, is_type=is_type)


def _check_labels(
    labels: t.LabelExpression | None,
    index: SchemaIndex,
    rewrites: PendingRewrites,
    binding: Binding | None,
    *,
    is_type: bool = False,
) -> None:
    names = index.types if is_type else index.labels
    for each in walk(labels) if labels is not None else ():
        if not isinstance(each, t.Label) or each.name in names or each.name in index.excludable:
            continue
        name = each.name
        resolved = index.resolve_label_or_type(name, is_type=is_type)
        if resolved is None:
            code, kind = ("schema.type", "relationship type") if is_type else ("schema.label", "label")
            raise GuardRejectionError(code, f"unknown {kind} {name}{suggest(name, names)}", each.position)
        rewrites.add(each, lambda node, resolved=resolved: replace(cast("t.Label", node), name=resolved))  # type: ignore[misc]
        rewrites.record("repair.label", f"{name} → {resolved}", each.position)
        if binding is not None and binding.labels:
            binding.labels = binding.labels - {name} | {resolved}


def _is_known(use: RelationshipPatternRef, index: SchemaIndex) -> bool:
    """Return whether a pattern is one relationship of types whose triples the schema lists in full."""
    return use.is_single and index.has_all_triples(use.binding.labels)


def _possible_endpoints(
    use: RelationshipPatternRef, index: SchemaIndex, *, is_reversed: bool = False
) -> set[Endpoints]:
    """Return the labels of the left and right node that the schema leaves possible."""
    types = use.binding.labels
    endpoints = index.endpoint_labels(types) if use.is_single else index.path_endpoints(types, *use.lengths)
    direction = _REVERSED.get(use.pattern.direction, "-") if is_reversed else use.pattern.direction
    possible: set[Endpoints] = set()
    if direction != "<-":
        possible |= endpoints
    if direction != "->":
        possible |= {(end, start) for start, end in endpoints}
    left = use.left.possible_labels if use.left else None
    right = use.right.possible_labels if use.right else None
    return {
        (first, second)
        for first, second in possible
        if (left is None or first in left) and (right is None or second in right)
    }


def _narrow(use: RelationshipPatternRef, endpoints: set[Endpoints]) -> None:
    for binding, side in ((use.left, 0), (use.right, 1)):
        if binding is not None and binding.labels is None and endpoints:
            labels = frozenset(each[side] for each in endpoints)
            binding.inferred = labels if binding.inferred is None else (binding.inferred & labels or labels)


def _check_direction(use: RelationshipPatternRef, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    if not _is_known(use, index) or _possible_endpoints(use, index):
        return
    reverse = _possible_endpoints(use, index, is_reversed=True) if use.pattern.direction != "-" else None
    if not reverse:
        raise GuardRejectionError("schema.pattern", _impossible(use, index), use.pattern.position)
    _reverse(use, rewrites)
    _narrow(use, reverse)


def _reverse(use: RelationshipPatternRef, rewrites: PendingRewrites) -> None:
    direction = _REVERSED[use.pattern.direction]
    rewrites.add(use.pattern, lambda node: replace(cast("t.RelationshipPattern", node), direction=direction))
    types = "|".join(sorted(use.binding.labels or ()))
    rewrites.record(
        "repair.direction", f"direction of {types or 'a relationship'} reversed", use.pattern.position
    )


def _check_path_direction(use: RelationshipPatternRef, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    """Reverse a variable-length pattern that matches only in the other direction.

    One that matches in neither is left alone, since the labels of the nodes between its ends are not known.
    """
    least, most = use.lengths
    is_directed = use.pattern.direction != "-" and use.binding.labels is not None
    ends = [each.possible_labels if each else None for each in (use.left, use.right)]
    if use.is_single or not is_directed or None in ends or not index.has_all_triples(use.binding.labels):
        return
    may_be_empty = least == 0 and bool((ends[0] or frozenset()) & (ends[1] or frozenset()))
    if may_be_empty or most == 0 or _possible_endpoints(use, index):
        return
    if _possible_endpoints(use, index, is_reversed=True):
        _reverse(use, rewrites)


def _impossible(use: RelationshipPatternRef, index: SchemaIndex) -> str:
    types = "|".join(sorted(use.binding.labels or ()))
    left, right = (
        f"(:{'|'.join(sorted(each.possible_labels))})" if each and each.possible_labels else "any node"
        for each in (use.left, use.right)
    )
    known = sorted(index.endpoint_labels(use.binding.labels))[:3] if types else []
    patterns = ", ".join(f"(:{start})-[:{types}]->(:{end})" for start, end in known)
    exists = f"; the schema has {patterns}" if patterns else ""
    return f"no relationship of {types or 'any type'} between {left} and {right}{exists}"


def _check_read(read: PropertyRead, subject: Entity, index: SchemaIndex, rewrites: PendingRewrites) -> None:
    bindings = subject.bindings or ()
    names: set[str] = set().union(*(each.possible_labels or () for each in bindings))
    is_any = subject.bindings is None or any(each.possible_labels is None for each in bindings)
    if is_any:
        names = set(index.labels if subject.entity_type == "node" else index.types)
    if names & index.partial_properties or any(read.key in index.properties.get(name, ()) for name in names):
        return
    resolved = index.resolve_property(names, read.key)
    if resolved is not None:
        rewrites.add(read.node, lambda node: _renamed(node, resolved))
        rewrites.record("repair.property", f"{read.key} → {resolved}", read.node.position)
        return
    keys = {key for name in names for key in index.properties.get(name, ())}
    others = sorted(index.labels_or_types.get(read.key, ()))
    subject_name = "|".join(sorted(names)) if not is_any and len(names) <= 4 else "the graph"
    message = f"{subject_name} has no property {read.key}"
    if others:
        message += f"; {', '.join(others[:4])} has it"
    code = "schema.owner" if others else "schema.property"
    raise GuardRejectionError(code, message + suggest(read.key, keys), read.node.position)


def _renamed(node: t.Node, key: str) -> t.Node:
    if isinstance(node, t.String):
        return replace(node, value=key)
    return replace(cast("t.Property | t.PropertySelector | t.MapEntry", node), key=key)
