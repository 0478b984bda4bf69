"""Validators on a small schema: one finding for each fault, none for what is right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.consistency.findings import Finding, ValidationResult
from t2c_core.consistency.query_analysis import Access, QueryAnalysis
from t2c_core.consistency.question_analysis import QuestionAnalysis
from t2c_core.graph.client import GraphClient
from t2c_core.guard.guard import Guard
from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.values.index import IndexedValue, ValueIndex
from t2c_data.lexicon.draft import draft_lexicon
from t2c_data.lexicon.model import from_content, merge
from t2c_data.validators.execution import ExecutionEvidence, QueryExecutor
from t2c_data.validators.schema_phrases import SchemaPhrases
from t2c_data.validators.stage import ValidationContext, run_validators

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TestGraph

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Case",
            count=40,
            properties=(
                Property(name="age", type="INTEGER"),
                Property(name="caseId", type="INTEGER", unique=True, distinct=40),
                Property(name="gender", type="STRING", distinct=2),
                Property(name="openedOn", type="DATE"),
                Property(name="reporterOccupation", type="STRING", distinct=3),
            ),
        ),
        NodeLabel(
            name="Drug",
            count=9,
            properties=(
                Property(name="name", type="STRING", unique=True, distinct=9),
                Property(name="substance", type="STRING", distinct=5),
            ),
        ),
        NodeLabel(name="Source", count=3, properties=(Property(name="name", type="STRING", distinct=3),)),
        NodeLabel(name="Therapy", count=9, properties=(Property(name="code", type="STRING", distinct=9),)),
    ),
    types=(
        RelationshipType(name="IS_SUSPECT", count=9, properties=(Property(name="route", type="STRING"),)),
        RelationshipType(name="PRESCRIBED", count=9),
        RelationshipType(name="RECEIVED", count=9),
        RelationshipType(name="REPORTED_BY", count=40),
    ),
    triples=(
        Triple(source="Case", type="IS_SUSPECT", target="Drug", count=9),
        Triple(source="Case", type="RECEIVED", target="Therapy", count=9),
        Triple(source="Case", type="REPORTED_BY", target="Source", count=40),
        Triple(source="Therapy", type="PRESCRIBED", target="Drug", count=9),
    ),
)
WORDS = {
    "properties": {
        "Case": {"gender": {"nouns": ["gender|genders"], "values": {"F": ["female"], "M": ["male"]}}},
        "Drug": {"substance": {"nouns": ["substance|substances"], "equals_phrases": ["containing {}"]}},
    },
    "types": {"PRESCRIBED": {"forward": ["that must not be given without {}"]}},
}
VALUES = [
    IndexedValue("ASPIRIN", "Drug", "name", "node", 1),
    IndexedValue("ASPIRIN", "Drug", "substance", "node", 2),
    IndexedValue("SALICYLATE", "Drug", "substance", "node", 2),
    IndexedValue("Consumer", "Source", "name", "node", 9),
    IndexedValue("Consumer", "Case", "reporterOccupation", "node", 9),
    IndexedValue("Oral", "IS_SUSPECT", "route", "relationship", 9),
    IndexedValue("F", "Case", "gender", "node", 9),
]
ROWS = ExecutionEvidence(planned=True, query_type="r", columns=("x",), rows=((1,), (2,)), ran=True)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValidationContext]:
    path = tmp_path_factory.mktemp("values") / "values.sqlite"
    ValueIndex.build(path, VALUES)
    lexicon = from_content(merge(draft_lexicon(SCHEMA), WORDS), SCHEMA)
    with ValueIndex(path) as index:
        yield ValidationContext(SCHEMA, SchemaPhrases(SCHEMA, lexicon), index, Guard(SCHEMA))


RIGHT = [
    ("Which cases have 'ASPIRIN' as a suspect?", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {name: 'ASPIRIN'}) RETURN c.caseId"),
    ("How many cases were reported by 'Consumer'?", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source) WHERE s.name = 'Consumer' RETURN count(c)"),
    ("How many female patients are older than 60?", "MATCH (c:Case) WHERE c.gender = 'F' AND c.age > 60 RETURN count(*)"),
    ("What is the average age of cases for each reporter's occupation?", "MATCH (c:Case) RETURN c.reporterOccupation, avg(c.age)"),
    ("Top 3 drugs by number of suspected cases", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) RETURN d.name, count(c) AS n ORDER BY n DESC LIMIT 3"),
    ("Cases opened in March 2021", "MATCH (c:Case) WHERE c.openedOn >= date('2021-03-01') AND c.openedOn < date('2021-04-01') RETURN c.caseId"),
    ("Which drugs with the substance 'ASPIRIN' are there?", "MATCH (d:Drug) WHERE d.substance = 'ASPIRIN' RETURN d.name"),
    ("Which cases have a drug containing 'ASPIRIN' as a suspect?", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {substance: 'ASPIRIN'}) RETURN c.caseId"),
    ("Who reported the cases where aspirin, taken by the oral route, is suspected?", "MATCH (s:Source)<-[:REPORTED_BY]-(c)-[r:IS_SUSPECT]->(d:Drug) WHERE d.name = 'ASPIRIN' AND r.route = 'Oral' RETURN DISTINCT s.name"),
    ("Find all cases with more than one therapy.", "MATCH (c:Case) WHERE COUNT { (c)-[:RECEIVED]->(:Therapy) } > 1 RETURN c.caseId"),
    ("Is there a case without a suspect?", "MATCH (c:Case) WHERE NOT EXISTS { (c)-[:IS_SUSPECT]->(:Drug) } RETURN count(*) > 0"),
    ("Which drugs were prescribed to cases with the case ID 5?", "MATCH (c:Case {caseId: 5})-[:RECEIVED]->(:Therapy)-[:PRESCRIBED]->(d) RETURN d.name"),
    ("Cases of patients aged 60 or older", "MATCH (c:Case) WHERE 60 <= c.age RETURN c.caseId"),
    ("Cases of patients not older than 60", "MATCH (c:Case) WHERE NOT c.age > 60 RETURN c.caseId"),
    ("Cases of patients older than 60", "MATCH (c:Case) WHERE c.age >= 61 RETURN c.caseId"),
    ("Cases opened before 2021-03-01", "MATCH (c:Case) WHERE c.openedOn < date('2021-03-01') RETURN c.caseId"),
    ("Which cases were not reported by 'Consumer'?", "MATCH (c:Case) WHERE NOT (c)-[:REPORTED_BY]->(:Source {name: 'Consumer'}) RETURN c.caseId"),
    ("Which drugs have no suspected case?", "MATCH (d:Drug) WHERE COUNT { (d)<-[:IS_SUSPECT]-(:Case) } = 0 RETURN d.name"),
    ("What is the age of the oldest patient?", "MATCH (c:Case) RETURN max(c.age)"),
    ("Which case was opened first, the oldest one?", "MATCH (c:Case) RETURN c.caseId ORDER BY c.openedOn LIMIT 1"),
    ("List the ages from the lowest to the highest.", "MATCH (c:Case) RETURN c.age AS age ORDER BY age"),
    ("What is the total age of all cases?", "MATCH (c:Case) RETURN sum(c.age)"),
    ("Top five drugs by number of suspected cases", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) RETURN d.name, count(c) AS n ORDER BY n DESC LIMIT 5"),
    ("At most 20 cases, the youngest first", "MATCH (c:Case) RETURN c.caseId ORDER BY c.age LIMIT 20"),
    ("Which therapies must not be given without 'ASPIRIN'?", "MATCH (t:Therapy)-[:PRESCRIBED]->(d:Drug {name: 'ASPIRIN'}) RETURN t.code"),
]  # fmt: skip

WRONG = [
    ("schema.label", "How many patients?", "MATCH (p:Patient) RETURN count(p)"),
    ("schema.type", "How many cases caused something?", "MATCH (c:Case)-[:CAUSED]->(d:Drug) RETURN count(c)"),
    ("schema.direction", "Which cases have a suspect?", "MATCH (c:Case)<-[:IS_SUSPECT]-(d:Drug) RETURN c.caseId"),
    ("schema.pattern", "Drugs of sources", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source)-[:IS_SUSPECT]->(d:Drug) RETURN d.name"),
    ("schema.owner", "Routes of prescriptions", "MATCH (t:Therapy)-[p:PRESCRIBED]->(d:Drug) RETURN p.route"),
    ("schema.owner", "Routes of prescriptions", "MATCH ()-[p:PRESCRIBED]->() RETURN p.route"),
    ("schema.owner", "Names of cases", "MATCH (c:Case) WITH c AS held RETURN held.name"),
    ("entity.unasked", "Cases of patients older than 60", "MATCH (c:Case {age: 72}) WHERE c.age > 60 RETURN c.caseId"),
    ("entity.unasked", "Cases with 'ASPIRIN' as a suspect", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) WHERE d.name = 'ASPIRIN' OR d.name = 'SALICYLATE' RETURN c.caseId"),
    ("entity.unasked", "Cases opened in August 2020", "MATCH (c:Case) WHERE c.openedOn = date('2020-08-04') RETURN c.caseId"),
    ("entity.unused", "Cases with the suspect 'ASPIRIN' and the route 'Oral'", "MATCH (c:Case)-[r:IS_SUSPECT]->(d:Drug {name: 'ASPIRIN'}) RETURN c.caseId, r.route"),
    ("entity.unused", "Cases older than 60 with 'ASPIRIN'", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {name: 'ASPIRIN'}) RETURN c.caseId"),
    ("entity.absent", "Cases with 'NOTHING' as a suspect", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {name: 'NOTHING'}) RETURN c.caseId"),
    ("semantic.property", "How many cases for each reporter occupation?", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source) RETURN s.name, count(c)"),
    ("semantic.elsewhere", "Cases with 'ASPIRIN' as a suspect", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {substance: 'ASPIRIN'}) RETURN c.caseId"),
    ("semantic.relation", "Cases that were prescribed 'ASPIRIN'", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {name: 'ASPIRIN'}) RETURN c.caseId"),
    ("coherence.count", "How many cases are there?", "MATCH (c:Case) RETURN c.caseId"),
    ("coherence.average", "What is the average age of cases?", "MATCH (c:Case) RETURN c.age"),
    ("coherence.group", "For each source, how many cases are there?", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source) RETURN count(c)"),
    ("coherence.top", "Top 3 drugs by name", "MATCH (d:Drug) RETURN d.name"),
    ("coherence.order", "Show 5 cases", "MATCH (c:Case) RETURN c.caseId LIMIT 5"),
    ("coherence.missing", "Find cases with 'ASPIRIN' as a suspect. Also, find the age.", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug {name: 'ASPIRIN'}) RETURN c.age"),
    ("schema.value", "Cases older than 60", "MATCH (c:Case {age: {gt: 60}}) RETURN c.caseId"),
    ("schema.property", "Colours of cases", "MATCH (c:Case) RETURN c.colour"),
    ("grammar.writes", "Delete all cases", "MATCH (c:Case) DETACH DELETE c"),
    ("grammar.limits", "What is there?", "MATCH (c:Case) WHERE c.gender =~ '(a+)+' RETURN c.age"),
    ("grammar.syntax", "What is there?", "MATCH (c:Case RETURN c.age"),
    ("semantic.comparison", "Cases of patients older than 60", "MATCH (c:Case) WHERE c.age < 60 RETURN c.caseId"),
    ("semantic.comparison", "Cases of patients aged at least 60", "MATCH (c:Case) WHERE c.age > 60 RETURN c.caseId"),
    ("semantic.comparison", "Cases of patients older than 60", "MATCH (c:Case) WHERE NOT c.age > 60 RETURN c.caseId"),
    ("semantic.comparison", "Cases of patients aged 60 or younger", "MATCH (c:Case) WHERE 60 < c.age RETURN c.caseId"),
    ("semantic.comparison", "Cases opened after 2021-03-01", "MATCH (c:Case) WHERE c.openedOn < date('2021-03-01') RETURN c.caseId"),
    ("semantic.comparison", "Find all cases with more than one therapy.", "MATCH (c:Case) WHERE COUNT { (c)-[:RECEIVED]->(:Therapy) } < 1 RETURN c.caseId"),
    ("semantic.negation", "Which cases were not reported by 'Consumer'?", "MATCH (c:Case)-[:REPORTED_BY]->(:Source {name: 'Consumer'}) RETURN c.caseId"),
    ("semantic.negation", "Which cases are without a suspect?", "MATCH (c:Case)-[:IS_SUSPECT]->(:Drug) RETURN c.caseId"),
    ("semantic.negation", "Which cases never received a therapy?", "MATCH (c:Case) WHERE EXISTS { (c)-[:RECEIVED]->(:Therapy) } RETURN c.caseId"),
    ("semantic.negation", "Which cases were reported by 'Consumer'?", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source) WHERE s.name <> 'Consumer' RETURN c.caseId"),
    ("semantic.order", "What is the case ID of the oldest patient?", "MATCH (c:Case) RETURN c.caseId ORDER BY c.age LIMIT 1"),
    ("semantic.order", "Which case was opened most recently?", "MATCH (c:Case) RETURN c.caseId ORDER BY c.openedOn LIMIT 1"),
    ("semantic.order", "Which drug has the fewest suspected cases?", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) RETURN d.name, count(c) AS n ORDER BY n DESC LIMIT 1"),
    ("semantic.order", "List the ages of the cases in descending order.", "MATCH (c:Case) RETURN c.age ORDER BY c.age"),
    ("semantic.order", "What is the highest age of a case?", "MATCH (c:Case) RETURN min(c.age)"),
    ("semantic.order", "What is the age of the youngest patient?", "MATCH (c:Case) WITH max(c.age) AS age RETURN age"),
    ("semantic.aggregate", "What is the total age of all cases?", "MATCH (c:Case) RETURN avg(c.age)"),
    ("semantic.aggregate", "What is the sum of the ages of all cases?", "MATCH (c:Case) RETURN max(c.age)"),
    ("coherence.average", "What is the average age of cases?", "MATCH (c:Case) RETURN sum(c.age) AS avgAge"),
    ("coherence.count", "How many cases are there?", "MATCH (c:Case) RETURN c.caseId AS `count(c)`"),
    ("coherence.limit", "Top 5 drugs by number of suspected cases", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) RETURN d.name, count(c) AS n ORDER BY n DESC LIMIT 6"),
    ("coherence.limit", "Top three drugs by number of suspected cases", "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) RETURN d.name, count(c) AS n ORDER BY n DESC LIMIT 2"),
    ("coherence.limit", "Give me the 2 oldest cases.", "MATCH (c:Case) RETURN c.caseId ORDER BY c.age DESC LIMIT 3"),
    ("entity.unasked", "Find all cases older than 60", "MATCH (c:Case) WHERE c.age > 60 AND c.gender = 'F' RETURN c.caseId"),
    ("entity.unasked", "List the routes of aspirin", "MATCH (c:Case)-[r:IS_SUSPECT]->(d:Drug) WHERE d.name = 'ASPIRIN' AND r.route = 'Out' RETURN DISTINCT r.route"),
    ("entity.unasked", "How many cases are there in the source?", "MATCH (c:Case)-[:REPORTED_BY]->(s:Source) WHERE s.name CONTAINS 'a' RETURN count(c)"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "cypher"), RIGHT, ids=[question for question, _ in RIGHT])
def test_right_pairs_raise_no_alarm(ground: ValidationContext, question: str, cypher: str) -> None:
    assert run_validators(question, cypher, {}, ROWS, ground) == []


@pytest.mark.parametrize(
    ("code", "question", "cypher"), WRONG, ids=[f"{code} {cypher}" for code, _, cypher in WRONG]
)
def test_each_fault_has_its_code(ground: ValidationContext, code: str, question: str, cypher: str) -> None:
    evidence = (
        ROWS
        if code != "grammar.syntax"
        else ExecutionEvidence(code="Neo.ClientError.Statement.SyntaxError", error="no")
    )
    assert code in {each.code for each in run_validators(question, cypher, {}, evidence, ground)}


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (ExecutionEvidence(planned=True, query_type="rw"), "grammar.writes"),
        (ExecutionEvidence(planned=True, query_type="r", code="timeout", error="too long"), "grammar.timeout"),
        (ExecutionEvidence(planned=True, query_type="r", code="Neo.ClientError.Statement.TypeError", error="no"), "grammar.runtime"),
        (ExecutionEvidence(planned=True, query_type="r", ran=True), "coherence.empty"),
        (ExecutionEvidence(planned=True, query_type="r", ran=True, rows=((None,), (None,))), "coherence.null"),
        (ExecutionEvidence(planned=True, query_type="r", ran=True, rows=((0,),)), "coherence.zero"),
    ],
)  # fmt: skip
def test_what_the_server_says_is_judged(
    ground: ValidationContext, evidence: ExecutionEvidence, code: str
) -> None:
    found = run_validators(
        "What are the ages of the cases?", "MATCH (c:Case) RETURN c.age", {}, evidence, ground
    )
    assert [each.code for each in found] == [code]


def test_repeated_rows_are_no_different_things(ground: ValidationContext) -> None:
    evidence = ExecutionEvidence(planned=True, query_type="r", ran=True, rows=(("F",), ("F",)))
    found = run_validators(
        "What are the distinct genders?", "MATCH (c:Case) RETURN c.gender", {}, evidence, ground
    )
    assert [each.code for each in found] == ["coherence.duplicates"]


def test_parameters_count_as_literals(ground: ValidationContext) -> None:
    cypher = "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) WHERE d.name = $v1 RETURN c.caseId"
    assert run_validators("Cases with 'ASPIRIN' as a suspect", cypher, {"v1": "ASPIRIN"}, ROWS, ground) == []
    found = run_validators("Cases with 'SALICYLATE' as a suspect", cypher, {"v1": "ASPIRIN"}, ROWS, ground)
    assert {each.code for each in found} == {"entity.unasked", "entity.unused"}


@pytest.mark.parametrize(
    "values", [["ASPIRIN", "SALICYLATE"], [], [None, "ASPIRIN"], [["ASPIRIN"]], {"name": "ASPIRIN"}, None]
)
def test_parameters_of_any_type_are_read(ground: ValidationContext, values: Any) -> None:
    cypher = "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) WHERE d.name IN $v1 AND d.name <> $v1 RETURN c.caseId"
    run_validators("Cases with 'ASPIRIN' as a suspect", cypher, {"v1": values}, ROWS, ground)


def test_each_value_of_a_list_parameter_is_compared(ground: ValidationContext) -> None:
    cypher = "MATCH (c:Case)-[:IS_SUSPECT]->(d:Drug) WHERE d.name IN $v1 RETURN c.caseId"
    question = "Cases with 'ASPIRIN' or 'SALICYLATE' as a suspect"
    assert "entity.unused" not in codes(question, cypher, {"v1": ["ASPIRIN", "SALICYLATE"]}, ground)
    assert "entity.unused" in codes(question, cypher, {"v1": ["ASPIRIN"]}, ground)
    assert "entity.unasked" in codes("Cases with 'ASPIRIN'", cypher, {"v1": ["ASPIRIN", "Q"]}, ground)


def codes(question: str, cypher: str, parameters: dict[str, Any], ground: ValidationContext) -> set[str]:
    return {each.code for each in run_validators(question, cypher, parameters, ROWS, ground)}


def test_a_pair_without_query_passes(ground: ValidationContext) -> None:
    assert run_validators("What is the weather?", "", {}, ExecutionEvidence(), ground) == []


def test_an_empty_answer_proves_nothing_and_is_not_wrong() -> None:
    verdict = ValidationResult((Finding("coherence.empty", "no row"),))
    assert not verdict.is_error
    assert verdict.to_row(keep_inconclusive=True)["keep"]
    row = verdict.to_row(keep_inconclusive=False)
    assert (row["keep"], row["reasons"]) == (False, ["coherence.empty"])
    assert row["checks"] == {
        "grammar": True,
        "schema": True,
        "entity": True,
        "semantic": True,
        "coherence": False,
    }


def test_reading_finds_patterns_conditions_and_columns() -> None:
    query = QueryAnalysis(
        "MATCH (a:`Odd Label`)<-[r:X|Y {since: 2001}]-(:B) WHERE toLower(a.`full name`) CONTAINS 'o\\'x' AND "
        "a.n IN [1, 2] // c.d\nWITH a, count(r) AS n WHERE n > $v1 RETURN a.n AS x, n ORDER BY n LIMIT 7",
        {"v1": 3},
    )
    assert query.labels["a"] == {"Odd Label"}
    edge = query.edges[0]
    assert (edge.types, edge.target, edge.directed) == (("X", "Y"), "a", True)
    assert [(each.operator, each.value) for each in query.comparisons if each.accesses] == [
        ("=", 2001), ("CONTAINS", "o'x"), ("IN", 1), ("IN", 2),
    ]  # fmt: skip
    assert Access("a", "full name") in query.accesses
    assert [(item.name, item.aggregate) for item in query.items] == [("x", False), ("n", True)]
    assert query.limit == 7


def test_a_question_names_elements_in_any_number_and_with_a_slip() -> None:
    question = QuestionAnalysis("Which reporters' occupations are there for 'Reporter Occupation'?")
    assert question.names(("report", "occup")) == question.names(("report", "occup"), quoted=False)
    assert QuestionAnalysis("the primary substence").names(QuestionAnalysis("primary substance").stems)
    assert not QuestionAnalysis("the age").names(QuestionAnalysis("the ages of").stems)


@pytest.mark.graph
async def test_a_text_is_planned_once_and_run_with_each_value(
    graph: TestGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[str] = []
    explain = GraphClient.explain

    async def counted(self: GraphClient, cypher: str, *rest: Any) -> Any:
        planned.append(cypher)
        return await explain(self, cypher, *rest)

    monkeypatch.setattr(GraphClient, "explain", counted)
    monkeypatch.setattr("t2c_data.validators.execution.MAX_CACHED_PLANS", 2)
    monkeypatch.setattr("t2c_data.validators.execution.MAX_CACHED_OUTCOMES", 1)
    async with GraphClient(graph.uri) as client:
        executor = QueryExecutor(client, Guard())
        for name in ("Warfarin", "Aspirin", "Nothing"):
            evidence = await executor.execute("MATCH (d:Drug) WHERE d.name = $v1 RETURN d.name", {"v1": name})
            assert (evidence.planned, evidence.query_type, evidence.ran) == (True, "r", True)
            assert evidence.rows == (() if name == "Nothing" else ((name,),))
        assert len(planned) == 1
        for number in (1, 2, 3, 1):  # two are remembered: the first is planned again
            await executor.execute(f"RETURN {number}", {})
        assert len(planned) == 5
        wrong = [await executor.execute("MATCH (d:Drug) RETURN count(count(d))", {}) for _ in range(2)]
        assert {(each.planned, each.code) for each in wrong} == {
            (False, "Neo.ClientError.Statement.SyntaxError")
        }
        assert len(planned) == 6
        assert await executor.execute("MATCH (n) DELETE n", {}) == ExecutionEvidence()
        assert len(planned) == 6


@pytest.mark.graph
async def test_wordings_with_the_same_query_run_it_once(
    graph: TestGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[Any] = []
    execute_read = GraphClient.execute_read

    async def counted(self: GraphClient, cypher: str, parameters: Any, *rest: Any) -> Any:
        run.append(parameters)
        return await execute_read(self, cypher, parameters, *rest)

    monkeypatch.setattr(GraphClient, "execute_read", counted)
    query = "MATCH (d:Drug) WHERE d.name = $v1 RETURN d.name"
    async with GraphClient(graph.uri) as client:
        executor = QueryExecutor(client, Guard())
        names = ("Warfarin", "Warfarin", "Aspirin", "Warfarin")
        found = await asyncio.gather(*(executor.execute(query, {"v1": name}) for name in names))
    assert [each.rows for each in found] == [((name,),) for name in names]
    assert len(run) == 2
