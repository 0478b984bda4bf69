"""What a policy hides is in nothing that is given out, and what it does not hide can still be asked for."""

import pytest

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy

from .conftest import SCHEMA


def mended(guard, query):
    verdict = guard.check(query)
    assert verdict.allowed, verdict.message
    return verdict.cypher


def test_whole_node_is_projected_without_what_is_hidden(keeper):
    found = mended(keeper, "MATCH (p:Patient) RETURN p LIMIT 1")
    shown = ".birthDate, .bloodGroup, .heightCm, .patientNumber, .sex, .smoker, .weightKg"
    assert found == f"MATCH (p:Patient&!Insurer) RETURN p {{{shown}}} AS p LIMIT 1"


def test_name_that_one_of_several_labels_hides_is_left_out_for_all(keeper):
    found = mended(keeper, "MATCH (n)-[r]->(m) RETURN n, r, m LIMIT 1")
    assert ".hireDate" in found
    assert ".name" not in found


def test_without_a_schema_whole_nodes_that_may_hold_something_hidden_are_refused():
    keeper = Guard(policy=Policy(hidden=frozenset({"Patient.name"})))
    assert keeper.check("MATCH (p:Patient) RETURN p").codes == ("policy.whole",)
    assert keeper.check("MATCH (p:Patient) RETURN p.sex").allowed


def test_nodes_of_other_labels_stay_whole_and_are_kept_from_being_of_the_hidden_one(keeper):
    found = mended(keeper, "MATCH (d:Drug) RETURN d, d.name LIMIT 1")
    assert found == "MATCH (d:Drug&!Insurer&!Patient) RETURN d, d.name LIMIT 1"


def test_hidden_type_is_kept_out_of_open_patterns(keeper):
    found = mended(keeper, "MATCH (p:Patient)-[r]->(x:Drug) RETURN count(r)")
    assert found == "MATCH (p:Patient&!Insurer)-[r:!ALLERGIC_TO]->(x:Drug&!Insurer) RETURN count(r)"


def test_long_path_may_not_lead_over_hidden_nodes(keeper):
    found = mended(keeper, "MATCH (a:Drug {name: 'x'})-[:INTERACTS_WITH*1..2]->(b:Drug) RETURN count(b)")
    assert "none(step IN nodes(path1) WHERE step:Insurer)" in found
    verdict = keeper.check("MATCH (a:Drug) WHERE (a)-[:INTERACTS_WITH*1..2]->(:Drug) RETURN count(a)")
    assert verdict.codes == ("policy.path",)


def test_long_path_inside_a_group_is_seen(keeper):
    query = "MATCH (a:Drug {name: 'x'}) ((b)-[:INTERACTS_WITH]->{1,2}(c)){1,2} (d:Drug) RETURN count(d)"
    assert "none(step IN nodes(path1)" in keeper.check(query).cypher


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
def test_what_is_not_hidden_can_be_asked_for(query, keeper):
    assert keeper.check(query).allowed, keeper.check(query).message


def test_condition_on_an_optional_match_does_not_open_a_node(keeper):
    query = "MATCH (n) OPTIONAL MATCH (n:Drug)-->(x) RETURN n.name"
    assert keeper.check(query).codes == ("policy.property",)


def test_label_in_a_subquery_does_not_open_a_node_outside(keeper):
    query = "MATCH (n) WHERE EXISTS { MATCH (n:Drug) } OR true RETURN n.name"
    assert keeper.check(query).codes == ("policy.property",)


def test_what_the_snapshot_lists_as_hidden_is_hidden_too():
    from dataclasses import replace

    keeper = Guard(replace(SCHEMA, hidden=("Patient.name",)))
    assert keeper.check("MATCH (p:Patient) RETURN p.name").codes == ("policy.property",)


@pytest.mark.parametrize("schema", [SCHEMA, None])
def test_dotted_name_that_the_schema_does_not_have_hides_whatever_it_may_be(schema):
    guard = Guard(schema, Policy(hidden=frozenset({"Payer.code"})))
    assert guard.check("MATCH (x:Payer) RETURN x.code LIMIT 1").codes == ("policy.property",)
    dotted = guard.check("MATCH (x:`Payer.code`) RETURN count(x)")
    assert dotted.codes == (("policy.label",) if schema else ())
    assert guard.check("MATCH (x:Drug) RETURN count(x)").allowed


def test_refusals_do_not_name_what_is_hidden(keeper):
    for query in (
        "MATCH (x:Insurerx) RETURN x",
        "MATCH (p:Patient) RETURN p.namex",
        "MATCH ()-[:ALLERGIC]->() RETURN 1",
    ):
        message = keeper.check(query).message
        assert message
        assert "Insurer," not in message
        assert "name," not in message.replace("patientNumber", "")
        assert "ALLERGIC_TO" not in message


def test_policy_may_allow_functions_and_procedures():
    policy = Policy(functions=frozenset({"apoc.text.join"}), procedures=frozenset({"db.labels"}), max_rows=7)
    guard = Guard(policy=policy)
    assert guard.check("RETURN apoc.text.join(['a'], ',') AS x").allowed
    assert mended(guard, "CALL db.labels() YIELD label RETURN label").endswith("LIMIT 8")
    assert guard.check("CALL db.propertyKeys()").codes == ("allow.procedure",)
