"""Gold queries: whether their rows have an order, and whether every run gives the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import transform, walk
from t2c_core.results import keyed_results

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from t2c_core.cypher.ast_nodes import Expression, Node
    from t2c_core.results import Rows

_RANDOM = frozenset({"rand", "randomuuid", "timestamp"})
_CLOCKS = frozenset({"date", "datetime", "localdatetime", "time", "localtime"})
_CLOCK_NAMESPACES = frozenset({"transaction", "statement", "realtime"})

Nondeterminism = Literal["chance", "limit without order", "limit cuts ties", "inner limit"]


@dataclass(frozen=True, slots=True)
class Gold:
    """The result of a gold query."""

    rows: tuple[tuple[Any, ...], ...]
    order: tuple[Hashable, ...] | None
    """Sort key of each row if the query sorts its result, for `compare`; None if rows may have any order."""
    unstable: Nondeterminism | None
    """Why another run may give other rows: the clock or random numbers; a limit on unsorted rows; a limit that
    separates rows with equal sort keys; a limit other than that of the result, which is not analysed further."""


@dataclass(frozen=True)
class GoldQuery:
    """A gold query, analysed for the order and limit of its result.

    Args:
        cypher: One query of the read-only subset. Attributes raise CypherSyntaxError if it is none.
        parameters: Values by parameter name.
    """

    cypher: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def probe(self) -> str | None:
        """Second query, which also returns hidden sort keys and one row beyond the limit; None if not needed."""
        final = self._final
        hidden = [
            t.ProjectionItem(key, t.Variable(f"sort_key_{number}"))
            for number, key in enumerate(self._sort_keys)
            if not isinstance(key, int)
        ]
        if final is None or not (hidden or (self._sort_keys and final.limit)):
            return None
        limit = final.limit and t.Arithmetic((final.limit, t.Integer(1)), ("+",))
        probing = replace(final, items=(*final.items, *hidden), limit=limit)
        (part,) = self._query.parts
        return render(replace(part, clauses=(*part.clauses[:-1], probing)))

    def read(self, rows: Rows, probed: Rows | None = None) -> Gold:
        """Return the gold result.

        Args:
            rows: Rows of the query in the form of `results.canonical_rows`.
            probed: Rows of the probe, if there is a probe and it ran.
        """
        shown = tuple(map(tuple, rows))
        unstable = self._instability()
        order = self._order(rows if probed is None else probed)
        if order is None:
            return Gold(shown, None, unstable)
        beyond = order[len(rows) : len(rows) + 1]
        if unstable is None and rows and beyond == order[len(rows) - 1 : len(rows)]:
            unstable = "limit cuts ties"
        return Gold(shown, tuple(order[: len(rows)]), unstable)

    def _order(self, rows: Rows) -> Sequence[Hashable] | None:
        """Return the sort key of each row, hidden keys being the last columns; None if these are missing."""
        hidden = sum(not isinstance(key, int) for key in self._sort_keys)
        columns = len(self._final.items) if self._final else 0
        if not self._sort_keys or not rows or len(rows[0]) < columns + hidden:
            return None
        hidden_columns = iter(range(len(rows[0]) - hidden, len(rows[0])))
        key_columns = [key if isinstance(key, int) else next(hidden_columns) for key in self._sort_keys]
        (order,) = keyed_results([[row[column] for column in key_columns] for row in rows])
        return order

    @cached_property
    def _query(self) -> t.Query:
        return parse(self.cypher)

    @cached_property
    def _final(self) -> t.Return | None:
        """The RETURN of the result, unless a UNION joins several."""
        last = self._query.parts[0].clauses[-1]
        return last if len(self._query.parts) == 1 and isinstance(last, t.Return) else None

    @cached_property
    def _sort_keys(self) -> tuple[int | Expression, ...]:
        """Sort keys of the result: numbers of columns, or expressions which are no columns."""
        if self._final is None:
            return ()
        columns: dict[Expression, int] = {}
        expressions: dict[str, Expression] = {}
        for number, item in enumerate(self._final.items):
            columns.setdefault(item.expression, number)
            if item.alias:
                columns[item.alias] = number
                expressions[item.alias.name] = item.expression
        if self._final.star:
            columns = {}
        keys = [item.expression for item in self._final.order]
        return tuple(columns.get(key, _without_aliases(key, expressions)) for key in keys)

    def _instability(self) -> Nondeterminism | None:
        nodes = list(walk(self._query))
        if any(_is_random(node) for node in nodes):
            return "chance"
        cuts = [node for node in nodes if isinstance(node, t.Projection | t.OrderBySkipLimit)]
        cuts = [node for node in cuts if node.limit or node.skip]
        results = [part.clauses[-1] for part in self._query.parts]
        if any(node in results and not node.order for node in cuts):
            return "limit without order"
        return "inner limit" if any(node is not self._final for node in cuts) else None


def _without_aliases(key: Expression, expressions: Mapping[str, Expression]) -> Expression:
    """Return a sort key with aliases replaced by their expressions, since RETURN cannot use its own aliases."""
    bound = {
        each.name
        for node in walk(key)
        for each in (getattr(node, "variable", None), getattr(node, "accumulator", None))
        if isinstance(each, t.Variable)
    }

    def change(node: Node) -> Node:
        is_alias = isinstance(node, t.Variable) and node.name not in bound
        return expressions.get(node.name, node) if is_alias else node  # type: ignore[attr-defined]

    return cast("Expression", transform(cast("Node", key), change))


def _is_random(node: Node) -> bool:
    """Return whether a node depends on the clock or on random numbers."""
    if not isinstance(node, t.FunctionInvocation):
        return False
    name, *namespace = (part.lower() for part in node.name)
    if name in _RANDOM and not namespace:
        return True
    if name not in _CLOCKS:
        return False
    match node.arguments:
        case ():
            return True
        case (t.MapLiteral(entries=(t.MapEntry(key=key),)),) if key.lower() == "timezone":
            return True
    return bool(namespace) and namespace[0] in _CLOCK_NAMESPACES
