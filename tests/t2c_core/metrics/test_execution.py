"""Comparison of results: known verdicts, agreement with trying every order of columns, and faults of other measures."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2c_core.metrics import compare, jaccard, precision_recall

cells = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", 0.5, "2021-07-01"])
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


@settings(deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_rows_and_columns_may_stand_in_any_order(table: list[list[object]], chance: random.Random) -> None:
    columns = list(range(len(table[0])))
    chance.shuffle(columns)
    mixed = [[row[column] for column in columns] for row in table]
    chance.shuffle(mixed)
    assert compare(table, mixed).equal


@given(tables, tables)
@settings(deadline=None, max_examples=300)
def test_the_verdict_is_that_of_trying_every_order_of_columns(
    gold: list[list[object]], predicted: list[list[object]]
) -> None:
    def bag(rows: list[list[object]]) -> list[str]:
        return sorted(repr([(type(each) is bool, each) for each in row]) for row in rows)

    expected = len(gold[0]) == len(predicted[0]) and any(
        bag(gold) == bag([[row[column] for column in order] for row in predicted])
        for order in permutations(range(len(gold[0])))
    )
    assert compare(gold, predicted).equal == expected


@settings(deadline=None)
@given(tables)
def test_gold_against_gold_is_right(table: list[list[object]]) -> None:
    assert compare(table, table, order=range(len(table))).equal
    assert precision_recall(table, table) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("gold", "predicted", "reason"),
    [
        ([], [], "equal"),
        ([[1]], [], "row count"),
        ([[1], [1]], [[1]], "row count"),
        ([[1], [1], [2]], [[1], [2], [2]], "values"),
        ([[1]], [[1, 2]], "column count"),
        ([[1, 2]], [[2, 1]], "equal"),
        ([[1, 2], [2, 1]], [[1, 2], [1, 2]], "values"),
        ([["a", 1], ["b", 2]], [[1, "b"], [2, "a"]], "values"),
        ([[3]], [[3.0]], "equal"),
        ([[54.1234567890123]], [[54.1234567890124]], "equal"),
        ([[None, ["x", None]]], [[[None, "x"], None]], "equal"),
        ([["2021-07-01T10:00:00Z"]], [["2021-07-01T10:00:00Z"]], "equal"),
        ([[True]], [["yes"]], "equal"),
        ([[1]], [[True]], "values"),
    ],
)
def test_known_verdicts(gold: list[list[object]], predicted: list[list[object]], reason: str) -> None:
    assert compare(gold, predicted).reason == reason


def test_ties_in_the_order_may_be_broken_either_way() -> None:
    gold = [["a", 9], ["b", 5], ["c", 5], ["d", 1]]
    order = [9, 5, 5, 1]
    assert compare(gold, [["a", 9], ["c", 5], ["b", 5], ["d", 1]], order=order).equal
    assert compare(gold, [[5, "b"], [9, "a"], [5, "c"], [1, "d"]], order=order).reason == "row order"
    assert compare(gold, [["b", 5], ["a", 9], ["c", 5], ["d", 1]]).equal


def test_wide_results_are_compared_at_once() -> None:
    chance = random.Random(0)
    wide = [[chance.randint(0, 1) for _ in range(30)] for _ in range(40)]
    order = list(range(30))
    chance.shuffle(order)
    assert compare(wide, [[row[column] for column in order] for row in wide]).equal
    same = [[1] * 60 for _ in range(5)]
    assert compare(same, same).equal
    other = [[*row[:-1], 1 - row[-1]] for row in wide]
    assert compare(wide, other).reason == "values"


def test_a_search_that_would_not_end_is_given_up() -> None:
    # Latin squares of the same order that are not alike: every column has the same values.
    cyclic = [[(row + column) % 16 for column in range(16)] for row in range(16)]
    bitwise = [[row ^ column for column in range(16)] for row in range(16)]
    assert compare(cyclic, bitwise).reason in {"values", "undecided"}


def test_precision_counts_cells_and_recall_what_was_found() -> None:
    assert precision_recall([["a"], ["b"], ["c"]], [["a"], ["b"], ["x"], ["y"]]) == (
        0.5,
        pytest.approx(2 / 3),
        pytest.approx(4 / 7),
    )
    assert precision_recall([["a"]], []) == (0.0, 0.0, 0.0)
    assert precision_recall([], [["a"]]) == (0.0, 0.0, 0.0)
    assert precision_recall([], []) == (1.0, 1.0, 1.0)
    assert precision_recall([["a"]], [["a", 7]])[0] == 0.5


def test_jaccard_of_provenance() -> None:
    assert jaccard({1, 2, 3}, {2, 3, 4}) == 0.5
    assert jaccard(set(), set()) == 1.0
    assert jaccard({1}, set()) == 0.0
