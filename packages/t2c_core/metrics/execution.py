"""Execution metrics: comparison of the rows of a generated query with those of its gold query.

Rows have the form of `results.canonical_rows`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from t2c_core.results import KeyedRows, keyed_results

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from collections.abc import Set as AbstractSet

    from t2c_core.results import Rows

MAX_STEPS = 20_000
"""Maximum number of columns tried per comparison; only constructed results need more."""

Reason = Literal["equal", "row count", "column count", "values", "row order", "undecided"]


@dataclass(frozen=True, slots=True)
class ResultComparison:
    """Whether two results are equal, and the first difference if they are not."""

    equal: bool
    """Execution accuracy (EX) of one pair: 1 or 0."""
    reason: Reason
    """`undecided` counts as not equal: the search for a column order was given up."""


def compare(gold: Rows, predicted: Rows, *, order: Sequence[Hashable] | None = None) -> ResultComparison:
    """Return whether two results are equal as bags of rows under some order of the columns.

    Args:
        gold: Rows of the gold query.
        predicted: Rows of the generated query.
        order: Sort key of each gold row if the order of rows matters: only neighbouring rows with equal keys may
            be permuted. None if rows may have any order.

    Source:
        Execution accuracy of CypherBench (arXiv 2412.18702), without its random choice of columns, its
        failure on nulls in lists and on date-times, and its requirement that ties be broken alike.
    """
    if len(gold) != len(predicted):
        return ResultComparison(False, "row count")
    if not gold:
        return ResultComparison(True, "equal")
    if len({len(row) for row in chain(gold, predicted)}) != 1:
        return ResultComparison(False, "column count")
    left, right = keyed_results(gold, predicted)
    free = _aligns(left, right, [0] * len(gold))
    if free is not True or order is None:
        return ResultComparison(bool(free), "equal" if free else "values" if free is False else "undecided")
    ordered = _aligns(left, right, _groups(order))
    return ResultComparison(
        bool(ordered), "equal" if ordered else "row order" if ordered is False else "undecided"
    )


def precision_recall(gold: Rows, predicted: Rows) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the cells of a result, compared as a bag.

    The precision is what SyntheT2C calls execution accuracy. Two empty results have 1.0 in all three.
    """
    left, right = (Counter(chain.from_iterable(rows)) for rows in keyed_results(gold, predicted))
    if not left and not right:
        return 1.0, 1.0, 1.0
    shared = (left & right).total()
    precision = shared / right.total() if right else 0.0
    recall = shared / left.total() if left else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if shared else 0.0


def jaccard(gold: AbstractSet[Any], predicted: AbstractSet[Any]) -> float:
    """Return the Jaccard similarity of two sets, which for provenance nodes is PSJS; 1.0 for two empty sets.

    Source:
        Provenance subgraph Jaccard similarity of CypherBench (arXiv 2412.18702).
    """
    union = len(gold | predicted)
    return len(gold & predicted) / union if union else 1.0


def _groups(order: Sequence[Hashable]) -> list[int]:
    """Return the number of the run of equal neighbouring keys which each key is in."""
    groups: list[int] = []
    for position, key in enumerate(order):
        same = position > 0 and key == order[position - 1]
        groups.append(groups[-1] + (not same) if groups else 0)
    return groups


def _aligns(gold: KeyedRows, predicted: KeyedRows, groups: list[int]) -> bool | None:
    """Return whether some order of the predicted columns makes the rows of each group equal as bags.

    Backtracking search: columns are placed one by one, and a branch ends as soon as the rows placed so far differ
    as bags. Equal columns are tried once. None if the search was given up.
    """
    wanted = list(zip(*gold, strict=True))
    offered = list(zip(*predicted, strict=True))
    candidates = _candidates(wanted, offered, groups)
    steps = 0

    def place(position: int, left: list[int], right: list[int], free: frozenset[int]) -> bool | None:
        nonlocal steps
        if position == len(wanted):
            return True
        tried: set[tuple[Hashable, ...]] = set()
        for column in candidates[position]:
            if column not in free or offered[column] in tried:
                continue
            tried.add(offered[column])
            steps += 1
            if steps > MAX_STEPS:
                return None
            refined = _refine(left, right, wanted[position], offered[column])
            if refined:
                found = place(position + 1, *refined, free - {column})
                if found is not False:
                    return found
        return False

    return place(0, groups, list(groups), frozenset(range(len(offered))))


def _candidates(
    wanted: list[tuple[Hashable, ...]], offered: list[tuple[Hashable, ...]], groups: list[int]
) -> list[list[int]]:
    """Return, for each gold column, the predicted columns with the same values in each group of rows."""
    by_content: dict[Hashable, list[int]] = defaultdict(list)
    for position, column in enumerate(offered):
        by_content[_content(column, groups)].append(position)
    return [by_content.get(_content(column, groups), []) for column in wanted]


def _content(column: tuple[Hashable, ...], groups: list[int]) -> Hashable:
    return frozenset(Counter(zip(groups, column, strict=True)).items())


def _refine(
    left: list[int], right: list[int], wanted: tuple[Hashable, ...], offered: tuple[Hashable, ...]
) -> tuple[list[int], list[int]] | None:
    """Return classes of equal rows refined by one more column on both sides; None if their sizes differ."""
    numbers: dict[tuple[int, Hashable], int] = {}
    new_left = [numbers.setdefault(key, len(numbers)) for key in zip(left, wanted, strict=True)]
    new_right = [numbers.setdefault(key, len(numbers)) for key in zip(right, offered, strict=True)]
    return (new_left, new_right) if Counter(new_left) == Counter(new_right) else None
