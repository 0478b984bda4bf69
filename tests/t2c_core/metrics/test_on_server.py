"""Canonical values, probes and provenance against a real Neo4j."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import neo4j
import pytest

from t2c_core.metrics import GoldQuery, compare, jaccard, provenance_query
from t2c_core.results import canonical_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., list[list[Any]]]

pytestmark = pytest.mark.graph

PEOPLE = """
UNWIND [['a', 9], ['b', 5], ['c', 5], ['d', 5], ['e', 1]] AS row
CREATE (p:Person {name: row[0], age: row[1]})
WITH collect(p) AS people UNWIND range(0, 3) AS i
WITH people[i] AS one, people[i + 1] AS other CREATE (one)-[:KNOWS {since: date('2021-07-01')}]->(other)
"""


@pytest.fixture
def run(empty_graph: Any) -> Iterator[Run]:
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver, driver.session() as session:
        session.run(PEOPLE).consume()
        yield lambda cypher, **parameters: canonical_rows(list(session.run(cypher, parameters).values()))


def test_every_type_of_the_server_becomes_plain_json(run: Run) -> None:
    ((found,),) = run(
        """MATCH (p:Person {name: 'a'}) RETURN {
        day: date('2021-07-01'), time: time('10:20:30.5+01:00'), local: localtime('10:20'),
        stamp: datetime('2021-07-01T10:20:30Z'), zoned: datetime('2021-07-01T10:20:30+02:00[Europe/Berlin]'),
        plain: localdatetime('2021-07-01T10:20:30.120'), length: duration('P1Y2M3DT4H5M6.7S'),
        flat: point({x: 1, y: 2}), globe: point({longitude: 1, latitude: 2, height: 3}),
        nan: 0.0 / 0.0, infinite: 1.0 / 0.0, zero: -0.0, list: [1, null, 'x'], none: null, yes: true,
        node: labels(p)}"""
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "day": "2021-07-01",
        "time": "10:20:30.5+01:00",
        "local": "10:20:00",
        "stamp": "2021-07-01T10:20:30Z",
        "zoned": "2021-07-01T10:20:30+02:00",
        "plain": "2021-07-01T10:20:30.12",
        "length": "P1Y2M3DT4H5M6.7S",
        "flat": {"srid": 7203, "x": 1.0, "y": 2.0},
        "globe": {"srid": 4979, "x": 1.0, "y": 2.0, "z": 3.0},
        "nan": "NaN",
        "infinite": "Infinity",
        "zero": -0.0,
        "list": [1, None, "x"],
        "none": None,
        "yes": True,
        "node": ["Person"],
    }


def test_nodes_relationships_and_paths_become_objects(run: Run) -> None:
    ((path, node, relationship),) = run(
        "MATCH p = (a:Person {name: 'a'})-[r:KNOWS]->(b) RETURN p, a, r ORDER BY b.name"
    )
    assert node["labels"] == ["Person"]
    assert node["properties"] == {"age": 9, "name": "a"}
    assert relationship["type"] == "KNOWS"
    assert relationship["properties"] == {"since": "2021-07-01"}
    assert relationship["start"] == node["element_id"]
    assert path["nodes"][0] == node
    assert path["relationships"] == [relationship]


@pytest.mark.parametrize(
    "cypher",
    [
        "MATCH (p:Person) RETURN p.name ORDER BY p.age DESC",
        "MATCH (p:Person) RETURN p.name AS name, p.age AS age ORDER BY age DESC, name LIMIT 2",
        "MATCH (p:Person) RETURN p.name AS name, p.age AS age ORDER BY age + 1, toUpper(name) SKIP 1 LIMIT 2",
        "MATCH (p:Person)-->(o) RETURN p.age, count(*) ORDER BY count(*) DESC, p.age LIMIT 1",
        "MATCH (p:Person) RETURN DISTINCT p.age AS age ORDER BY age LIMIT $v1",
        "MATCH (p:Person) RETURN * ORDER BY p.age, p.name LIMIT 2",
        "MATCH (p:Person) RETURN p.name AS limit ORDER BY p.age, limit LIMIT 3",
        "MATCH (p:Person) RETURN p.name AS name ORDER BY size([name IN ['a'] WHERE name = 'a']), p.name LIMIT 3",
        "MATCH (p:Person) WITH p ORDER BY p.name LIMIT 3 RETURN collect(p.name) AS names ORDER BY size(names)",
    ],
)
def test_gold_against_gold_is_right_and_probes_run(run: Run, cypher: str) -> None:
    query = GoldQuery(cypher, {"v1": 2})
    rows = run(cypher, v1=2)
    gold = query.read(rows, run(query.probe, v1=2) if query.probe else None)
    assert gold.rows == tuple(map(tuple, rows))
    assert gold.order is not None
    assert len(gold.order) == len(rows)
    assert compare(gold.rows, run(cypher, v1=2), order=gold.order).equal


def test_a_limit_that_separates_equal_sort_keys_is_unstable(run: Run) -> None:
    for limit, unstable in ((1, None), (2, "limit cuts ties"), (4, None), (9, None)):
        query = GoldQuery(f"MATCH (p:Person) RETURN p.name ORDER BY p.age DESC LIMIT {limit}")
        gold = query.read(run(query.cypher), run(query.probe))
        assert (limit, gold.unstable) == (limit, unstable)


def test_tied_rows_may_come_in_any_order_but_others_may_not(run: Run) -> None:
    query = GoldQuery("MATCH (p:Person) RETURN p.name ORDER BY p.age DESC")
    gold = query.read(run(query.cypher), run(query.probe))
    assert compare(gold.rows, [["a"], ["d"], ["b"], ["c"], ["e"]], order=gold.order).equal
    assert not compare(gold.rows, [["b"], ["a"], ["c"], ["d"], ["e"]], order=gold.order).equal


@pytest.mark.parametrize(
    ("cypher", "names"),
    [
        ("MATCH (p:Person {name: 'a'})-[:KNOWS]->(o) RETURN o.age", "ab"),
        ("MATCH (p:Person {name: 'a'})-[:KNOWS*2]->(o) RETURN count(*)", "abc"),
        ("MATCH (:Person {name: 'a'})-->(), (x {name: 'e'}) WHERE x.age < 3 RETURN x", "abe"),
        ("MATCH (p {name: 'e'}) OPTIONAL MATCH (p)-->(o) RETURN o", "e"),
        ("MATCH (p:Person {name: 'a'})-->(o) WITH p MATCH (o {name: 'e'}) RETURN o", "abe"),
        ("MATCH (node:Person {name: 'a'}) WHERE node:Call OR true RETURN node", "a"),
        ("MATCH (p {name: 'a'}) RETURN p.age UNION MATCH (p {name: 'e'}) RETURN p.age", "ae"),
        (
            "MATCH (a {name: 'a'}), (c {name: 'c'}) MATCH w = shortestPath((a)-[:KNOWS*]-(c)) RETURN length(w)",
            "abc",
        ),
    ],
)
def test_provenance_is_what_the_patterns_matched(run: Run, cypher: str, names: str) -> None:
    found = {row[0] for row in run(provenance_query(cypher))}
    wanted = {
        row[0] for row in run("MATCH (p) WHERE p.name IN $names RETURN elementId(p)", names=list(names))
    }
    assert jaccard(found, wanted) == 1.0
