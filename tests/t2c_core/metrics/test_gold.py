"""Gold queries: their probes, the order of their rows, and why another run may give other rows."""

from __future__ import annotations

import pytest

from t2c_core.metrics import GoldQuery, compare


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
        (
            "MATCH (n) RETURN n.name ORDER BY n.name LIMIT 1 + 1",
            "MATCH (n) RETURN n.name ORDER BY n.name LIMIT (1 + 1) + 1",
        ),
        (
            "MATCH (n) RETURN n.a AS x, n.b AS y ORDER BY x + y.x, 'x'",
            (
                "MATCH (n) RETURN n.a AS x, n.b AS y, n.a + n.b.x AS sort_key_0, 'x' AS sort_key_1 "
                "ORDER BY x + y.x, 'x'"
            ),
        ),
        ("MATCH (n) WITH n ORDER BY n.age LIMIT 2 RETURN n.name // ORDER BY x", None),
        ("MATCH (n) RETURN n.a ORDER BY n.a UNION MATCH (n) RETURN n.a ORDER BY n.a", None),
        # The next four were read wrongly when clauses were cut out of the text.
        (
            "MATCH (n) RETURN n.top AS limit ORDER BY n.age, limit LIMIT 3",
            "MATCH (n) RETURN n.top AS `limit`, n.age AS sort_key_0 ORDER BY n.age, `limit` LIMIT 3 + 1",
        ),
        ("MATCH (n) RETURN n.a AS return, n.b ORDER BY  n . b", None),
        (
            "MATCH (n) RETURN n.xs AS x ORDER BY size([x IN x WHERE x > 1])",
            "MATCH (n) RETURN n.xs AS x, size([x IN x WHERE x > 1]) AS sort_key_0 ORDER BY size([x IN x WHERE x > 1])",
        ),
        ("MATCH (n) RETURN count( * ), n.a ORDER BY count(*) DESCENDING", None),
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
        ("MATCH (n) RETURN n.name, 'rand()' // date()", None),
        ("MATCH (n) WHERE n.at > datetime.realtime('Europe/Berlin') RETURN n.name", "chance"),
        ("MATCH (n) WHERE n.at > datetime({timezone: 'Europe/Berlin'}) RETURN n.name", "chance"),
        ("MATCH (n) RETURN n.rand, date({year: 2021}) AS day", None),
        ("MATCH (n) CALL (n) { MATCH (n)--(m) RETURN m LIMIT 1 } RETURN m.name", "inner limit"),
        ("MATCH (n) RETURN n.x LIMIT 1 UNION MATCH (m) RETURN m.x", "limit without order"),
        ("MATCH (n) RETURN n.x ORDER BY n.x LIMIT 1 UNION MATCH (m) RETURN m.x", "inner limit"),
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
