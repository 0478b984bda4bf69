"""Upper bounds of integers in a query: literals, parameters, and variables that only such values are given to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher import ast_nodes as t

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_DEFINITIONS = 20
"""Maximum number of definitions that are followed for one value."""
_SIZES = ("size", "length")
_SAME = ("tointeger", "abs")


class IntegerBounds:
    """Upper bounds of the integers in one query.

    The value of a variable is known if it is at all places of the query that define its name, whatever their scopes.

    Args:
        nodes: All nodes of the query.
        parameters: Values by parameter name, as far as they are known.
    """

    def __init__(self, nodes: Iterable[t.Node], parameters: Mapping[str, object]) -> None:
        self.parameters = parameters
        self._has_unnamed_columns = False
        self._definitions: dict[str, list[t.Expression | None]] = {}
        for node in nodes:
            self._define(node)

    def _define(self, node: t.Node) -> None:
        defined: list[tuple[t.Variable | None, t.Expression | None]] = []
        if isinstance(node, t.ProjectionItem):
            defined.append((node.alias, node.expression))
        elif isinstance(node, t.Unwind):
            defined.append((node.variable, node.expression))
        elif isinstance(node, t.ListComprehension | t.IterablePredicate):
            defined.append((node.variable, node.source))
        elif isinstance(node, t.ReduceExpression):
            defined += [(node.accumulator, None), (node.variable, node.source)]
        elif isinstance(node, t.NodePattern | t.RelationshipPattern | t.PathPattern):
            defined.append((node.variable, None))
        elif isinstance(node, t.YieldItem):
            defined.append((node.alias or t.Variable(node.name), None))
        elif isinstance(node, t.CallProcedure):
            self._has_unnamed_columns |= node.yields is None or node.star
        for variable, value in defined:
            if variable is not None:
                self._definitions.setdefault(variable.name, []).append(value)

    def bound(self, node: t.Expression) -> int | None:
        """Return the largest absolute value of an integer or of the items of a list.

        Returns:
            The bound, 0 for the size of an existing list, or None if it is unknown.
        """
        return self._bound(node, [_MAX_DEFINITIONS])

    def _bound(self, node: t.Expression, left: list[int]) -> int | None:  # noqa: PLR0911 - one per form
        if isinstance(node, t.Integer):
            return abs(node.value)
        if isinstance(node, t.UnaryOp):
            return self._bound(node.operand, left)
        if isinstance(node, t.Parameter):
            value = self.parameters.get(node.name)
            return abs(value) if isinstance(value, int) else None
        if isinstance(node, t.Variable):
            return self._variable(node.name, left)
        if isinstance(node, t.ListLiteral):
            return self._largest(node.items, left)
        if isinstance(node, t.FunctionInvocation) and len(node.name) == 1:
            name = node.name[0].lower()
            if name in _SIZES and len(node.arguments) == 1:
                return (
                    0 if left[0] == _MAX_DEFINITIONS else None
                )  # sums of variables could double it again and again
            if name == "range":
                return self._largest(node.arguments, left)
            return (
                self._bound(node.arguments[0], left) if name in _SAME and len(node.arguments) == 1 else None
            )
        if isinstance(node, t.Arithmetic) and set(node.operators) <= {"+", "-", "/"}:
            parts = [self._bound(each, left) for each in node.operands]
            known = [each for each in parts if each is not None]
            return sum(known) if len(known) == len(parts) else None
        return None

    def _variable(self, name: str, left: list[int]) -> int | None:
        definitions = [None] if self._has_unnamed_columns else self._definitions.get(name, [None])
        left[0] -= len(definitions)
        if left[0] < 0:  # also a variable that is defined by itself
            return None
        return self._largest(definitions, left)

    def _largest(self, nodes: Iterable[t.Expression | None], left: list[int]) -> int | None:
        found = [None if each is None else self._bound(each, left) for each in nodes]
        known = [each for each in found if each is not None]
        return max(known) if len(known) == len(found) and known else None
