"""Hidden names are excluded from results; what is visible can still be queried."""

import pytest
from tests.t2c_core.guard.conftest import SCHEMA

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy


def repaired(guard, query):
    verdict = guard.check(query)
    assert verdict.allowed, verdict.message
    return verdict.cypher


def test_whole_node_is_projected_without_hidden_properties(policy_guard):
    found = repaired(policy_guard, "MATCH (p:Patient) RETURN p LIMIT 1")
    shown = ".birthDate, .bloodGroup, .heightCm, .patientNumber, .sex, .smoker, .weightKg"
    assert found == f"MATCH (p:Patient&!Insurer) RETURN p {{{shown}}} AS p LIMIT 1"


def test_key_hidden_on_one_possible_label_is_left_out_for_all(policy_guard):
    found = repaired(policy_guard, "MATCH (n)-[r]->(m) RETURN n, r, m LIMIT 1")
    assert ".hireDate" in found
    assert ".name" not in found


def test_without_a_schema_whole_nodes_with_hidden_properties_are_refused():
    policy_guard = Guard(policy=Policy(hidden=frozenset({"Patient.name"})))
    assert policy_guard.check("MATCH (p:Patient) RETURN p").codes == ("policy.whole",)
    assert policy_guard.check("MATCH (p:Patient) RETURN p.sex").allowed


def test_nodes_of_other_labels_stay_whole_and_exclude_the_label_with_hidden_properties(policy_guard):
    found = repaired(policy_guard, "MATCH (d:Drug) RETURN d, d.name LIMIT 1")
    assert found == "MATCH (d:Drug&!Insurer&!Patient) RETURN d, d.name LIMIT 1"


def test_hidden_type_is_excluded_from_patterns_without_a_type(policy_guard):
    found = repaired(policy_guard, "MATCH (p:Patient)-[r]->(x:Drug) RETURN count(r)")
    assert found == "MATCH (p:Patient&!Insurer)-[r:!ALLERGIC_TO]->(x:Drug&!Insurer) RETURN count(r)"


def test_variable_length_pattern_excludes_hidden_nodes(policy_guard):
    found = repaired(
        policy_guard, "MATCH (a:Drug {name: 'x'})-[:INTERACTS_WITH*1..2]->(b:Drug) RETURN count(b)"
    )
    assert "none(step IN nodes(path1) WHERE step:Insurer)" in found
    verdict = policy_guard.check("MATCH (a:Drug) WHERE (a)-[:INTERACTS_WITH*1..2]->(:Drug) RETURN count(a)")
    assert verdict.codes == ("policy.path",)


def test_variable_length_pattern_in_a_quantified_path_excludes_hidden_nodes(policy_guard):
    query = "MATCH (a:Drug {name: 'x'}) ((b)-[:INTERACTS_WITH]->{1,2}(c)){1,2} (d:Drug) RETURN count(d)"
    assert "none(step IN nodes(path1)" in policy_guard.check(query).cypher


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (p:Patient)-[t:TAKES]->(d:Drug {name: 'Aspirin'}) RETURN p.patientNumber, t.unit, d.name LIMIT 5",
        "MATCH (p:Patient) WITH {name: p.patientNumber} AS row RETURN row.name LIMIT 5",
        "MATCH (p:Patient) RETURN count(p), avg(p.heightCm)",
        "MATCH (d:Doctor) RETURN d['name'] LIMIT 5",
        "MATCH (p:Patient) WITH collect(p) AS ps RETURN size(ps), ps[0].sex",
        "MATCH (d:Drug) WITH collect(d) AS ds UNWIND range(0, size(ds) - 1) AS i RETURN ds[i].name LIMIT 5",
    ],
)
def test_visible_properties_can_be_queried(query, policy_guard):
    assert policy_guard.check(query).allowed, policy_guard.check(query).message


def test_label_in_an_optional_match_does_not_narrow_the_outer_node(policy_guard):
    query = "MATCH (n) OPTIONAL MATCH (n:Drug)-->(x) RETURN n.name"
    assert policy_guard.check(query).codes == ("policy.property",)


def test_label_in_a_subquery_does_not_narrow_the_outer_node(policy_guard):
    query = "MATCH (n) WHERE EXISTS { MATCH (n:Drug) } OR true RETURN n.name"
    assert policy_guard.check(query).codes == ("policy.property",)


def test_names_hidden_in_the_snapshot_are_hidden():
    from dataclasses import replace

    policy_guard = Guard(replace(SCHEMA, hidden=("Patient.name",)))
    assert policy_guard.check("MATCH (p:Patient) RETURN p.name").codes == ("policy.property",)


@pytest.mark.parametrize("schema", [SCHEMA, None])
def test_dotted_name_unknown_to_the_schema_hides_label_and_property(schema):
    guard = Guard(schema, Policy(hidden=frozenset({"Payer.code"})))
    assert guard.check("MATCH (x:Payer) RETURN x.code LIMIT 1").codes == ("policy.property",)
    dotted = guard.check("MATCH (x:`Payer.code`) RETURN count(x)")
    assert dotted.codes == (("policy.label",) if schema else ())
    assert guard.check("MATCH (x:Drug) RETURN count(x)").allowed


def test_error_messages_do_not_suggest_hidden_names(policy_guard):
    for query in (
        "MATCH (x:Insurerx) RETURN x",
        "MATCH (p:Patient) RETURN p.namex",
        "MATCH ()-[:ALLERGIC]->() RETURN 1",
    ):
        message = policy_guard.check(query).message
        assert message
        assert "Insurer," not in message
        assert "name," not in message.replace("patientNumber", "")
        assert "ALLERGIC_TO" not in message


def test_policy_allows_functions_and_procedures():
    policy = Policy(
        allowed_functions=frozenset({"apoc.text.join"}),
        allowed_procedures=frozenset({"db.labels"}),
        max_rows=7,
    )
    guard = Guard(policy=policy)
    assert guard.check("RETURN apoc.text.join(['a'], ',') AS x").allowed
    assert repaired(guard, "CALL db.labels() YIELD label RETURN label").endswith("LIMIT 8")
    assert guard.check("CALL db.propertyKeys()").codes == ("allow.procedure",)
