"""Gold queries: whether their rows have an order, and whether they give the same rows each time.

Holds no comparison (see `execution`) and runs nothing: it says what to run and reads what came back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from t2c_core.metrics.clauses import ClauseText, split_clauses, split_items
from t2c_core.results import keyed_results

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from t2c_core.results import Rows

_DIRECTION = re.compile(r"\s+(?:ASC(?:ENDING)?|DESC(?:ENDING)?)$", re.IGNORECASE)
_ALIAS = re.compile(r"^(?P<expression>.*?)\s+AS\s+(?P<alias>`(?:[^`]|``)+`|\w+)$", re.IGNORECASE | re.DOTALL)
_DISTINCT = re.compile(r"^DISTINCT\s+", re.IGNORECASE)
_WORD = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\.\s*\w+|`(?:[^`]|``)+`|[\w$]+")
_CHANCE = re.compile(
    r"\b(?:rand|randomUUID|timestamp)\s*\(|\b(?:date|datetime|localdatetime|time|localtime)"
    r"(?:\.(?:transaction|statement|realtime))?\s*\(\s*\)",
    re.IGNORECASE,
)
_CUTS = frozenset({"LIMIT", "SKIP", "OFFSET"})

Nondeterminism = Literal["chance", "limit without order", "limit cuts ties", "inner limit"]


@dataclass(frozen=True, slots=True)
class Gold:
    """What a gold query returned."""

    rows: tuple[tuple[Any, ...], ...]
    order: tuple[Hashable, ...] | None
    """Sort key of each row where the query sorts its result, for `compare`; None where order is free."""
    unstable: Nondeterminism | None
    """Why another run may give other rows: the clock or chance; a limit on rows in no order; a limit that
    parts rows of one sort key; a limit before the final clause, which is not looked into. None if nothing
    speaks against it."""


@dataclass(frozen=True)
class GoldQuery:
    """A gold query, read for the order and limit of its result.

    Args:
        cypher: one reading query.
        parameters: its parameters.
    """

    cypher: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def probe(self) -> str | None:
        """A second query to run, for hidden sort keys and a row beyond the limit; None if not needed.

        A server that refuses it although it takes the query itself does so for a form of ORDER BY that is not
        read rightly here; then go on without.
        """
        limit = self._limit()
        hidden = [f"{key} AS sort_key_{i}" for i, key in enumerate(self._keys) if isinstance(key, str)]
        if not hidden and (not self._keys or limit is None):
            return None
        written = []
        for position, clause in enumerate(self._clauses):
            body = clause.body
            if position == self._last:
                body = ", ".join([body, *hidden])
            elif position > self._last and clause.keyword == "LIMIT" and limit is not None:
                body += " + 1"
            written.append(f"{clause.keyword} {body}".strip())
        return " ".join(written)

    def read(self, rows: Rows, probed: Rows | None = None) -> Gold:
        """Read what the query gave.

        Args:
            rows: of the query itself, as `results.canonical_rows` gives them.
            probed: of the probe, if there was one and it ran.
        """
        shown = tuple(map(tuple, rows))
        unstable = self._instability()
        order = self._sorted_by(rows if probed is None else probed)
        if order is None:
            return Gold(shown, None, unstable)
        beyond = order[len(rows) : len(rows) + 1]
        if unstable is None and rows and beyond == order[len(rows) - 1 : len(rows)]:
            unstable = "limit cuts ties"
        return Gold(shown, tuple(order[: len(rows)]), unstable)

    def _sorted_by(self, rows: Rows) -> Sequence[Hashable] | None:
        """Give the sort key of each row, hidden keys being the last columns; None if these are missing."""
        hidden = sum(isinstance(key, str) for key in self._keys)
        if not self._keys or not rows or len(rows[0]) < self._columns + hidden:
            return None
        places = iter(range(len(rows[0]) - hidden, len(rows[0])))
        picked = [next(places) if isinstance(key, str) else key for key in self._keys]
        (order,) = keyed_results([[row[place] for place in picked] for row in rows])
        return order

    @cached_property
    def _clauses(self) -> list[ClauseText]:
        return split_clauses(self.cypher)

    @cached_property
    def _last(self) -> int:
        """Position of the final RETURN."""
        found = [position for position, each in enumerate(self._clauses) if each.keyword == "RETURN"]
        return found[-1] if found else len(self._clauses)

    @cached_property
    def _tail(self) -> dict[str, str]:
        """Bodies of the final RETURN and of what follows it, by keyword."""
        return {each.keyword: each.body for each in self._clauses[self._last :]}

    @cached_property
    def _items(self) -> list[str]:
        """What the final RETURN lists."""
        return split_items(_DISTINCT.sub("", self._tail.get("RETURN", "")))

    @property
    def _columns(self) -> int:
        """How many columns the result has at least."""
        return len(self._items)

    @cached_property
    def _keys(self) -> list[int | str]:
        """What the result is sorted by: positions of columns, or expressions that are no columns."""
        union = any(each.keyword == "UNION" for each in self._clauses)
        if union or "ORDER BY" not in self._tail:
            return []
        expressions: dict[str, str] = {}
        columns: dict[str, int] = {}
        for position, item in enumerate(self._items):
            named = _ALIAS.match(item)
            expression = named["expression"] if named else item
            columns.setdefault(expression, position)
            if named:
                columns[named["alias"]] = position
                expressions[named["alias"]] = expression
        keys = [_DIRECTION.sub("", each) for each in split_items(self._tail["ORDER BY"])]
        known = {} if "*" in self._items else columns
        return [known[key] if key in known else _without_aliases(key, expressions) for key in keys]

    def _limit(self) -> int | None:
        body = self._tail.get("LIMIT", "")
        value = str(self.parameters.get(body[1:], "") if body.startswith("$") else body)
        return int(value) if value.isdigit() else None

    def _instability(self) -> Nondeterminism | None:
        if _CHANCE.search(self.cypher):
            return "chance"
        if any(each.keyword in _CUTS for each in self._clauses[: self._last]):
            return "inner limit"
        return "limit without order" if self._tail.keys() & _CUTS and not self._keys else None


def _without_aliases(key: str, expressions: Mapping[str, str]) -> str:
    """Write a sort key with what its aliases stand for, since RETURN cannot use its own aliases."""
    return _WORD.sub(lambda found: f"({expressions[found[0]]})" if found[0] in expressions else found[0], key)
