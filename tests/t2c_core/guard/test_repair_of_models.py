"""Queries as language models write them: names without backticks, hints, clauses of Cypher 25, values of another type."""

import pytest

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple


def _properties(text):
    return tuple(
        Property(name=name, type=kind or "STRING")
        for name, _, kind in (each.partition("=") for each in text.split(","))
    )


SCHEMA = GraphSchema(
    labels=(
        NodeLabel(name="3DModel", count=20, properties=_properties("name")),
        NodeLabel(name="Employee-Territories", count=20, properties=_properties("name")),
        NodeLabel(name="Genre", count=20, properties=_properties("name")),
        NodeLabel(
            name="Movie", count=3000, properties=_properties("title,released=INTEGER,shown=ZONED DATETIME")
        ),
        NodeLabel(
            name="Person",
            count=1000,
            properties=_properties(
                "name,age=INTEGER,born=DATE,wakes=LOCAL TIME,city.name,ns3__family-name,2fa enabled,price(EUR),secret-code"
            ),
        ),
    ),
    types=tuple(
        RelationshipType(name=name, count=count)
        for name, count in (("IN_GENRE", 9000), ("KNOWS", 90_000), ("REPORTS_TO", 999), ("pulled:From", 9))
    ),
    triples=(
        Triple(source="Movie", type="IN_GENRE", target="Genre", count=9000),
        Triple(source="Person", type="KNOWS", target="Person", count=90_000),
        Triple(source="Person", type="REPORTS_TO", target="Person", count=999),
        Triple(source="Person", type="pulled:From", target="Movie", count=9),
    ),
)
GUARD = Guard(SCHEMA, Policy(hidden=frozenset({"Person.secret-code"})))


def repaired(query, parameters=None):
    """Return the repaired query without the limit that the guard adds, and the codes of all other repairs."""
    verdict = GUARD.check(query, parameters)
    assert verdict.allowed, (query, verdict.codes, verdict.message)
    assert GUARD.check(verdict.cypher, parameters).cypher == verdict.cypher
    codes = {each.code for each in verdict.repairs} - {"repair.limit"}
    return verdict.cypher.removesuffix(" LIMIT 1001"), codes


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("MATCH (x:Person) RETURN x.city.name", "MATCH (x:Person) RETURN x.`city.name`"),
        ("MATCH (n:Person) RETURN n.ns3__family-name", "MATCH (n:Person) RETURN n.`ns3__family-name`"),
        (
            "MATCH (:Person)-[:pulled:From]->(m:Movie) RETURN m.title",
            "MATCH (:Person)-[:`pulled:From`]->(m:Movie) RETURN m.title",
        ),
        (
            "MATCH (n:Person) WHERE n.2fa enabled = 'yes' RETURN n.name",
            "MATCH (n:Person) WHERE n.`2fa enabled` = 'yes' RETURN n.name",
        ),
        (
            "MATCH (n:Person {2fa enabled: 'yes'}) RETURN n.city.name",
            "MATCH (n:Person {`2fa enabled`: 'yes'}) RETURN n.`city.name`",
        ),
        (
            "MATCH (n:Person) RETURN max(n.price(EUR)) AS m",
            "MATCH (n:Person) RETURN max(n.`price(EUR)`) AS m",
        ),
        ("MATCH (n:3DModel) RETURN n.name", "MATCH (n:`3DModel`) RETURN n.name"),
        (
            "MATCH (n) WHERE n:Employee-Territories RETURN count(n) AS c",
            "MATCH (n) WHERE n:`Employee-Territories` RETURN count(n) AS c",
        ),
    ],
)
def test_names_that_mean_something_else_without_backticks_get_them(query, expected):
    assert repaired(query) == (expected, {"repair.backticks"})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("MATCH (n:Person) WHERE n.age > 3 RETURN n.age-name", "scope.variable"),
        ("MATCH (n:Person) RETURN n.secret-code", "scope.variable"),
        ("MATCH (n:Person) RETURN n.ns3__family-name, n.nothing", "scope.variable"),
        ("MATCH (n:Person) RETURN n.price(USD)", "allow.function"),
    ],
)
def test_names_that_the_schema_lacks_or_hides_get_no_backticks(query, code):
    assert GUARD.check(query).codes == (code,)


def test_subtraction_of_a_variable_stays_one():
    query = "MATCH (n:Person) WITH n, 1 AS name WITH n.age - name AS a RETURN a LIMIT 3"
    assert GUARD.check(query).cypher == query


@pytest.mark.parametrize("hint", [
    "USING INDEX n:Person(name)", "USING TEXT INDEX n:Person(name)", "USING RANGE INDEX SEEK n:Person(name, age)",
    "USING POINT INDEX n:Person(name)", "USING SCAN n:Person", "USING JOIN ON n", "USING INDEX seek:Person(name)",
    "USING SCAN n:Person USING JOIN ON n, m",
])  # fmt: skip
def test_hints_to_the_planner_are_left_out(hint):
    query = f"MATCH (n:Person)-[:KNOWS]->(m:Person) {hint} WHERE n.name = 'x' RETURN m.name"
    expected = "MATCH (n:Person)-[:KNOWS]->(m:Person) WHERE n.name = 'x' RETURN m.name"
    assert repaired(query) == (expected, {"repair.hint"})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "MATCH (p:Person) LET x = p.age, y = 2 FILTER x > y RETURN x",
            "MATCH (p:Person) WITH *, p.age AS x, 2 AS y WITH * WHERE x > y RETURN x",
        ),
        ("LET x = 1 RETURN x", "WITH 1 AS x RETURN x"),
        ("FOR x IN [1, 2] RETURN x", "UNWIND [1, 2] AS x RETURN x"),
        (
            "MATCH (p:Person) FILTER WHERE p.age > 3 RETURN p.name",
            "MATCH (p:Person) WITH * WHERE p.age > 3 RETURN p.name",
        ),
        (
            "MATCH (p:Person) RETURN p.age AS age ORDER BY age LIMIT 3 NEXT RETURN max(age) AS oldest",
            "MATCH (p:Person) WITH p.age AS age ORDER BY age LIMIT 3 RETURN max(age) AS oldest",
        ),
        (
            "MATCH (p:Person) WHERE EXISTS { LET z = 2 MATCH (p)-[:KNOWS]->(q) FILTER q.age > z RETURN q } RETURN p.name",
            "MATCH (p:Person) WHERE EXISTS { WITH 2 AS z MATCH (p)-[:KNOWS]->(q) WITH * WHERE q.age > z RETURN q } RETURN p.name",
        ),
    ],
)
def test_clauses_of_cypher_25_become_those_of_cypher_5(query, expected):
    assert repaired(query) == (expected, {"repair.language"})


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("WHEN true THEN RETURN 1 AS x ELSE RETURN 2 AS x", "CASE"),
        ("MATCH (m:Movie) SEARCH m IN (VECTOR INDEX e FOR [1] LIMIT 5) RETURN m.title", "no vector search"),
        ("{ MATCH (p:Person) RETURN p } NEXT RETURN p.name", "CALL"),
        ("MATCH (p:Person) RETURN p.name NEXT RETURN 1 AS x", "AS name"),
        ("MATCH (p:Person) LET n = count(p) RETURN n", "WITH"),
        ("RETURN 1 AS x NEXT RETURN x UNION RETURN 2 AS x", "CALL { … UNION … }"),
    ],
)
def test_other_parts_of_cypher_25_are_refused_with_advice(query, advice):
    verdict = GUARD.check(query)
    assert verdict.codes == ("parse.syntax",)
    assert advice in verdict.message


@pytest.mark.parametrize("query", [
    "MATCH (p:Person) CALL (p) { WITH 2 AS z RETURN p.age + z AS a } RETURN a LIMIT 3",
    "MATCH (p:Person) CALL (*) { WITH 2 AS z WITH z + 1 AS y RETURN p.age + y AS a } RETURN a LIMIT 3",
    "MATCH (p:Person) WHERE EXISTS { WITH 2 AS z MATCH (p)-[:KNOWS]->(q) WHERE q.age > z RETURN q } RETURN count(p)",
    "MATCH (p:Person) RETURN COUNT { MATCH (p)-[:KNOWS]->(q) WITH DISTINCT q.name AS n WHERE n <> p.name RETURN n } LIMIT 3",
])  # fmt: skip
def test_with_in_a_subquery_keeps_the_variables_from_outside(query):
    verdict = GUARD.check(query)
    assert verdict.allowed, verdict.message
    assert verdict.cypher == query


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("MATCH (p:Person) CALL { WITH p WITH 2 AS z RETURN p.age + z AS a } RETURN a", "scope.variable"),
        ("MATCH (p:Person) WITH 2 AS z RETURN p.age + z", "scope.variable"),
        ("MATCH (p:Person) CALL (p) { WITH 2 AS z RETURN p.secret-code AS a } RETURN a", "scope.variable"),
        ("MATCH (p:Person) CALL (p) { WITH 2 AS z RETURN p.`secret-code` AS a } RETURN a", "policy.property"),
        (
            "MATCH (p:Person), (m:Movie) RETURN COLLECT { WITH m AS p RETURN p.`secret-code` } AS a",
            "policy.property",
        ),
    ],
)
def test_other_variables_are_not_kept_and_hidden_properties_not_read(query, code):
    assert GUARD.check(query).codes == (code,)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "MATCH (g:Genre)-[:IN_GENRE*1..2]->(m:Movie) RETURN m.title",
            "MATCH (g:Genre)<-[:IN_GENRE*1..2]-(m:Movie) RETURN m.title",
        ),
        (
            "MATCH (m:Movie)<-[:IN_GENRE]-{1,2}(g:Genre) RETURN m.title",
            "MATCH (m:Movie)-[:IN_GENRE]->{1,2}(g:Genre) RETURN m.title",
        ),
        (
            "MATCH (g:Genre)-[:IN_GENRE|KNOWS*]->(m:Movie) RETURN m.title",
            "MATCH (g:Genre)<-[:IN_GENRE|KNOWS*]-(m:Movie) RETURN m.title",
        ),
    ],
)
def test_variable_length_pattern_is_turned_where_only_the_other_direction_exists(query, expected):
    assert repaired(query) == (expected, {"repair.direction"})


@pytest.mark.parametrize("query", [
    "MATCH (m:Movie)-[:IN_GENRE*1..2]->(g:Genre) RETURN count(*)",
    "MATCH (g:Genre)-[:IN_GENRE*0..2]->(h:Genre) RETURN count(*)",
    "MATCH (m:Movie)<-[:KNOWS*1..2]-(g:Genre) RETURN count(*)",
    "MATCH (p:Person)<-[:KNOWS*1..2]-(q:Person) RETURN count(*)",
    "MATCH (g)-[:IN_GENRE*1..2]->(m:Movie) RETURN count(*)",
])  # fmt: skip
def test_other_variable_length_patterns_keep_their_direction(query):
    assert GUARD.check(query).cypher == query


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("p.born > '1990-01-31'", "p.born > date('1990-01-31')"),
        ("'1990-01-31' <= p.born", "date('1990-01-31') <= p.born"),
        (
            "p.born IN ['1990-01-31', date('1991-01-01')]",
            "p.born IN [date('1990-01-31'), date('1991-01-01')]",
        ),
        ("p.born = $day", "p.born = date($day)"),
        ("p.wakes < '06:30'", "p.wakes < localtime('06:30')"),
        ("p.age >= '30'", "p.age >= 30"),
        ("p.age = '-1.5'", "p.age = -1.5"),
    ],
)
def test_value_gets_the_type_of_the_property(condition, expected):
    query = f"MATCH (p:Person) WHERE {condition} RETURN p.name"
    found = repaired(query, {"day": "1990-01-31"} if "$day" in condition else None)
    assert found == (f"MATCH (p:Person) WHERE {expected} RETURN p.name", {"repair.value"})


def test_value_in_a_pattern_gets_the_type_of_the_property():
    assert repaired("MATCH (p:Person {born: '1990-01-31'}) RETURN p.name")[0] == (
        "MATCH (p:Person {born: date('1990-01-31')}) RETURN p.name"
    )


def test_literal_that_a_parameter_replaces_keeps_its_type():
    found, codes = repaired(
        "MATCH (p:Person) WHERE p.born = '1990-01-31' RETURN p.name", {"v1": "1990-01-31"}
    )
    assert found == "MATCH (p:Person) WHERE p.born = date($v1) RETURN p.name"
    assert codes == {"repair.value", "repair.parameter"}


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("p.born > '1990'", "born is a DATE, which is never compared with the string '1990'"),
        ("p.born STARTS WITH '1990'", "born is a DATE, which has no STARTS WITH"),
        ("p.born CONTAINS '05'", "born is a DATE, which has no CONTAINS"),
        ("p.born > datetime('1990-01-01T00:00')", "born is a DATE, which is never compared with datetime()"),
        ("p.wakes < 'noon'", "wakes is a LOCAL TIME"),
    ],
)
def test_value_of_no_such_type_is_refused_with_the_type(condition, what):
    verdict = GUARD.check(f"MATCH (p:Person) WHERE {condition} RETURN p.name")
    assert verdict.codes == ("schema.value",)
    assert what in verdict.message
    assert "write " in verdict.message


def test_day_is_before_or_after_a_moment_but_never_equal_to_one():
    moment = "MATCH (m:Movie) WHERE m.shown {} '2020-05-01' RETURN m.title"
    assert repaired(moment.format(">="))[0] == (
        "MATCH (m:Movie) WHERE m.shown >= datetime('2020-05-01') RETURN m.title"
    )
    assert GUARD.check(moment.format("=")).codes == ("schema.value",)


@pytest.mark.parametrize(
    "condition", ["p.name = '1990-01-01'", "p.age = 'young'", "p.born = $unknown", "p.born = q.born"]
)
def test_other_comparisons_are_unchanged(condition):
    query = f"MATCH (p:Person)-[:KNOWS]->(q:Person) WHERE {condition} RETURN count(p)"
    assert GUARD.check(query).cypher == query


def test_unbounded_pattern_between_many_nodes_is_refused_with_an_estimate():
    verdict = GUARD.check("MATCH (a:Person)-[:KNOWS*]->(b:Person) RETURN count(*) AS n")
    assert verdict.codes == ("cost.hops",)
    assert "about 7e8 paths of 3 KNOWS relationships" in verdict.message


@pytest.mark.parametrize("query", [
    "MATCH (a:Person)-[:REPORTS_TO*]->(b:Person) RETURN count(*) AS n",
    "MATCH (a:Movie)-[:IN_GENRE*]->(b:Genre) RETURN count(*) AS n",
    "MATCH (a:Person {name: 'x'})-[:KNOWS*]->(b:Person) RETURN count(*) AS n",
    "MATCH (a:Person)-[:KNOWS*1..2]->(b:Person) RETURN count(*) AS n",
    "MATCH p = shortestPath((a:Person)-[:KNOWS*]->(b:Person)) RETURN max(length(p)) AS n",
])  # fmt: skip
def test_pattern_that_matches_few_paths_is_unchanged(query):
    assert GUARD.check(query).cypher == query


def test_unbounded_pattern_that_grows_slowly_is_bounded_with_the_estimate():
    schema = GraphSchema(
        labels=(NodeLabel(name="Task", count=1000, properties=_properties("name")),),
        types=(RelationshipType(name="NEEDS", count=3000),),
        triples=(Triple(source="Task", type="NEEDS", target="Task", count=3000),),
    )
    verdict = Guard(schema).check("MATCH (a:Task)-[:NEEDS*]->(b:Task) RETURN count(*) AS n")
    assert verdict.cypher == "MATCH (a:Task)-[:NEEDS*..10]->(b:Task) RETURN count(*) AS n"
    assert "about 2e8 paths of 11 NEEDS relationships" in verdict.repairs[0].message
