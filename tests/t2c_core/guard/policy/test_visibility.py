"""What a policy shows of labels, types, properties and their values; nodes with several labels."""

import pytest
from tests.t2c_core.guard.conftest import SCHEMA

from t2c_core.errors import PolicyError
from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.policy.visibility import Visibility, check_names
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple


def _properties(*names, share=1.0):
    return tuple(
        Property(name=each, type="STRING", share=share, examples=(f"some {each}",)) for each in names
    )


HOSPITAL = GraphSchema(
    labels=(
        NodeLabel(name="Drug", count=9, properties=_properties("name", "code")),
        NodeLabel(
            name="Patient", count=9, properties=_properties("name", "age", "salary", "title", share=0.5)
        ),
        NodeLabel(name="Staff", count=9, properties=_properties("name", "salary", "title", share=0.5)),
    ),
    types=(RelationshipType(name="WROTE", count=9, properties=_properties("text")),),
    triples=(
        Triple(source="Patient", type="WROTE", target="Drug", count=9),
        Triple(source="Staff", type="WROTE", target="Drug", count=9),
    ),
)
GUARD = Guard(HOSPITAL, Policy(hidden=frozenset({"Patient.name", "Staff.salary"})))
PATIENT = "{.age, salary: CASE WHEN p:Staff THEN null ELSE p.salary END, .title}"
EACH = PATIENT.replace("p:", "each:").replace("p.", "each.")


@pytest.mark.parametrize(
    ("output", "repaired"),
    [
        ("p", f"p {PATIENT} AS p"),
        ("properties(p) AS x", f"p {PATIENT} AS x"),
        ("p {.*} AS x", f"p {PATIENT} AS x"),
        ("p {.*, y: 1} AS x", f"p {PATIENT[:-1]}, y: 1}} AS x"),
        ("collect(p) AS x", f"[each IN collect(p) | each {EACH}] AS x"),
        ("CASE WHEN true THEN p END AS x", f"[each IN [CASE WHEN true THEN p END] | each {EACH}][0] AS x"),
    ],
)
def test_property_that_a_further_label_hides_is_null_for_nodes_with_that_label(output, repaired):
    verdict = GUARD.check(f"MATCH (p:Patient) RETURN {output} LIMIT 5")
    assert verdict.cypher == f"MATCH (p:Patient) RETURN {repaired} LIMIT 5"
    assert GUARD.check(verdict.cypher).repairs == ()


def test_property_of_a_node_that_may_have_a_further_label_is_read_from_other_nodes_only():
    verdict = GUARD.check("MATCH (p:Patient) WHERE p.salary > 5 RETURN count(p)")
    assert verdict.cypher == "MATCH (p:Patient&!Staff) WHERE p.salary > 5 RETURN count(p)"


@pytest.mark.parametrize("query", [
    "MATCH (p:Patient) RETURN CASE WHEN p:Staff THEN p.salary END",
    "MATCH (s:Staff) RETURN CASE WHEN s:Patient THEN null ELSE s.salary END",
    "MATCH (s:Staff), (p:Patient) RETURN CASE WHEN p:Staff THEN null ELSE s.salary END",
    "MATCH (p:Patient) RETURN CASE WHEN NOT p:Staff THEN null ELSE p.salary END LIMIT 1",
    "MATCH (p:Patient) RETURN CASE WHEN p:Staff&Drug THEN null ELSE p.salary END LIMIT 1",
    "MATCH (s:Staff) RETURN CASE WHEN s:Staff THEN null WHEN true THEN s.salary ELSE s.salary END",
])  # fmt: skip
def test_other_case_expressions_open_nothing(query):
    verdict = GUARD.check(query)
    assert verdict.codes == ("policy.property",) or "(p:Patient&!Staff)" in verdict.cypher


@pytest.mark.parametrize("query", [
    "MATCH (p:Patient) WITH CASE WHEN true THEN {age: p} ELSE p END AS x WITH x {.*} AS m RETURN m.age",
    "MATCH (p:Patient) WITH {a: p} AS m RETURN m",
    "MATCH (p:Patient) WITH properties({a: p}) AS m RETURN m.a",
])  # fmt: skip
def test_maps_that_may_hold_a_whole_node_are_refused(query):
    assert GUARD.check(query).codes == ("policy.whole",)


def test_nodes_collected_by_reduce_may_have_any_label():
    query = (
        "MATCH (d:Drug) RETURN [x IN reduce(l = [], i IN [1] | l + [(d)--(s:Drug) | s]) | x.name] AS names"
    )
    assert GUARD.check(query).codes == ("policy.property",)


def test_hidden_label_hides_its_triples():
    visibility = Visibility({"Patient"}, HOSPITAL)
    schema = visibility.filter_schema(HOSPITAL)
    assert [each.name for each in schema.labels] == ["Drug", "Staff"]
    assert [each.source for each in schema.triples] == ["Staff"]
    assert schema.hidden == ("Patient",)
    assert not visibility.shows("Patient")
    assert not visibility.shows("Patient", "age")
    assert visibility.shows("Staff", "age")


def test_dotted_label_of_the_schema_is_hidden_as_label_and_as_property():
    schema = GraphSchema(
        labels=(NodeLabel(name="Odd", count=1), NodeLabel(name="Odd.name", count=1)), types=(), triples=()
    )
    visibility = Visibility({"Odd.name"}, schema)
    assert not visibility.shows("Odd.name")
    assert not visibility.shows("Odd", "name")
    assert visibility.shows("Odd")


@pytest.mark.parametrize(
    ("hidden", "label_or_type", "key", "visible"),
    [
        ("Patient.name", "Staff", "name", False),
        ("Patient.name", "Staff", "salary", True),
        ("Patient.name", "Drug", "name", True),  # every drug has a code, no patient has
        ("Patient", "Staff", "title", False),
        ("Patient", "WROTE", "text", False),
        ("Patient.age", "WROTE", "text", True),
    ],
)
def test_values_in_a_snapshot_that_a_later_policy_may_hide_are_not_visible(
    hidden, label_or_type, key, visible
):
    visibility = Visibility({hidden}, HOSPITAL)
    assert visibility.shows(label_or_type, key)
    assert visibility.shows_values(label_or_type, key) is visible
    examples = visibility.filter_schema(HOSPITAL).property_of(label_or_type, key).examples
    assert examples == ((f"some {key}",) if visible else ())


def test_values_are_visible_if_the_snapshot_was_made_with_the_policy():
    from dataclasses import replace

    schema = replace(HOSPITAL, hidden=("Patient.name",))
    assert Visibility({"Patient.name"}, schema).shows_values("Staff", "name")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Patinet", "Patient"),
        ("Patient.nmae", "Patient.name"),
        ("TAKE", "TAKES"),
        ("TAKES.doze", "TAKES.dose"),
        ("Doctor.birthDate", "Doctor.hireDate"),
    ],
)
def test_unknown_name_in_a_policy_is_refused_with_similar_names(name, hint):
    with pytest.raises(PolicyError, match=f"{name} .similar: .*{hint}"):
        check_names(Policy(hidden=frozenset({name, "Patient.name"})), SCHEMA)
    check_names(Policy(hidden=frozenset({name}), allow_missing=True), SCHEMA)


def test_known_names_of_a_policy_are_accepted():
    from dataclasses import replace

    check_names(Policy(hidden=frozenset({"Patient", "TAKES", "Patient.name", "TAKES.dose"})), SCHEMA)
    check_names(Policy(hidden=frozenset({"Gone"})), replace(SCHEMA, hidden=("Gone",)))
    check_names(Policy(hidden=frozenset({"Drug.other"})), replace(SCHEMA, partial_properties=("Drug",)))


def test_example_is_shown_unless_its_query_reads_something_hidden():
    guard = Guard(SCHEMA, Policy(hidden=frozenset({"Doctor.name", "Insurer"})))
    assert guard.shows("MATCH (d:Drug) RETURN d.name")
    assert guard.shows("MATCH (d:Doctor) RETURN d.hireDate")
    assert not guard.shows("MATCH (d:Doctor) RETURN d.name")
    assert not guard.shows("MATCH (d:Doctor {name: $v1}) RETURN count(d)")
    assert not guard.shows("MATCH (i:Insurer) RETURN count(i)")


PARTIAL = GraphSchema(
    labels=(
        NodeLabel(name="Drug", count=9, properties=_properties("name")),
        NodeLabel(name="Patient", count=9),
    ),
    types=(RelationshipType(name="TAKES", count=9), RelationshipType(name="KNOWS", count=9)),
    triples=(
        Triple(source="Patient", type="TAKES", target="Drug", count=9),
        Triple(source="Patient", type="KNOWS", target="Patient", count=9),
    ),
    partial_properties=("Patient",),
    partial_triples=("TAKES",),
)


@pytest.mark.parametrize("query", [
    "MATCH (d:Drug)-[:TAKES]->(p:Patient) RETURN count(p)",
    "MATCH (d:Drug)-[:TAKES]->(e:Drug) RETURN count(e)",
    "MATCH (d:Drug)-->(e:Drug) RETURN count(e)",
    "MATCH (:Patient)-[:TAKES]->(x) RETURN max(x.other)",
    "MATCH (p:Patient) RETURN max(p.Name)",
    "MATCH (p) RETURN max(p.other)",
])  # fmt: skip
def test_partial_schema_neither_refuses_nor_repairs(query):
    verdict = Guard(PARTIAL).check(query)
    assert verdict.allowed, verdict
    assert verdict.cypher == query


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("MATCH (d:Drug)-[:KNOWS]->(p:Patient) RETURN count(p)", "schema.pattern"),
        ("MATCH (d:Drug) RETURN max(d.other)", "schema.property"),
    ],
)
def test_complete_part_of_a_partial_schema_is_checked(query, code):
    assert Guard(PARTIAL).check(query).codes == (code,)
