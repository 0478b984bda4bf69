"""What variables can be is followed through clauses, subqueries, lists and aggregates."""

import pytest

from t2c_core.cypher import tree as t
from t2c_core.cypher.bindings import Binding
from t2c_core.cypher.parser import parse
from t2c_core.cypher.scope import Scope
from t2c_core.cypher.walk import walk


def node(*names, lists=0):
    return Binding("node", frozenset(names) or None, lists)


def rel(*names, lists=0):
    return Binding("relationship", frozenset(names) or None, lists)


VALUE, UNKNOWN, PATH = Binding("value"), Binding("unknown"), Binding("path")


def columns(text):
    scope = Scope(parse(text))
    assert scope.undefined == []
    return scope.columns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MATCH (x:A) RETURN x", node("A")),
        ("MATCH (x) RETURN x", node()),
        ("MATCH (x:A|B) RETURN x", node("A", "B")),
        ("MATCH (x:A&!B) RETURN x", node("A")),
        ("MATCH (x:!B) RETURN x", node()),
        ("MATCH (x:A|%) RETURN x", node()),
        ("MATCH (x:$($p)) RETURN x", node()),
        ("MATCH (x) WHERE x:A AND x.y = 1 RETURN x", node("A")),
        ("MATCH (x) WHERE x:A OR x.y = 1 RETURN x", node()),
        ("MATCH (x WHERE x:A) RETURN x", node("A")),
        ("MATCH (x:A|B) MATCH (x:B) RETURN x", node("B")),
        ("MATCH (x:A) MATCH (x)-->(:B) RETURN x", node("A")),
        ("MATCH (a)-[x:R|S]->() RETURN x", rel("R", "S")),
        ("MATCH ()-[x:R*1..3]->() RETURN x", rel("R", lists=1)),
        ("MATCH ()-[x:R]->+() RETURN x", rel("R", lists=1)),
        ("MATCH ((x:A)-[r:R]->()){2} RETURN x", node("A", lists=1)),
        ("MATCH ((x:A)-[r:R]->()) RETURN x", node("A")),
        ("MATCH x = (a)-->(b) RETURN x", PATH),
        ("MATCH p = (a)-->(b) RETURN nodes(p) AS x", node(lists=1)),
        ("MATCH (a:A) WITH a AS x RETURN x", node("A")),
        ("MATCH (a:A) WITH a WHERE a:B WITH a AS x RETURN x", node("A", "B")),
        ("MATCH (a:A) WITH collect(a) AS l UNWIND l AS x RETURN x", node("A")),
        ("MATCH (a:A) WITH collect(a)[0] AS x RETURN x", node("A")),
        ("MATCH (a:A) WITH head(collect(a)[..3]) AS x RETURN x", node("A")),
        ("MATCH (a:A), (b:B) RETURN coalesce(a, b) AS x", node("A", "B")),
        ("MATCH (a:A), (b:B) RETURN CASE WHEN a.y THEN a ELSE b END AS x", node("A", "B")),
        ("MATCH (a:A), (b:B) UNWIND [a, b] AS x RETURN x", node("A", "B")),
        ("MATCH (a:A) RETURN [y IN collect(a) WHERE y.z] AS x", node("A", lists=1)),
        ("MATCH (a:A) RETURN [(a)-->(y:Y) | y] AS x", node("Y", lists=1)),
        ("MATCH (a:A) RETURN COLLECT { MATCH (a)-->(y:Y) RETURN y } AS x", node("Y", lists=1)),
        ("MATCH (a:A) CALL (a) { MATCH (a)-->(x:B) RETURN x } RETURN x", node("B")),
        ("MATCH (a:A) CALL { WITH a MATCH (a)-->(x:B) RETURN x } RETURN x", node("B")),
        ("MATCH (a:A) CALL (*) { RETURN a AS x } RETURN x", node("A")),
        ("MATCH (a:A) CALL (a) { WITH 1 AS one RETURN a AS x } RETURN x", node("A")),
        ("MATCH (x:A) RETURN x UNION MATCH (x:B) RETURN x", node("A", "B")),
        ("MATCH (x:A) RETURN x UNION RETURN 1 AS x", UNKNOWN),
        ("MATCH (a:A) RETURN a.name AS x", VALUE),
        ("MATCH (a:A) RETURN {a: a} AS x", UNKNOWN),
        ("MATCH (a:A) RETURN a {.*} AS x", UNKNOWN),
        ("MATCH (a:A) RETURN size(collect(a)) AS x", VALUE),
        ("MATCH (a:A) RETURN count(*) AS x", VALUE),
        ("MATCH ()-[r:R]->() RETURN startNode(r) AS x", node()),
        ("RETURN $p AS x", UNKNOWN),
        ("CALL db.labels() YIELD label AS x RETURN x", UNKNOWN),
        ("MATCH (a:A) RETURN reduce(s = a, y IN [a] | y) AS x", node("A")),
        ("MATCH (a:A) RETURN apoc.x.y(a) AS x", UNKNOWN),
        ("MATCH (a:A) RETURN duration.between(date(), date()) AS x", VALUE),
        ("MATCH (x:A) WITH * RETURN *", node("A")),
    ],
)
def test_what_a_column_can_be(text, expected):
    assert columns(text)["x"] == expected


def test_every_use_of_a_variable_is_known():
    query = parse(
        "MATCH (a:A)-[r:R*2 {y: 1}]->(b) WHERE a.x > 1 AND any(s IN r WHERE s.t = b.u) RETURN a ORDER BY b.z"
    )
    scope = Scope(query)
    found = {(each.name, scope.of(each)) for each in walk(query) if isinstance(each, t.Variable)}
    assert found == {("a", node("A")), ("r", rel("R", lists=1)), ("b", node()), ("s", rel("R"))}


def test_a_repeated_relationship_is_one_within_its_own_condition():
    query = parse("MATCH ()-[r:R* WHERE r.x = 1]->() RETURN 1")
    scope = Scope(query)
    assert {scope.of(each) for each in walk(query) if isinstance(each, t.Variable)} == {
        rel("R", lists=1),
        rel("R"),
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("RETURN x", ["x"]),
        ("MATCH (a) WITH a.b AS c RETURN a", ["a"]),
        ("MATCH (a) CALL { MATCH (b) WHERE b.x = a.x RETURN b } RETURN b", ["a"]),
        ("MATCH (a) CALL () { RETURN a AS c } RETURN c", ["a"]),
        ("MATCH (a) CALL (b) { RETURN 1 AS c } RETURN c", ["b"]),
        ("RETURN [x IN [1] | y], x", ["y", "x"]),
        ("MATCH (a) RETURN EXISTS { (a)-->(b) }, b", ["b"]),
        ("MATCH (a) WHERE a.x = b.y RETURN a UNION MATCH (a) RETURN a", ["b"]),
        ("MATCH (n:Person {name: m}) RETURN n", ["m"]),
    ],
)
def test_undefined_variables_are_found(text, names):
    assert [each.name for each in Scope(parse(text)).undefined] == names


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (a) WITH a.x AS b ORDER BY a.y RETURN b ORDER BY b",
        "MATCH (a) WHERE EXISTS { MATCH (a)-->(b) WITH b WHERE b.x = a.x RETURN b } RETURN a",
        "MATCH (a)-->(b {x: a.y}) RETURN a, b",
        "MATCH (a) RETURN COUNT { (a)-->(b) WHERE b.x = 1 } AS n ORDER BY n",
        "UNWIND [1] AS x CALL (x) { RETURN x AS y UNION RETURN x + 1 AS y } RETURN x, y",
    ],
)
def test_nothing_is_undefined_where_all_is_made(text):
    assert Scope(parse(text)).undefined == []
