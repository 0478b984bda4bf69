"""How many times a text or list is put into a value that is made of it. Holds no limits (see `limits`)."""

from __future__ import annotations

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import children, walk

UNBOUNDED = 10_000
"""Stands for a growth that cannot be told."""
REPEATED = 10
"""What a replacement that is not written down is taken to lengthen a text by."""

_APART = (
    t.Comparison, t.Logical, t.BinaryPredicate, t.Not, t.IsNull, t.IsTyped, t.IsNormalized, t.LabelPredicate, t.IterablePredicate,
    t.Property, t.CountStar, t.SubqueryExpression,
)  # fmt: skip
_NUMBERS = frozenset("size length count tointeger tofloat abs round floor ceil sum avg id isempty".split())
_ONE_OF = frozenset("coalesce nullif max min head last".split())


def amplification_factor(node: t.Node, name: str | None = None) -> int:  # noqa: PLR0911 - one a form
    """Give how many times a variable goes into a value; without a name, the most of all variables."""
    if name is None:
        if not any(
            isinstance(each, t.Arithmetic | t.ListLiteral | t.ReduceExpression) for each in walk(node)
        ):
            return 1
        names = {each.name for each in walk(node) if isinstance(each, t.Variable)} - _own(node)
        return max((amplification_factor(node, each) for each in names), default=1) or 1
    if isinstance(node, t.Variable):
        return int(node.name == name)
    if isinstance(node, _APART):
        return 0
    if isinstance(node, t.CaseExpression):
        results = [each.result for each in node.branches]
        return max(
            amplification_factor(each, name)
            for each in (*results, *((node.default,) if node.default else ()))
        )
    if isinstance(node, t.Arithmetic):
        found = [amplification_factor(each, name) for each in node.operands]
        return sum(found) if set(node.operators) & {"+", "||"} else min(sum(found), 1)
    if isinstance(node, t.FunctionInvocation):
        return _function(node, name)
    if isinstance(node, t.ListComprehension):
        source, result = (
            amplification_factor(node.source, name),
            amplification_factor(node.result, name) if node.result else 0,
        )
        return source + (UNBOUNDED if result and source else result * REPEATED)
    if isinstance(node, t.ReduceExpression):
        step = (
            amplification_factor(node.step, name) + amplification_factor(node.step, node.accumulator.name) - 1
        )
        return (
            amplification_factor(node.initial, name)
            + amplification_factor(node.source, name)
            + (UNBOUNDED if step > 0 else 0)
        )
    return sum(amplification_factor(each, name) for each in children(node))


def _own(node: t.Node) -> set[str]:
    """Give the variables that an expression makes for itself."""
    found = set()
    for each in walk(node):
        if isinstance(each, t.ReduceExpression):
            found |= {each.accumulator.name, each.variable.name}
        elif isinstance(each, t.ListComprehension | t.IterablePredicate):
            found.add(each.variable.name)
    return found


def _function(node: t.FunctionInvocation, name: str) -> int:
    called = node.name[-1].lower()
    if called in _NUMBERS:
        return 0
    found = [amplification_factor(each, name) for each in node.arguments]
    if called in _ONE_OF:
        return max(found, default=0)
    if called == "replace" and any(found):
        return UNBOUNDED if sum(found) > 1 else replace_amplification(node)
    return sum(found)


def replace_amplification(node: t.Expression) -> int:
    """Give how much longer nested calls of replace() can make a text."""
    if (
        not isinstance(node, t.FunctionInvocation)
        or node.name[-1].lower() != "replace"
        or len(node.arguments) != 3
    ):
        return 1
    text, search, other = node.arguments
    if isinstance(search, t.String) and isinstance(other, t.String):
        factor = max(1, -(-len(other.value) // max(len(search.value), 1)))
    else:
        factor = REPEATED
    return replace_amplification(text) * factor
