"""Keeps patterns from leading over hidden nodes and relationships. Part of `hiding`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.verdict import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.guard.dataflow.analysis import AnalysisResult, PathPatternRef, RelationshipPatternRef
    from t2c_core.guard.policy.hidden_names import HiddenNames
    from t2c_core.guard.rewrites import Change, PendingRewrites
    from t2c_core.schema.model import GraphSchema

STEP = t.Variable("step")


def restrict_paths(
    query: t.Query,
    facts: AnalysisResult,
    hidden: HiddenNames,
    schema: GraphSchema | None,
    edits: PendingRewrites,
) -> None:
    """Keep relationships of hidden types, and long paths over nodes of hidden labels, out of all patterns.

    Raises:
        Refused: `policy.path` where that cannot be written.
    """
    for use in facts.relationships:
        if hidden.types:
            _guard_types(use, hidden, schema, edits)
    if not hidden.labels:
        return
    names = {each.name for each in walk(query) if isinstance(each, t.Variable)}
    stars = any(isinstance(each, t.Projection) and each.star for each in walk(query))
    for number, path in enumerate(facts.paths):
        if _is_long(path.pattern):
            _guard_nodes(path, hidden, edits, None if stars else _fresh(names, number))


def exclude_labels(labels: Iterable[str]) -> Change:
    """Give a change that keeps a node pattern from having labels, or a relationship pattern from having types."""
    others = [t.LabelNot(t.Label(each)) for each in sorted(labels)]

    def change(node: t.Node) -> t.Node:
        if isinstance(node, t.NodePattern):
            return replace(node, labels=_conjunction(node.labels, others))
        pattern = cast("t.RelationshipPattern", node)
        return replace(pattern, types=_conjunction(pattern.types, others))

    return change


def excluded_labels(labels: t.LabelExpression | None) -> list[t.LabelNot]:
    """Give the `!Label` that hold wherever a label expression does, such as this module adds."""
    return [each for each in _operands(labels) if isinstance(each, t.LabelNot)]


def _operands(labels: t.LabelExpression | None) -> tuple[t.LabelExpression, ...]:
    return () if labels is None else labels.operands if isinstance(labels, t.LabelAnd) else (labels,)


def _conjunction(labels: t.LabelExpression | None, others: list[t.LabelNot]) -> t.LabelExpression:
    before = _operands(labels)
    parts = (*before, *(each for each in others if each not in before))
    return parts[0] if len(parts) == 1 else t.LabelAnd(parts)


def _guard_types(
    use: RelationshipPatternRef, hidden: HiddenNames, schema: GraphSchema | None, edits: PendingRewrites
) -> None:
    if use.binding.labels is not None:  # only types that are named, and are not hidden
        return
    edits.tell("repair.hidden", "what is hidden was left out", use.pattern.position)
    if use.pattern.length is None:
        edits.add(use.pattern, exclude_labels(hidden.types))
        return
    if use.pattern.types is not None or schema is None or not schema.types:
        raise Refused(
            "policy.path", "name the relationship types of a path of variable length", use.pattern.position
        )
    shown = tuple(t.Label(each.name) for each in schema.types if each.name not in hidden.types)
    types = shown[0] if len(shown) == 1 else t.LabelOr(shown)
    edits.add(use.pattern, lambda node: replace(cast("t.RelationshipPattern", node), types=types))


def _is_long(pattern: t.PathPattern) -> bool:
    """Tell whether a path has nodes that no node pattern stands for."""
    return any(
        isinstance(each, t.RelationshipPattern) and (each.length is not None or each.quantifier is not None)
        for each in walk(pattern)
    )


def _guard_nodes(path: PathPatternRef, hidden: HiddenNames, edits: PendingRewrites, name: str | None) -> None:
    """Add a condition on all nodes of a path."""
    if path.match is None or (path.pattern.variable is None and name is None):
        raise Refused(
            "policy.path",
            "a path of variable length may lead over hidden nodes; write its steps",
            path.pattern.position,
        )
    variable = path.pattern.variable or t.Variable(cast("str", name))
    if path.pattern.variable is None:
        edits.add(path.pattern, lambda node: replace(cast("t.PathPattern", node), variable=variable))
    tests = [t.LabelPredicate(STEP, t.Label(each)) for each in sorted(hidden.labels)]
    test = tests[0] if len(tests) == 1 else t.Logical("OR", tuple(tests))
    free = t.IterablePredicate(
        "NONE", STEP, t.FunctionInvocation(("nodes",), (t.Variable(variable.name),)), test
    )

    def change(node: t.Node) -> t.Node:
        match = cast("t.Match", node)
        if match.where is None:
            return replace(match, where=free)
        before = match.where
        is_all = isinstance(before, t.Logical) and before.operator == "AND"
        operands = before.operands if isinstance(before, t.Logical) and is_all else (before,)
        return replace(match, where=t.Logical("AND", (*operands, free)))

    edits.add(path.match, change)
    edits.tell("repair.hidden", "what is hidden was left out", path.pattern.position)


def _fresh(names: set[str], number: int) -> str:
    name = f"path{number + 1}"
    while name in names:
        name += "_"
    names.add(name)
    return name
