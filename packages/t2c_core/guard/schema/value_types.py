"""Check of what properties are compared with: a string never equals a date, nor is it before or after one.

The server gives null or false for a comparison of different types, and the query an empty answer. A string in ISO 8601
is repaired, anything else refused with the type of the property.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.guard.dataflow.values import Entity
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from t2c_core.guard.dataflow.values import AnalysisResult, PropertyRead
    from t2c_core.guard.language.complexity import VisitedNode
    from t2c_core.guard.repair import PendingRewrites
    from t2c_core.guard.schema.index import SchemaIndex

_DAY = r"[+-]?\d{4,9}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?"
_ZONE = r"(?:Z|[+-]\d{2}:?\d{2})?(?:\[[\w/+-]+\])?"
_CONSTRUCTORS = {
    "DATE": "date",
    "LOCAL TIME": "localtime",
    "ZONED TIME": "time",
    "LOCAL DATETIME": "localdatetime",
    "ZONED DATETIME": "datetime",
}
_TEXTS = {
    "DATE": re.compile(_DAY),
    "LOCAL TIME": re.compile(_CLOCK),
    "ZONED TIME": re.compile(_CLOCK + _ZONE),
    "LOCAL DATETIME": re.compile(f"{_DAY}T{_CLOCK}"),
    "ZONED DATETIME": re.compile(f"{_DAY}T{_CLOCK}{_ZONE}"),
}
_DAY_ONLY = re.compile(_DAY)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,15})?")
_ORDERS = frozenset({"<", "<=", ">", ">="})
_ON_TEXT = frozenset({"STARTS WITH", "ENDS WITH", "CONTAINS", "=~"})
_Use = tuple[t.Node, str, t.Expression]
"""A property read, the operator, and what the property is compared with."""


def check_value_types(
    visited: Sequence[VisitedNode],
    analysis: AnalysisResult,
    index: SchemaIndex,
    parameters: Mapping[str, object],
    rewrites: PendingRewrites,
) -> None:
    """Check what dates, times and numbers are compared with.

    Args:
        visited: All nodes of the tree.
        analysis: Its data-flow analysis.
        index: Schema of the graph.
        parameters: Values by parameter name, as far as they are known.
        rewrites: Takes the repairs.

    Raises:
        GuardRejectionError: `schema.value`.
    """
    reads = {id(each.node): each for each in analysis.reads}
    for node, *_ in visited:
        for subject, operator, value in _uses(node):
            read = reads.get(id(subject))
            kind = _type_of(read, index) if read is not None else None
            if read is not None and kind is not None:
                _check(read, kind, operator, value, parameters, rewrites)


def _uses(node: t.Node) -> Iterator[_Use]:
    if isinstance(node, t.Comparison) and len(node.operands) == 2:
        first, second = node.operands
        yield first, node.operators[0], second
        yield second, node.operators[0], first
    elif isinstance(node, t.BinaryPredicate) and isinstance(node.right, t.ListLiteral):
        for each in node.right.items if node.operator == "IN" else ():
            yield node.left, "=", each
    elif isinstance(node, t.BinaryPredicate):
        yield node.left, node.operator, node.right
    elif isinstance(node, t.NodePattern | t.RelationshipPattern) and isinstance(
        node.properties, t.MapLiteral
    ):
        for entry in node.properties.entries:
            yield entry, "=", entry.value


def _type_of(read: PropertyRead, index: SchemaIndex) -> str | None:
    """Return the type of a property if all labels or types that the subject may have agree on it."""
    if not isinstance(read.subject, Entity) or read.subject.bindings is None:
        return None
    possible = [each.possible_labels for each in read.subject.bindings]
    names: set[str] = set().union(*(each or () for each in possible))
    if None in possible or names & index.partial_properties:
        return None
    kinds = {
        index.property_types[name, read.key] for name in names if (name, read.key) in index.property_types
    }
    return kinds.pop() if len(kinds) == 1 else None


def _check(
    read: PropertyRead,
    kind: str,
    operator: str,
    value: t.Expression,
    parameters: Mapping[str, object],
    rewrites: PendingRewrites,
) -> None:
    text = value.value if isinstance(value, t.String) else None
    if isinstance(value, t.Parameter) and isinstance(given := parameters.get(value.name), str):
        text = given
    if kind in ("INTEGER", "FLOAT"):
        if isinstance(value, t.String) and operator not in _ON_TEXT and _NUMBER.fullmatch(value.value):
            rewrites.add(value, _as_number)
            rewrites.record(
                "repair.value", f"{read.key} is {kind}: '{value.value}' → {value.value}", value.position
            )
        return
    constructor = _CONSTRUCTORS.get(kind)
    if constructor is None:
        return
    if operator in _ON_TEXT and (text is not None or isinstance(value, t.String)):
        raise _mismatch(read, kind, f"which has no {operator}", constructor)
    if text is not None:
        is_day = (
            kind in ("LOCAL DATETIME", "ZONED DATETIME") and operator in _ORDERS and _DAY_ONLY.fullmatch(text)
        )
        if not (_TEXTS[kind].fullmatch(text) or is_day):
            raise _mismatch(read, kind, f"which is never compared with the string '{text[:40]}'", constructor)
        rewrites.add(value, lambda node: _call(constructor, node))
        rewrites.record("repair.value", f"{read.key} is {kind}: {constructor}('{text}')", value.position)
    elif isinstance(value, t.FunctionInvocation) and len(value.name) == 1:
        other = value.name[0].lower()
        if other in _CONSTRUCTORS.values() and other != constructor:
            raise _mismatch(read, kind, f"which is never compared with {other}()", constructor)


def _mismatch(read: PropertyRead, kind: str, what: str, constructor: str) -> GuardRejectionError:
    example = "2020-01-31" if "DATE" in kind else ""
    example += "T" if kind.endswith("DATETIME") else ""
    example += "10:30:00" if "TIME" in kind else ""
    advice = f"write {constructor}('{example}'){' or read its .year, .month, .day' if 'DATE' in kind else ''}"
    return GuardRejectionError(
        "schema.value", f"{read.key} is a {kind}, {what}; {advice}", read.node.position
    )


def _call(constructor: str, node: t.Node) -> t.Node:
    return t.FunctionInvocation((constructor,), (cast("t.Expression", node),), position=node.position)


def _as_number(node: t.Node) -> t.Node:
    text = cast("t.String", node).value
    if "." in text:
        return t.Float(float(text), position=node.position)
    return t.Integer(int(text), position=node.position)
