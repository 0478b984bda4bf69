"""Repairs: an error with exactly one repair is repaired and recorded; nothing else is changed."""

import pytest

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple

CASES = [
    (
        "repair.direction",
        "MATCH (x:Disease)-[:TREATS]->(d:Drug) RETURN d.name LIMIT 5",
        "MATCH (x:Disease)<-[:TREATS]-(d:Drug) RETURN d.name LIMIT 5",
    ),
    (
        "repair.direction",
        "MATCH (d:Drug)<-[:TREATS]-(:Disease {name: 'Gout'}) RETURN d.name LIMIT 5",
        "MATCH (d:Drug)-[:TREATS]->(:Disease {name: 'Gout'}) RETURN d.name LIMIT 5",
    ),
    (
        "repair.direction",
        "MATCH (d:Drug) WHERE EXISTS { (d)<-[:TREATS]-() } RETURN count(d)",
        "MATCH (d:Drug) WHERE EXISTS { (d)-[:TREATS]->() } RETURN count(d)",
    ),
    (
        "repair.column",
        "MATCH (d:Drug) RETURN d.name, d.approvalYear, d.name ORDER BY d.name LIMIT 5",
        "MATCH (d:Drug) RETURN d.name, d.approvalYear ORDER BY d.name LIMIT 5",
    ),
    (
        "repair.column",
        "MATCH (d:Drug) WITH d, d RETURN d.name AS x, d.name AS y LIMIT 5",
        "MATCH (d:Drug) WITH d RETURN d.name AS x, d.name AS y LIMIT 5",
    ),
    ("repair.label", "MATCH (d:drug) RETURN count(d)", "MATCH (d:Drug) RETURN count(d)"),
    ("repair.label", "MATCH (d:lab_test) RETURN count(d)", "MATCH (d:LabTest) RETURN count(d)"),
    (
        "repair.label",
        "MATCH (d:Drug)-[:treats]->() RETURN count(d)",
        "MATCH (d:Drug)-[:TREATS]->() RETURN count(d)",
    ),
    (
        "repair.property",
        "MATCH (d:Drug) RETURN max(d.ApprovalYear)",
        "MATCH (d:Drug) RETURN max(d.approvalYear)",
    ),
    (
        "repair.property",
        "MATCH (d:Drug {Name: 'x'}) RETURN count(d)",
        "MATCH (d:Drug {name: 'x'}) RETURN count(d)",
    ),
    (
        "repair.deprecated",
        "MATCH (d:Drug) WHERE size((d)-[:TREATS]->()) > 2 RETURN count(d)",
        "MATCH (d:Drug) WHERE COUNT { MATCH (d)-[:TREATS]->() } > 2 RETURN count(d)",
    ),
    (
        "repair.deprecated",
        "MATCH (d:Drug) WHERE exists(d.halfLifeHours) RETURN count(d)",
        "MATCH (d:Drug) WHERE d.halfLifeHours IS NOT NULL RETURN count(d)",
    ),
    ("repair.deprecated", "RETURN toInt('1') AS n", "RETURN toInteger('1') AS n"),
    (
        "repair.text",
        "MATCH (d:Dr\\u0075g) /* all */ RETURN count(d) // of them",
        "MATCH (d:Drug) RETURN count(d)",
    ),
    ("repair.limit", "MATCH (d:Drug) RETURN d.name", "MATCH (d:Drug) RETURN d.name LIMIT 1001"),
    (
        "repair.hops",
        "MATCH (d:Drug {name: 'x'})-[*]-(e) RETURN count(e)",
        "MATCH (d:Drug {name: 'x'})-[*..15]-(e) RETURN count(e)",
    ),
]


def _properties(*names):
    return tuple(Property(name=each, type="STRING") for each in names)


SPACED = Guard(
    GraphSchema(
        labels=(
            NodeLabel(
                name="Adverse Event",
                count=9,
                properties=_properties("first seen", "onset-day", "secret note"),
            ),
            NodeLabel(name="Adverse Event Group", count=2),
            NodeLabel(name="Drug", count=9, properties=_properties("name")),
        ),
        types=(RelationshipType(name="LED TO", count=9),),
        triples=(Triple(source="Drug", type="LED TO", target="Adverse Event", count=9),),
    ),
    Policy(hidden=frozenset({"Adverse Event.secret note"})),
)


@pytest.mark.parametrize(("code", "query", "repaired"), CASES)
def test_query_is_repaired_and_the_repair_recorded(code, query, repaired, guard):
    verdict = guard.check(query)
    assert verdict.allowed, verdict.message
    assert [each.code for each in verdict.repairs] == [code]
    assert verdict.repairs[0].message
    again = guard.check(repaired)
    assert again.cypher == repaired
    assert again.repairs == ()
    assert verdict.cypher == repaired or guard.check(verdict.cypher).cypher == verdict.cypher


@pytest.mark.parametrize("query", [
    "MATCH (d:Drug)-[:INTERACTS_WITH]->(e:Drug) RETURN count(e)",
    "MATCH (d:Drug)-[:TREATS]-(x:Disease) RETURN count(x)",
    "MATCH (d) WHERE d.name = 'x' RETURN count(d)",
    "MATCH (d:Drug) RETURN d.name LIMIT 3",
    "MATCH (d:Drug) RETURN count(*) AS n",
    "RETURN 1 AS one",
    "MATCH (d:Drug) RETURN d.name AS n UNION MATCH (x:Disease) RETURN x.name AS n",
    "MATCH p = shortestPath((a:Drug {name: 'x'})-[*]-(b:Drug {name: 'y'})) RETURN length(p) LIMIT 1",
])  # fmt: skip
def test_valid_query_is_unchanged(query, guard):
    verdict = guard.check(query)
    assert verdict.allowed, verdict.message
    assert verdict.cypher == query
    assert verdict.repairs == ()


@pytest.mark.parametrize(
    ("query", "repaired", "count"),
    [
        (
            "MATCH (e:Adverse Event) RETURN e.first seen LIMIT 3",
            "MATCH (e:`Adverse Event`) RETURN e.`first seen` LIMIT 3",
            2,
        ),
        (
            "MATCH (e:adverse event {onset-day: 3})<-[:LED TO]-(:Drug) RETURN count(*)",
            "MATCH (e:`Adverse Event` {`onset-day`: 3})<-[:`LED TO`]-(:Drug) RETURN count(*)",
            4,
        ),
        (
            "MATCH (e:Adverse Event Group) WHERE e:Adverse Event RETURN count(e)",
            "MATCH (e:`Adverse Event Group`) WHERE e:`Adverse Event` RETURN count(e)",
            2,
        ),
        (
            "MATCH (e:Adverse Event) RETURN e {.first seen, text: 'Adverse Event'} LIMIT 1",
            "MATCH (e:`Adverse Event`) RETURN e {.`first seen`, text: 'Adverse Event'} LIMIT 1",
            2,
        ),
    ],
)
def test_missing_backticks_are_added(query, repaired, count):
    verdict = SPACED.check(query)
    assert verdict.allowed, verdict.message
    assert verdict.cypher == repaired
    codes = [each.code for each in verdict.repairs]
    assert codes.count("repair.backticks") + codes.count("repair.label") == count
    first = next(each for each in verdict.repairs if each.code == "repair.backticks")
    assert first.position == query.lower().index("adverse")


@pytest.mark.parametrize(
    ("query", "code", "place"),
    [
        ("MATCH (e:Adverse Event) RETURN e.first sight", "parse.syntax", "Event)"),
        ("MATCH (e:Adverse Event) DELETE e", "parse.syntax", "Event)"),
        ("MATCH (e:Adverse Event) RETURN e.nothing", "schema.property", "nothing"),
        ("MATCH (e:Adverse Event) RETURN e.secret note", "parse.syntax", "Event)"),
        ("MATCH (e:Case) RETURN [x IN [1] | {a: Adverse Event}]", "parse.syntax", "Event}"),
    ],
)
def test_backticks_do_not_hide_other_errors(query, code, place):
    verdict = SPACED.check(query)
    assert (verdict.codes, verdict.position) == ((code,), query.index(place))


def test_valid_query_gets_no_backticks():
    query = "WITH 2 AS onset, 1 AS day MATCH (d:Drug) RETURN d.name, onset-day LIMIT 1"
    assert SPACED.check(query).cypher == query


def test_literal_becomes_the_linked_parameter(guard):
    query = "MATCH (d:Drug {name: 'warfarin'}) WHERE d.name <> 'warfarin' RETURN count(d)"
    verdict = guard.check(query, {"v1": "Warfarin", "n": 3})
    assert verdict.cypher == "MATCH (d:Drug {name: $v1}) WHERE d.name <> 'warfarin' RETURN count(d)"
    assert [each.code for each in verdict.repairs] == ["repair.parameter"]


def test_literal_that_matches_two_parameters_is_unchanged(guard):
    query = "MATCH (d:Drug {name: 'warfarin'}) RETURN count(d)"
    assert guard.check(query, {"v1": "Warfarin", "v2": "WARFARIN"}).cypher == query


def test_pattern_impossible_in_both_directions_is_refused(guard):
    verdict = guard.check("MATCH (d:Doctor)-[:TREATS]->(p:Patient) RETURN d.name")
    assert verdict.codes == ("schema.pattern",)
    assert "(:Drug)-[:TREATS]->(:Disease)" in verdict.message


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("MATCH (d:Drugs) RETURN d", "did you mean Drug?"),
        ("MATCH (d:Drug)-[:TREAT]->(x) RETURN x", "did you mean TREATS?"),
        ("MATCH (d:Drug) RETURN d.aprovalYear", "did you mean approvalYear?"),
        ("MATCH (d:Drug) RETURN d.birthDate", "Patient has it"),
    ],
)
def test_refusal_suggests_a_name(query, hint, guard):
    assert hint in guard.check(query).message


def test_label_of_a_node_is_inferred_from_its_relationships(guard):
    assert guard.check("MATCH (:Drug)-[:TREATS]->(x) RETURN x.icd10 LIMIT 1").allowed
    assert guard.check("MATCH (:Drug)-[:TREATS]->(x) RETURN x.birthDate LIMIT 1").codes == ("schema.owner",)


def test_values_that_are_no_entities_have_any_property(guard):
    query = "WITH {anything: 1} AS m, date() AS d RETURN m.anything, m['other'], d.year, $p.what"
    assert guard.check(query).allowed


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("MATCH (a:A), (b:B), (c:C) RETURN count(*)", True),
        ("MATCH (a), (b) RETURN count(*)", True),
        ("MATCH (a)-->(b), (c)-->(d) RETURN count(*)", True),
        ("MATCH (a), (b), (c) WHERE a.x = b.x AND b.y = c.y RETURN count(*)", True),
        ("MATCH (a), (b), (c) WHERE a.x = 1 AND b.y = $y RETURN count(*)", True),
        (
            "MATCH (a) WITH count(a) AS n MATCH (b) WITH n, count(b) AS m MATCH (c) RETURN n, m, count(c)",
            True,
        ),
        ("MATCH (a), (b), (c) RETURN count(*)", False),
        ("MATCH (a), (b) MATCH (c) WHERE c.x > a.x RETURN count(*)", False),
        ("MATCH (a:A), (b:B), (c:C), (d:D) RETURN count(*)", False),
    ],
)
def test_cartesian_product_is_distinguished_from_a_join(query, passes, bare):
    assert bare.check(query).allowed is passes
