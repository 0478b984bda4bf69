"""Limits on what a query's tree may hold, checked before the server sees it.

The server's parser and planner hang on deep or long constructs, on EXPLAIN already, and one huge expression outlives
every time-out; all limits were measured on Neo4j 2026.08. Holds no limits on rows (see `cost`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import walk
from t2c_core.guard.language.redos import is_redos_safe
from t2c_core.guard.language.size_growth import amplification_factor, replace_amplification
from t2c_core.guard.verdict import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from t2c_core.guard.language.depth_traversal import VisitedNode

MAX_DEPTH = 50
MAX_OPERATORS = 500
MAX_POWERS = 20
MAX_ACCESSES = 20
"""Property and element accesses in a row: `a.b[0].c`."""
MAX_HOPS = 15
"""Relationships, and nodes apart, between one WITH and the next; the planner's time doubles with each."""
MAX_RANGE = 10_000
MAX_ROWS = 1_000_000
"""Product of all ranges and unwound lists of a query."""
MAX_ITEMS = 1_000
"""Of one list or map that is written down."""
MAX_LOOPS = 2
"""How deep list comprehensions, reduce() and predicates on lists may nest."""
MAX_GROWTH = 1_000
"""How many times a value may be put together from itself, from one WITH to the next."""
MAX_SUBQUERIES = 3
"""How deep EXISTS, COUNT, COLLECT and CALL {} may nest."""
MAX_CLAUSES: dict[type[t.Node], tuple[str, int]] = {
    t.With: ("WITH", 30),
    t.Match: ("MATCH", 20),
    t.Unwind: ("UNWIND", 10),
    t.CallSubquery: ("CALL", 10),
}
MAX_OPTIONAL = 10
MAX_UNION = 11

_ACCESSES = (t.Property, t.ContainerIndex, t.ListSlice)
_SHORTENED = frozenset(
    "tolower toupper lower upper trim ltrim rtrim btrim left right substring tostring".split()
)
"""Functions whose text is about as long as the one they are given."""


def check_limits(query: t.Query, stops: Sequence[VisitedNode], parameters: Mapping[str, object]) -> None:
    """Pass a tree that the server can take.

    Args:
        query: the tree.
        stops: all its nodes.
        parameters: values by name, as far as they are known.

    Raises:
        Refused: `limits.depth`, `limits.operators`, `limits.clauses`, `limits.patterns`, `limits.range`,
            `limits.loops`, `limits.list`, `limits.grow` or `limits.regex`.
    """
    counts: Counter[type[t.Node]] = Counter()
    operators = 0
    rows = 1
    for node, depth, loops, subqueries in stops:
        if depth > MAX_DEPTH or loops > MAX_LOOPS or subqueries > MAX_SUBQUERIES:
            raise _too_deep(node, depth, loops)
        kind = type(node)
        counts[kind] += 1
        if kind in _OPERATORS:
            operators += _OPERATORS[kind](node)
        if kind in _CHECKS:
            rows *= _CHECKS[kind](node, parameters)
            if rows > MAX_ROWS:
                code = "limits.list" if kind is t.Unwind else "limits.range"
                raise Refused(code, f"ranges and lists multiply to more than {MAX_ROWS} rows", node.position)
    if operators > MAX_OPERATORS:
        raise Refused("limits.operators", f"there are {operators} operators; {MAX_OPERATORS} are allowed")
    for kind, (word, most) in MAX_CLAUSES.items():
        if counts[kind] > most:
            raise Refused("limits.clauses", f"{word} occurs {counts[kind]} times; {most} are allowed")
    _check_clauses(query, stops, counts)


def _too_deep(node: t.Node, depth: int, loops: int) -> Refused:
    if depth > MAX_DEPTH:
        return Refused("limits.depth", f"the query nests deeper than {MAX_DEPTH}", node.position)
    if loops > MAX_LOOPS:
        return Refused("limits.loops", f"loops over lists nest deeper than {MAX_LOOPS}", node.position)
    return Refused("limits.depth", f"subqueries nest deeper than {MAX_SUBQUERIES}", node.position)


def _check_clauses(query: t.Query, stops: Sequence[VisitedNode], counts: Counter[type[t.Node]]) -> None:
    optional = sum(stop.node.optional for stop in stops if isinstance(stop.node, t.Match))
    if optional > MAX_OPTIONAL:
        raise Refused("limits.clauses", f"there are {optional} OPTIONAL MATCH; {MAX_OPTIONAL} are allowed")
    if len(query.parts) > MAX_UNION:
        raise Refused("limits.clauses", f"UNION joins {len(query.parts)} queries; {MAX_UNION} are allowed")
    if counts[t.RelationshipPattern] + counts[t.PathPattern] > MAX_HOPS:
        _check_patterns(query)
    if counts[t.With] + counts[t.CallSubquery] + len(query.parts) > 1 and (
        counts[t.Arithmetic] or counts[t.ListLiteral] or counts[t.FunctionInvocation]
    ):
        _check_growth(query)


def _check_patterns(query: t.Query) -> None:
    for part in query.parts:
        hops = 0
        for clause in part.clauses:
            hops = _hops(clause) + (0 if isinstance(clause, t.With) else hops)
            if hops > MAX_HOPS:
                raise Refused(
                    "limits.patterns",
                    f"{hops} relationships and nodes are matched at once; {MAX_HOPS} may be",
                    clause.position,
                )


def _check_growth(query: t.Query) -> None:
    for part in query.parts:
        grown = 1
        for clause in part.clauses:
            grown *= _growth(clause)
            if grown > MAX_GROWTH:
                raise Refused(
                    "limits.grow", "a value is put together from itself again and again", clause.position
                )


def _hops(clause: t.Clause) -> int:
    """Count relationships, and nodes that stand alone but for the first."""
    found = 0
    for node in walk(clause):
        if isinstance(node, t.RelationshipPattern):
            found += 1
        elif isinstance(node, t.Match):
            found += sum(len(each.parts) == 1 for each in node.patterns[1:])
    return found


def _growth(clause: t.Clause) -> int:
    if isinstance(clause, t.Projection):
        return max((amplification_factor(each.expression) for each in clause.items), default=1)
    if isinstance(clause, t.CallSubquery):
        return max(
            (_growth(inner) for part in clause.query.parts for inner in part.clauses),
            default=1,
        )
    return 1


def _check_access(
    node: t.Property | t.ContainerIndex | t.ListSlice, _parameters: Mapping[str, object]
) -> int:
    inner: t.Node = node
    for _ in range(MAX_ACCESSES):
        if not isinstance(inner, _ACCESSES):
            return 1
        inner = inner.subject
    raise Refused("limits.depth", f"there are more than {MAX_ACCESSES} accesses in a row", node.position)


def _check_items(node: t.ListLiteral | t.MapLiteral, _parameters: Mapping[str, object]) -> int:
    items = node.items if isinstance(node, t.ListLiteral) else node.entries
    if len(items) > MAX_ITEMS:
        raise Refused("limits.list", f"{len(items)} items are listed; {MAX_ITEMS} may be", node.position)
    return 1


def _check_unwind(node: t.Unwind, _parameters: Mapping[str, object]) -> int:
    return max(len(node.expression.items), 1) if isinstance(node.expression, t.ListLiteral) else 1


def _check_function(node: t.FunctionInvocation, parameters: Mapping[str, object]) -> int:
    name = node.name[-1].lower()
    if name == "replace" and replace_amplification(node) > MAX_GROWTH:
        raise Refused("limits.grow", "replace() makes a text longer again and again", node.position)
    if name != "range" or len(node.name) > 1:
        return 1
    sizes = [_bound(each, parameters) for each in node.arguments]
    known = [each for each in sizes if each is not None]
    if len(known) < len(sizes) or len(sizes) not in (2, 3) or max(known) > MAX_RANGE:
        raise Refused(
            "limits.range",
            f"range() takes whole numbers up to {MAX_RANGE}, or size() of a list",
            node.position,
        )
    return int(max(known[:2])) + 1


def _bound(node: t.Expression, parameters: Mapping[str, object]) -> int | None:  # noqa: PLR0911 - one a form
    """Give how large a number can be; 0 for the size of a list, which is there already; None if that is not known."""
    if isinstance(node, t.Integer):
        return abs(node.value)
    if isinstance(node, t.UnaryOp):
        return _bound(node.operand, parameters)
    if isinstance(node, t.Parameter):
        value = parameters.get(node.name)
        return abs(value) if isinstance(value, int) else None
    if isinstance(node, t.FunctionInvocation) and len(node.name) == 1 and len(node.arguments) == 1:
        name = node.name[0].lower()
        if name in ("size", "length"):
            return 0
        return _bound(node.arguments[0], parameters) if name in ("tointeger", "abs") else None
    if isinstance(node, t.Arithmetic) and set(node.operators) <= {"+", "-", "/"}:
        parts = [_bound(each, parameters) for each in node.operands]
        known = [each for each in parts if each is not None]
        return sum(known) if len(known) == len(parts) else None
    return None


def _check_reduce(node: t.ReduceExpression, _parameters: Mapping[str, object]) -> int:
    """Keep what reduce() gathers from doubling with each step."""
    if amplification_factor(node.step, node.accumulator.name) > 1:
        raise Refused(
            "limits.loops", "reduce() may use what it gathers only once in each step", node.position
        )
    return 1


def _check_test(node: t.BinaryPredicate, parameters: Mapping[str, object]) -> int:
    if node.operator != "=~":
        return 1
    pattern = node.right
    text = pattern.value if isinstance(pattern, t.String) else None
    if isinstance(pattern, t.Parameter):
        value = parameters.get(pattern.name)
        text = value if isinstance(value, str) else None
    if text is None or not is_redos_safe(text, of_property=_is_stored(node.left)):
        raise Refused(
            "limits.regex",
            "this regular expression could run without end; use CONTAINS, STARTS WITH or ENDS WITH",
            node.position,
        )
    return 1


def _is_stored(node: t.Expression) -> bool:
    if isinstance(node, t.FunctionInvocation):
        return node.name[-1].lower() in _SHORTENED and bool(node.arguments) and _is_stored(node.arguments[0])
    return isinstance(node, t.Property) and isinstance(node.subject, t.Variable)


def _count_arithmetic(node: t.Arithmetic) -> int:
    powers = node.operators.count("^")
    if powers > MAX_POWERS:
        raise Refused(
            "limits.operators", f"there are {powers} powers in a row; {MAX_POWERS} may be", node.position
        )
    return len(node.operators)


def _count_one(_node: t.Node) -> int:
    return 1


_OPERATORS: dict[type[t.Node], Callable[[Any], int]] = {
    t.Arithmetic: _count_arithmetic,
    t.Comparison: lambda node: len(node.operators),
    t.Logical: lambda node: len(node.operands) - 1,
    t.BinaryPredicate: _count_one,
    t.Not: _count_one,
    t.IsNull: _count_one,
    t.UnaryOp: _count_one,
    t.LabelPredicate: _count_one,
}
"""How many operators a node is."""
_CHECKS: dict[type[t.Node], Callable[[Any, Mapping[str, object]], int]] = {
    t.Property: _check_access,
    t.ContainerIndex: _check_access,
    t.ListSlice: _check_access,
    t.ListLiteral: _check_items,
    t.MapLiteral: _check_items,
    t.Unwind: _check_unwind,
    t.FunctionInvocation: _check_function,
    t.ReduceExpression: _check_reduce,
    t.BinaryPredicate: _check_test,
}
"""Checks of one node; each gives the rows or items that it makes of one."""
