"""Limits on the syntax tree of a query, checked before the server sees it.

The server's parser and planner hang on deep or long constructs, already on EXPLAIN, and no timeout stops one expensive
expression. The limits were measured on Neo4j 2026.08.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children, walk
from t2c_core.guard.language.bounds import IntegerBounds
from t2c_core.guard.language.redos import is_redos_safe
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Parameters = Mapping[str, object]

MAX_DEPTH = 50
MAX_OPERATORS = 500
MAX_POWERS = 20
MAX_ACCESSES = 20
"""Maximum number of property and element accesses in a row: `a.b[0].c`."""
MAX_HOPS = 15
"""Maximum number of relationships and separate nodes between two WITH clauses; planning time doubles with each."""
MAX_RANGE = 10_000
MAX_ROWS = 1_000_000
"""Maximum product of the sizes of all ranges and unwound lists of a query."""
MAX_ITEMS = 1_000
"""Maximum number of items of a list or map literal."""
MAX_LOOPS = 2
"""Maximum nesting of list comprehensions, reduce() and predicates on lists."""
MAX_AMPLIFICATION = 1_000
"""Maximum number of copies of a value in one value, over all clauses of a query."""
MAX_SUBQUERIES = 3
"""Maximum nesting of EXISTS, COUNT, COLLECT and CALL {}."""
MAX_CLAUSES: dict[type[t.Node], tuple[str, int]] = {
    t.With: ("WITH", 30),
    t.Match: ("MATCH", 20),
    t.Unwind: ("UNWIND", 10),
    t.CallSubquery: ("CALL", 10),
}
MAX_OPTIONAL = 10
MAX_UNION = 11
UNBOUNDED = 10_000
"""Amplification factor of an expression whose growth has no known bound."""
UNKNOWN_REPLACEMENT = 10
"""Assumed amplification factor of a replacement that is not a literal."""

_NESTING: frozenset[type[t.Node]] = frozenset(
    {
        t.ListLiteral, t.MapLiteral, t.FunctionInvocation, t.CaseExpression, t.Not, t.UnaryOp, t.MapProjection,
        t.ListComprehension, t.PatternComprehension, t.ReduceExpression, t.IterablePredicate, t.SubqueryExpression,
        t.CallSubquery, t.ParenthesizedPath, t.LabelNot, t.LabelAnd, t.LabelOr, t.ContainerIndex, t.ListSlice,
        t.Arithmetic, t.Logical, t.Comparison, t.Trim, t.Normalize,
    }
)  # fmt: skip
"""Node types that add a level of nesting; a nested operator is in brackets or takes a frame of the server's stack."""
_LOOPS: frozenset[type[t.Node]] = frozenset({t.ListComprehension, t.ReduceExpression, t.IterablePredicate})
_SUBQUERIES: frozenset[type[t.Node]] = frozenset({t.SubqueryExpression, t.CallSubquery})
_ACCESSES = (t.Property, t.ContainerIndex, t.ListSlice)
_LENGTH_PRESERVING = frozenset(
    "tolower toupper lower upper trim ltrim rtrim btrim left right substring tostring".split()
)
"""Functions whose result is about as long as their argument."""
_NOT_CONTAINING = (
    t.Comparison, t.Logical, t.BinaryPredicate, t.Not, t.IsNull, t.IsTyped, t.IsNormalized, t.LabelPredicate,
    t.IterablePredicate, t.Property, t.CountStar, t.SubqueryExpression,
)  # fmt: skip
"""Expressions whose value does not contain their operands."""
_NUMERIC = frozenset("size length count tointeger tofloat abs round floor ceil sum avg id isempty".split())
_SELECTING = frozenset("coalesce nullif max min head last".split())


class VisitedNode(NamedTuple):
    """An AST node and its nesting, the node itself included."""

    node: t.Node
    depth: int
    loops: int
    subqueries: int


def walk_with_depth(query: t.Query) -> Iterator[VisitedNode]:
    """Yield all nodes of a tree with their nesting depths, parents first."""
    waiting = [VisitedNode(query, 0, 0, 0)]
    while waiting:
        visited = waiting.pop()
        yield visited
        _, depth, loops, subqueries = visited
        for child in children(visited.node):
            kind = type(child)
            waiting.append(
                VisitedNode(
                    child,
                    depth + (kind in _NESTING),
                    loops + (kind in _LOOPS),
                    subqueries + (kind in _SUBQUERIES),
                )
            )


def check_limits(query: t.Query, visited: Sequence[VisitedNode], parameters: Parameters) -> None:
    """Check that a tree is within all limits.

    Args:
        query: Syntax tree.
        visited: All nodes of the tree.
        parameters: Values by parameter name, as far as they are known.

    Raises:
        GuardRejectionError: `limits.depth`, `limits.operators`, `limits.clauses`, `limits.patterns`, `limits.range`,
            `limits.loops`, `limits.list`, `limits.grow` or `limits.regex`.
    """
    bounds = IntegerBounds((each.node for each in visited), parameters)
    counts: Counter[type[t.Node]] = Counter()
    operators = 0
    rows = 1
    for node, depth, loops, subqueries in visited:
        if depth > MAX_DEPTH:
            raise GuardRejectionError("limits.depth", f"nesting is deeper than {MAX_DEPTH}", node.position)
        if loops > MAX_LOOPS:
            raise GuardRejectionError(
                "limits.loops", f"iterations over lists nest deeper than {MAX_LOOPS}", node.position
            )
        if subqueries > MAX_SUBQUERIES:
            raise GuardRejectionError(
                "limits.depth", f"subqueries nest deeper than {MAX_SUBQUERIES}", node.position
            )
        kind = type(node)
        counts[kind] += 1
        if kind in _OPERATORS:
            operators += _OPERATORS[kind](node)
        if kind in _CHECKS:
            rows *= _CHECKS[kind](node, bounds)
            if rows > MAX_ROWS:
                code = "limits.list" if kind is t.Unwind else "limits.range"
                raise GuardRejectionError(
                    code, f"ranges and lists multiply to more than {MAX_ROWS} rows", node.position
                )
    if operators > MAX_OPERATORS:
        raise GuardRejectionError(
            "limits.operators", f"{operators} operators; at most {MAX_OPERATORS} are allowed"
        )
    _check_clauses(query, visited, counts)


def _check_clauses(query: t.Query, visited: Sequence[VisitedNode], counts: Counter[type[t.Node]]) -> None:
    numbers = [(word, counts[kind], limit) for kind, (word, limit) in MAX_CLAUSES.items()]
    optional = sum(node.optional for node, *_ in visited if isinstance(node, t.Match))
    numbers += [("OPTIONAL MATCH", optional, MAX_OPTIONAL), ("UNION", len(query.parts) - 1, MAX_UNION - 1)]
    for word, number, limit in numbers:
        if number > limit:
            raise GuardRejectionError(
                "limits.clauses", f"{number} {word} clauses; at most {limit} are allowed"
            )
    if counts[t.RelationshipPattern] + counts[t.PathPattern] > MAX_HOPS:
        _check_patterns(query)
    if counts[t.With] + counts[t.CallSubquery] + len(query.parts) > 1 and (
        counts[t.Arithmetic] or counts[t.ListLiteral] or counts[t.FunctionInvocation]
    ):
        _check_amplification(query)


def _check_patterns(query: t.Query) -> None:
    for part in query.parts:
        hops = 0
        for clause in part.clauses:
            hops = _count_hops(clause) + (0 if isinstance(clause, t.With) else hops)
            if hops > MAX_HOPS:
                raise GuardRejectionError(
                    "limits.patterns",
                    f"{hops} relationships and separate nodes are matched at once; at most {MAX_HOPS} are allowed",
                    clause.position,
                )


def _count_hops(clause: t.Clause) -> int:
    """Count relationship patterns, and paths of one node except the first of each MATCH."""
    found = 0
    for node in walk(clause):
        if isinstance(node, t.RelationshipPattern):
            found += 1
        elif isinstance(node, t.Match):
            found += sum(len(each.parts) == 1 for each in node.patterns[1:])
    return found


def _check_amplification(query: t.Query) -> None:
    for part in query.parts:
        factor = 1
        for clause in part.clauses:
            factor *= _clause_amplification(clause)
            if factor > MAX_AMPLIFICATION:
                raise GuardRejectionError(
                    "limits.grow", "a string or list is built from copies of itself", clause.position
                )


def _clause_amplification(clause: t.Clause) -> int:
    if isinstance(clause, t.Projection):
        return max((amplification_factor(each.expression) for each in clause.items), default=1)
    if isinstance(clause, t.CallSubquery):
        inner = (each for part in clause.query.parts for each in part.clauses)
        return max(map(_clause_amplification, inner), default=1)
    return 1


def _check_access(node: t.Property | t.ContainerIndex | t.ListSlice, _bounds: IntegerBounds) -> int:
    inner: t.Node = node
    for _ in range(MAX_ACCESSES):
        if not isinstance(inner, _ACCESSES):
            return 1
        inner = inner.subject
    raise GuardRejectionError("limits.depth", f"more than {MAX_ACCESSES} accesses in a row", node.position)


def _check_items(node: t.ListLiteral | t.MapLiteral, _bounds: IntegerBounds) -> int:
    items = node.items if isinstance(node, t.ListLiteral) else node.entries
    if len(items) > MAX_ITEMS:
        raise GuardRejectionError(
            "limits.list", f"a literal has {len(items)} items; at most {MAX_ITEMS} are allowed", node.position
        )
    return 1


def _check_unwind(node: t.Unwind, _bounds: IntegerBounds) -> int:
    return max(len(node.expression.items), 1) if isinstance(node.expression, t.ListLiteral) else 1


def _check_function(node: t.FunctionInvocation, bounds: IntegerBounds) -> int:
    name = node.name[-1].lower()
    if name == "replace" and replace_amplification(node) > MAX_AMPLIFICATION:
        raise GuardRejectionError("limits.grow", "nested replace() makes a string too long", node.position)
    if name != "range" or len(node.name) > 1:
        return 1
    sizes = [bounds.bound(each) for each in node.arguments]
    known = [each for each in sizes if each is not None]
    if len(known) < len(sizes) or len(sizes) not in (2, 3) or max(known) > MAX_RANGE:
        raise GuardRejectionError(
            "limits.range",
            f"range() takes integers whose values are known and at most {MAX_RANGE}, or size() of a list",
            node.position,
        )
    return int(max(known[:2])) + 1


def _check_reduce(node: t.ReduceExpression, _bounds: IntegerBounds) -> int:
    """Check that the accumulator of reduce() does not double with each step."""
    if amplification_factor(node.step, node.accumulator.name) > 1:
        raise GuardRejectionError(
            "limits.loops", "reduce() may use its accumulator only once per step", node.position
        )
    return 1


def _check_regex(node: t.BinaryPredicate, bounds: IntegerBounds) -> int:
    if node.operator != "=~":
        return 1
    pattern: object = None
    if isinstance(node.right, t.String):
        pattern = node.right.value
    elif isinstance(node.right, t.Parameter):
        pattern = bounds.parameters.get(node.right.name)
    if not isinstance(pattern, str) or not is_redos_safe(pattern, of_property=_is_stored(node.left)):
        raise GuardRejectionError(
            "limits.regex",
            "this regular expression may backtrack without bound; use CONTAINS, STARTS WITH or ENDS WITH",
            node.position,
        )
    return 1


def _is_stored(node: t.Expression) -> bool:
    if isinstance(node, t.FunctionInvocation):
        is_short = node.name[-1].lower() in _LENGTH_PRESERVING
        return is_short and bool(node.arguments) and _is_stored(node.arguments[0])
    return isinstance(node, t.Property) and isinstance(node.subject, t.Variable)


def _count_arithmetic(node: t.Arithmetic) -> int:
    powers = node.operators.count("^")
    if powers > MAX_POWERS:
        raise GuardRejectionError(
            "limits.operators", f"{powers} powers in a row; at most {MAX_POWERS} are allowed", node.position
        )
    return len(node.operators)


def amplification_factor(node: t.Node, name: str | None = None) -> int:  # noqa: PLR0911 - one per form
    """Return how many copies of a variable's value an expression contains.

    Args:
        node: Expression.
        name: Variable. The maximum over all variables if None.
    """
    if name is None:
        if not any(
            isinstance(each, t.Arithmetic | t.ListLiteral | t.ReduceExpression) for each in walk(node)
        ):
            return 1
        names = {each.name for each in walk(node) if isinstance(each, t.Variable)} - _local_variables(node)
        return max((amplification_factor(node, each) for each in names), default=1) or 1
    if isinstance(node, t.Variable):
        return int(node.name == name)
    if isinstance(node, _NOT_CONTAINING):
        return 0
    if isinstance(node, t.CaseExpression):
        results = [each.result for each in node.branches] + ([node.default] if node.default else [])
        return max(amplification_factor(each, name) for each in results)
    if isinstance(node, t.Arithmetic):
        total = sum(amplification_factor(each, name) for each in node.operands)
        return total if set(node.operators) & {"+", "||"} else min(total, 1)
    if isinstance(node, t.FunctionInvocation):
        return _function_amplification(node, name)
    if isinstance(node, t.ListComprehension):
        source = amplification_factor(node.source, name)
        result = amplification_factor(node.result, name) if node.result else 0
        return source + (UNBOUNDED if result and source else result * UNKNOWN_REPLACEMENT)
    if isinstance(node, t.ReduceExpression):
        start = amplification_factor(node.initial, name) + amplification_factor(node.source, name)
        copies = amplification_factor(node.step, name) + amplification_factor(
            node.step, node.accumulator.name
        )
        return start + (UNBOUNDED if copies > 1 else 0)
    return sum(amplification_factor(each, name) for each in children(node))


def _local_variables(node: t.Node) -> set[str]:
    """Return the variables that an expression declares for itself."""
    found = set()
    for each in walk(node):
        if isinstance(each, t.ReduceExpression):
            found |= {each.accumulator.name, each.variable.name}
        elif isinstance(each, t.ListComprehension | t.IterablePredicate):
            found.add(each.variable.name)
    return found


def _function_amplification(node: t.FunctionInvocation, name: str) -> int:
    function = node.name[-1].lower()
    if function in _NUMERIC:
        return 0
    factors = [amplification_factor(each, name) for each in node.arguments]
    if function in _SELECTING:
        return max(factors, default=0)
    if function == "replace" and any(factors):
        return UNBOUNDED if sum(factors) > 1 else replace_amplification(node)
    return sum(factors)


def replace_amplification(node: t.Expression) -> int:
    """Return how many times longer nested calls of replace() can make a string."""
    is_replace = isinstance(node, t.FunctionInvocation) and node.name[-1].lower() == "replace"
    if not isinstance(node, t.FunctionInvocation) or not is_replace or len(node.arguments) != 3:
        return 1
    text, search, replacement = node.arguments
    factor = UNKNOWN_REPLACEMENT
    if isinstance(search, t.String) and isinstance(replacement, t.String):
        factor = max(1, -(-len(replacement.value) // max(len(search.value), 1)))
    return replace_amplification(text) * factor


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
"""Number of operators of a node."""
_CHECKS: dict[type[t.Node], Callable[[Any, IntegerBounds], int]] = {
    t.Property: _check_access,
    t.ContainerIndex: _check_access,
    t.ListSlice: _check_access,
    t.ListLiteral: _check_items,
    t.MapLiteral: _check_items,
    t.Unwind: _check_unwind,
    t.FunctionInvocation: _check_function,
    t.ReduceExpression: _check_reduce,
    t.BinaryPredicate: _check_regex,
}
"""Checks of one node; each returns the number of rows or items that the node makes of one."""
