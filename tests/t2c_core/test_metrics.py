"""Measures with known answers, and each fault of others' measures as a case of its own."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from t2c_core.metrics import (
    GoldQuery,
    bootstrap_interval,
    compare,
    exact_match,
    google_bleu,
    jaccard,
    mcnemar,
    pass_at_k,
    precision_recall,
    provenance_query,
    wilson_interval,
)

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


@pytest.mark.parametrize(
    ("cypher", "probe"),
    [
        ("MATCH (n) RETURN n.name", None),
        (
            "MATCH (n) RETURN n.name ORDER BY n.age DESC, n.name LIMIT 3;",
            "MATCH (n) RETURN n.name, n.age AS sort_key_0 ORDER BY n.age DESC, n.name LIMIT 3 + 1",
        ),
        ("MATCH (n) RETURN n.name AS name, count(*) AS c ORDER BY c DESC", None),
        (
            "MATCH (n) RETURN n.name AS name, count(*) AS c ORDER BY c DESC LIMIT 2",
            "MATCH (n) RETURN n.name AS name, count(*) AS c ORDER BY c DESC LIMIT 2 + 1",
        ),
        ("MATCH (n) RETURN n.name ORDER BY n.name LIMIT 1 + 1", None),
        (
            "MATCH (n) RETURN n.a AS x, n.b AS y ORDER BY x + y.x, 'x'",
            (
                "MATCH (n) RETURN n.a AS x, n.b AS y, (n.a) + (n.b).x AS sort_key_0, 'x' AS sort_key_1 "
                "ORDER BY x + y.x, 'x'"
            ),
        ),
        ("MATCH (n) WITH n ORDER BY n.age LIMIT 2 RETURN n.name // ORDER BY x", None),
        ("MATCH (n) RETURN n.a ORDER BY n.a UNION MATCH (n) RETURN n.a ORDER BY n.a", None),
    ],
)
def test_a_probe_returns_hidden_sort_keys_and_one_row_more(cypher: str, probe: str | None) -> None:
    assert GoldQuery(cypher).probe == probe


def test_the_order_of_a_gold_comes_from_its_probe() -> None:
    query = GoldQuery("MATCH (n) RETURN n.name ORDER BY n.age DESC LIMIT 2")
    stable = query.read([["a"], ["b"]], [["a", 9], ["b", 5], ["c", 4]])
    assert (stable.rows, stable.unstable) == ((("a",), ("b",)), None)
    assert stable.order is not None
    assert compare(stable.rows, [["b"], ["a"]], order=stable.order).reason == "row order"
    cut = query.read([["a"], ["b"]], [["a", 9], ["c", 5], ["b", 5]])
    assert cut.unstable == "limit cuts ties"
    tied = query.read([["a"], ["b"]], [["b", 9], ["a", 9]])
    assert compare(tied.rows, [["b"], ["a"]], order=tied.order).equal
    assert query.read([["a"], ["b"]]).order is None
    assert query.read([], []).rows == ()


def test_an_order_by_columns_needs_no_probe() -> None:
    query = GoldQuery("MATCH (n) RETURN n.name AS name, count(*) AS c ORDER BY c DESC, name")
    gold = query.read([["a", 2], ["b", 2], ["c", 1]])
    assert gold.order is not None
    assert len(set(gold.order)) == 3


@pytest.mark.parametrize(
    ("cypher", "unstable"),
    [
        ("MATCH (n) RETURN n.name", None),
        ("MATCH (n) RETURN n.name LIMIT 2", "limit without order"),
        ("MATCH (n) RETURN n.name SKIP 2", "limit without order"),
        ("MATCH (n) WITH n LIMIT 2 RETURN count(n)", "inner limit"),
        ("MATCH (n) RETURN n.name, rand()", "chance"),
        ("MATCH (n) WHERE n.day > date() RETURN n.name", "chance"),
        ("MATCH (n) WHERE n.day > date('2021-01-01') RETURN n.name", None),
        ("MATCH (n) WHERE n.name = 'LIMIT 3' RETURN n.limit", None),
    ],
)
def test_golds_that_may_change_say_why(cypher: str, unstable: str | None) -> None:
    assert GoldQuery(cypher).read([["a"]]).unstable == unstable


def test_a_limit_may_be_a_parameter() -> None:
    query = GoldQuery("MATCH (n) RETURN n.name ORDER BY n.name LIMIT $v1", {"v1": 1})
    assert str(query.probe).endswith("LIMIT $v1 + 1")
    assert query.read([["a"]], [["a"], ["a"]]).unstable == "limit cuts ties"


@pytest.mark.parametrize(
    ("cypher", "expected"),
    [
        ("RETURN 1", None),
        (
            "MATCH (a:X {n: ')'})-[:R]->(), p = (b) WHERE a.x > 1 RETURN a",
            (
                "MATCH provenance_0 = (a:X {n: ')'})-[:R]->(), p = (b) WHERE a.x > 1 "
                "UNWIND coalesce(nodes(provenance_0), []) + coalesce(nodes(p), []) AS node "
                "RETURN DISTINCT elementId(node) AS id"
            ),
        ),
        (
            "MATCH (a) WHERE a.name STARTS WITH 'x' WITH a OPTIONAL MATCH (a)--(b) WITH a, count(b) AS n RETURN n",
            (
                "MATCH provenance_0 = (a) WHERE a.name STARTS WITH 'x' WITH * OPTIONAL MATCH provenance_1 = (a)--(b) "
                "UNWIND coalesce(nodes(provenance_0), []) + coalesce(nodes(provenance_1), []) AS node "
                "RETURN DISTINCT elementId(node) AS id"
            ),
        ),
    ],
)
def test_provenance_is_the_nodes_of_the_leading_patterns(cypher: str, expected: str | None) -> None:
    assert provenance_query(cypher) == expected


def test_provenance_of_a_union_is_that_of_its_branches() -> None:
    found = provenance_query("MATCH (a) RETURN a.x UNION ALL MATCH (b) RETURN b.x")
    assert found is not None
    assert found.count(" UNION ") == 1
    assert found.count("elementId") == 2


def test_exact_match_ignores_blanks_and_the_last_semicolon() -> None:
    assert exact_match("MATCH (n)\n RETURN n ;", "MATCH (n) RETURN n")
    assert not exact_match("MATCH (n) RETURN n", "match (n) return n")


def test_google_bleu_sums_over_the_corpus() -> None:
    # "a b c" has 3 + 2 + 1 runs; "a b d" shares a, b and "a b".
    assert google_bleu([("a b c", "a b d")]) == pytest.approx(3 / 6)
    assert google_bleu([("a b c", "a b d"), ("a", "a")]) == pytest.approx(4 / 7)
    assert google_bleu([("a", "a b c d")]) == pytest.approx(1 / 10)
    assert google_bleu([]) == 0.0
    assert google_bleu([("RETURN n.name", "RETURN n.name")]) == 1.0


def test_wilson_agrees_with_scipy() -> None:
    for successes, tries in [(0, 10), (7, 10), (10, 10), (890, 1187)]:
        ours = wilson_interval(successes, tries)
        theirs = stats.binomtest(successes, tries).proportion_ci(method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson_interval(3, 2)


def test_mcnemar_agrees_with_a_binomial_test() -> None:
    first = [True] * 30 + [False] * 12 + [True] * 50
    second = [False] * 30 + [True] * 12 + [True] * 50
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(12, 42).pvalue)
    assert mcnemar([True], [True]) == 1.0
    assert mcnemar([True, False], [False, True]) == 1.0


def test_bootstrap_is_reproducible_and_close_to_theory() -> None:
    scores = [1.0] * 80 + [0.0] * 20
    found = bootstrap_interval(scores)
    assert found == bootstrap_interval(scores)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.72, 0.88), abs=0.02)
    with pytest.raises(ValueError, match="no scores"):
        bootstrap_interval([])


def test_bootstrap_draws_groups_whole() -> None:
    scores = [1.0] * 50 + [0.0] * 50
    groups = [position // 25 for position in range(100)]
    wide = bootstrap_interval(scores, groups=groups)
    narrow = bootstrap_interval(scores)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_pass_at_k_is_unbiased() -> None:
    assert pass_at_k(10, 0, 5) == 0.0
    assert pass_at_k(10, 10, 1) == 1.0
    assert pass_at_k(4, 1, 1) == 0.25
    assert pass_at_k(4, 1, 2) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="pass@5"):
        pass_at_k(4, 1, 5)
