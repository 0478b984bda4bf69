"""A lenient comparison of results: equal as sets of rows, over the columns of the one that has fewer of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from t2c_core.results import keyed_results

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from t2c_core.results import Rows

MAX_STEPS = 5_000
"""Maximum number of columns tried per comparison; only constructed results need more."""


def equal_on_common_columns(gold: Rows, predicted: Rows) -> bool:
    """Return whether the rows are equal as sets once the columns that only one result has are left out.

    Golds that people or language models write often return more columns than a question asks for, or a node where it
    asks for a name: a column of nodes counts as the columns of their properties. Numbers of equal rows and the order
    of rows do not count.

    Args:
        gold: Rows of the gold query.
        predicted: Rows of the generated query.
    """
    if not gold or not predicted:
        return not gold and not predicted
    few, many = keyed_results(_properties(gold), _properties(predicted))
    if len(few[0]) > len(many[0]):
        few, many = many, few
    wanted, offered = list(zip(*few, strict=True)), list(zip(*many, strict=True))
    candidates = [
        [number for number, column in enumerate(offered) if set(column) == set(each)] for each in wanted
    ]
    steps = 0

    def place(chosen: tuple[int, ...]) -> bool:
        nonlocal steps
        if _projected(wanted, range(len(chosen))) != _projected(offered, chosen):
            return False
        if len(chosen) == len(wanted):
            return True
        for column in candidates[len(chosen)]:
            steps += 1
            if steps > MAX_STEPS:
                return False
            if column not in chosen and place((*chosen, column)):
                return True
        return False

    return place(())


def _projected(columns: Sequence[tuple[Hashable, ...]], chosen: Sequence[int]) -> set[tuple[Hashable, ...]]:
    return set(zip(*(columns[number] for number in chosen), strict=True)) if chosen else set()


def _properties(rows: Rows) -> list[list[Any]]:
    """Return rows with a column for each property in place of a column of nodes or relationships."""
    columns: list[list[Any]] = []
    for column in zip(*rows, strict=True):
        held = [_held(cell) for cell in column]
        if any(each is None for each in held):
            columns.append(list(column))
            continue
        names = sorted({name for each in held for name in each or ()})
        columns += [[(each or {}).get(name) for each in held] for name in names]
    return [list(row) for row in zip(*columns, strict=True)]


def _held(cell: Any) -> Mapping[str, Any] | None:
    """Return the properties of a node or relationship; None for other values."""
    if isinstance(cell, Mapping) and "element_id" in cell:
        properties = cell.get("properties")
        return properties if isinstance(properties, Mapping) else None
    return None
