"""Repairs of what language models write, on the real server: the repaired query has the rows of the one that was meant."""

import neo4j
import pytest
from neo4j.exceptions import ClientError

from t2c_core.guard.guard import Guard
from t2c_core.results import canonical
from t2c_core.schema.model import GraphSchema

pytestmark = pytest.mark.graph


@pytest.fixture(scope="module")
def session(graph):
    with (
        neo4j.GraphDatabase.driver(graph.uri, notifications_min_severity="OFF") as driver,
        driver.session(default_access_mode=neo4j.READ_ACCESS) as session,
    ):
        yield session


@pytest.fixture(scope="module")
def guard(graph):
    return Guard(GraphSchema.load(graph.snapshot))


def rows(session, query, version=5, **parameters):
    found = session.run(f"CYPHER {version} {query}", parameters)
    return sorted(repr([canonical(value) for value in record.values()]) for record in found)


def repaired_rows(session, guard, query, **parameters):
    verdict = guard.check(query, parameters)
    assert verdict.allowed, verdict.message
    return rows(session, verdict.cypher, **parameters)


@pytest.mark.parametrize("query", [
    "MATCH (p:Patient) LET h = p.heightCm, w = p.weightKg FILTER h > 180 RETURN p.patientNumber AS n, h + w AS s",
    "MATCH (p:Patient) LET h = p.heightCm LET m = h / 100.0 RETURN max(m) AS m",
    "LET x = 1 RETURN x",
    "FOR x IN [1, 2, 3] LET y = x * x RETURN y",
    "MATCH (d:Drug) FILTER WHERE d.approvalYear > 2000 RETURN count(d) AS n",
    "MATCH (d:Drug)-[:TREATS]->(x) RETURN d, count(x) AS n NEXT FILTER n > 2 RETURN d.name AS drug, n",
    "MATCH (p:Patient) RETURN p.heightCm AS h ORDER BY h DESC LIMIT 3 NEXT RETURN min(h) AS m",
    "MATCH (d:Drug) RETURN DISTINCT d.approvalYear AS y NEXT RETURN count(y) AS n",
    "MATCH (w:Ward) WHERE EXISTS { LET n = 20 MATCH (w) FILTER w.beds > n RETURN w } RETURN w.name AS name",
    "MATCH (w:Ward) CALL (w) { LET n = w.beds + 1 RETURN n } RETURN w.name AS name, n",
    "OPTIONAL MATCH (d:Drug {name: 'none such'}) LET x = d.name FILTER x IS NULL RETURN count(*) AS n",
])  # fmt: skip
def test_clause_of_cypher_25_and_its_replacement_have_the_same_rows(session, guard, query):
    expected = rows(session, query, version=25)
    assert expected
    assert repaired_rows(session, guard, query) == expected


@pytest.mark.parametrize(
    "hint", ["USING SCAN d:Drug", "USING JOIN ON x", "USING SCAN d:Drug USING SCAN x:Disease"]
)
def test_query_without_its_hints_has_the_same_rows(session, guard, hint):
    query = f"MATCH (d:Drug)-[:TREATS]->(x:Disease)<-[:COVERS]-(s:Specialty) {hint} WHERE x.chronic RETURN d.name, s.name"
    expected = rows(session, query)
    assert expected
    assert repaired_rows(session, guard, query) == expected


def test_hint_that_the_server_cannot_follow_is_no_obstacle(session, guard):
    query = "MATCH (d:Drug) USING TEXT INDEX d:Drug(mechanism) WHERE d.name = 'Warfarin' RETURN d.approvalYear AS y"
    with pytest.raises(ClientError):
        rows(session, query)
    assert repaired_rows(session, guard, query)


@pytest.mark.parametrize("text", ["1.5d", "1.5f", "0.1F", "2.5e1D", ".5d", "1e3f"])
def test_suffix_of_a_number_does_not_change_its_value(session, guard, text):
    assert rows(session, f"RETURN {text} AS x") == rows(session, f"RETURN {text.rstrip('dDfF')} AS x")
    assert repaired_rows(session, guard, f"RETURN {text} AS x") == rows(session, f"RETURN {text} AS x")


@pytest.mark.parametrize("text", ["1.5g", "1d", "1.5df", "1.5_d"])
def test_other_suffixes_are_invalid_for_both(session, guard, text):
    with pytest.raises(ClientError):
        rows(session, f"RETURN {text} AS x")
    assert not guard.check(f"RETURN {text} AS x").allowed


@pytest.mark.parametrize("query", [
    "MATCH (p:Patient) CALL (p) { WITH 2 AS z RETURN p.heightCm + z AS a } RETURN max(a) AS a",
    "MATCH (p:Patient) CALL (*) { WITH 2 AS z WITH z + 1 AS y RETURN p.heightCm + y AS a } RETURN max(a) AS a",
    "MATCH (p:Patient) WHERE EXISTS { WITH 1 AS z MATCH (p)-[t:TAKES]->(d) WHERE t.timesDaily > z RETURN d } RETURN count(p)",
    "MATCH (w:Ward) RETURN w.name, COUNT { MATCH (w)<-[:WORKS_ON]-(d) WITH d.name AS n WHERE n <> w.name RETURN n } AS c",
    "MATCH (w:Ward) RETURN w.name, COLLECT { WITH 1 AS x RETURN w.beds + x } AS c",
])  # fmt: skip
def test_with_in_a_subquery_keeps_variables_on_the_server_too(session, guard, query):
    assert repaired_rows(session, guard, query) == rows(session, query)


@pytest.mark.parametrize("query", [
    "MATCH (w:Ward), (d:Drug) RETURN COLLECT { WITH d AS w RETURN w.name } AS c LIMIT 1",
    "MATCH (w:Ward), (d:Drug) CALL (w, d) { WITH d AS w RETURN w.name AS n } RETURN n LIMIT 1",
    "MATCH (w:Ward), (d:Drug) RETURN EXISTS { UNWIND [d] AS w RETURN w } AS c LIMIT 1",
])  # fmt: skip
def test_server_refuses_that_a_subquery_gives_an_outer_variable_another_value(session, query):
    with pytest.raises(ClientError):
        rows(session, query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "MATCH (p:Patient) WHERE p.birthDate < '1950-01-01' RETURN p.patientNumber",
            "p.birthDate < date('1950-01-01')",
        ),
        ("MATCH (d:Doctor) WHERE '2015-01-01' < d.hireDate RETURN d.name", "d.hireDate > date('2015-01-01')"),
        ("MATCH (d:Drug) WHERE d.approvalYear >= '2000' RETURN d.name", "d.approvalYear >= 2000"),
    ],
)
def test_value_of_another_type_finds_nothing_until_it_gets_the_type(session, guard, query, expected):
    start, _, rest = query.partition(" WHERE ")
    assert rows(session, query) == []
    found = repaired_rows(session, guard, query)
    assert found
    assert found == rows(session, f"{start} WHERE {expected} RETURN {rest.partition(' RETURN ')[2]}")


def test_turned_variable_length_pattern_finds_what_the_written_one_does_not(session, guard):
    query = "MATCH (x:Disease)-[:TREATS*1..2]->(d:Drug) RETURN d.name, x.name"
    assert rows(session, query) == []
    assert repaired_rows(session, guard, query) == rows(
        session, "MATCH (d:Drug)-[:TREATS]->(x:Disease) RETURN d.name, x.name"
    )
