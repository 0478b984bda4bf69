"""Limits at which an ordered answer is determined."""

import pytest

from t2c_data.planning.limit_ties import order_limit, over_fetch, resolve_ties

TOP = "MATCH (d:Drug) RETURN d.name, count(*) ORDER BY count(*) DESC LIMIT $v1"
BY_AGE = "MATCH (p:Person) RETURN p.name ORDER BY p.age LIMIT 1"


def answer(*ranks: int) -> list[list[object]]:
    return [[f"name {place}", rank] for place, rank in enumerate(ranks)]


@pytest.mark.parametrize(
    ("ranks", "asked", "given", "why"),
    [
        ((9, 8, 7, 6, 5), 3, 3, ""),
        ((9, 8, 7, 7, 5), 3, 2, ""),
        ((9, 9, 9, 7, 6), 2, 2, "tie"),
        ((9, 9, 7, 7, 6), 3, 2, ""),
        ((9, 8, 7, 7, 7), 4, 2, ""),
        ((9, 9, 8, 7), 1, 1, "tie"),
        ((9, 9, 9, 9), 3, 3, "tie"),
        ((9, 9, 9), 2, 2, "tie"),
        ((9,), 3, 3, "short"),
        ((9, 8), 5, 5, ""),
    ],
)
def test_a_limit_moves_to_the_nearest_place_that_nobody_shares(
    ranks: tuple[int, ...], asked: int, given: int, why: str
) -> None:
    assert resolve_ties(TOP, answer(*ranks), asked) == (given, why)


def test_what_the_order_is_by_is_asked_for_too() -> None:
    assert order_limit(BY_AGE, {}) == 1
    assert order_limit(TOP, {"v1": 5}) == 5
    assert order_limit("MATCH (p:Person) RETURN p.name", {}) is None
    cypher, parameters = over_fetch(BY_AGE, {}, 25)
    assert cypher == "MATCH (p:Person) RETURN p.name, p.age ORDER BY p.age LIMIT 25"
    assert parameters == {}
    assert over_fetch(TOP, {"v1": 5, "v2": "x"}, 25) == (TOP, {"v1": 25, "v2": "x"})


def test_an_order_that_no_column_shows_decides_nothing() -> None:
    assert (
        resolve_ties("MATCH (p:Person) RETURN p.name ORDER BY p.age LIMIT 3", answer(3, 2), 3)[1] == "order"
    )
