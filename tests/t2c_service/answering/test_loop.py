"""The answering loop on the real demo graph: samples, retries with feedback, diagnosis, dry runs, steps as events."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from tests.model_doubles import UNSURE, Reply
from tests.t2c_service.conftest import Script, running

from t2c_service.answering.attempts.confidence import INTERCEPT, PROBABILITY_WEIGHT

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
ROUTE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.name"
QUESTION = "What is the half-life of warfarin?"


async def ask(client: httpx2.AsyncClient, question: str = QUESTION, **options: Any) -> dict[str, Any]:
    response = await client.post("/query", json={"question": question, "options": options})
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


async def events(client: httpx2.AsyncClient, question: str = QUESTION) -> list[tuple[str, dict[str, Any]]]:
    headers = {"Accept": "text/event-stream"}
    response = await client.post("/query", json={"question": question}, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_the_rows_that_most_samples_give_are_the_answer(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [ROUTE, HALF_LIFE, HALF_LIFE + " LIMIT 5"]
    answer = await ask(client, samples=3)
    assert answer["rows"] == [[40.0]]
    assert answer["confidence"]["agreement"] == pytest.approx(2 / 3, abs=1e-3)
    assert answer["confidence"]["samples"] == 3
    assert [attempt["hypothesis"] for attempt in answer["attempts"]] == [0, 1, 2]


async def test_samples_that_cannot_run_do_not_count(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = ["MATCH (drug:Nothing) RETURN drug", "MATCH (n) DELETE n", HALF_LIFE]
    answer = await ask(client, samples=3)
    assert (answer["status"], answer["rows"]) == ("answered", [[40.0]])
    assert len(answer["attempts"]) == 3


UNNAMED = "MATCH (drug:Drug) RETURN max(drug.halfLifeHours)"
NAMED = 'What is the half-life of "Warfarin"?'


async def test_a_query_that_ignores_a_name_is_retried(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [UNNAMED, HALF_LIFE]
    answer = await ask(client, NAMED)
    assert (answer["cypher"], answer["rows"]) == (HALF_LIFE, [[40.0]])
    assert any("it differed from the question" in warning for warning in answer["warnings"])
    assert len(answer["attempts"]) == 2


async def test_an_answer_says_what_its_query_asks_for(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [UNNAMED]
    assert (await ask(client))["interpretation"] == "The highest half life hours of drugs"


async def test_a_name_of_one_letter_is_no_word_of_an_answer(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = ["MATCH (d:Drug) WITH d.name AS g, count(*) AS n RETURN g ORDER BY g LIMIT 1"]
    answer = await ask(client, "Which drug comes first by name?")
    assert answer["columns"] == ["g"]
    assert answer["answer"].startswith("D name: ")


async def test_a_query_that_may_not_run_is_not_put_into_words(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = ["MATCH (drug:Drug) DELETE drug"]
    assert (await ask(client))["interpretation"] is None


async def test_a_name_that_no_query_uses_is_a_warning(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [UNNAMED, UNNAMED]
    answer = await ask(client, NAMED)
    assert answer["cypher"] == UNNAMED
    assert any("ignores “Warfarin”" in warning for warning in answer["warnings"])


async def test_confidence_comes_from_the_probability_and_the_differences(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [Reply(HALF_LIFE, logprobs=UNSURE)]
    confidence = (await ask(client))["confidence"]
    assert confidence["agreement"] is None
    assert confidence["probability"] == pytest.approx(math.exp(-0.5 * 2), abs=1e-3)  # two tokens at -0.5
    likely = 1 / (1 + math.exp(-(INTERCEPT - PROBABILITY_WEIGHT)))
    assert confidence["score"] == pytest.approx(likely, abs=1e-3)
    script.says = [Reply(UNNAMED, logprobs=UNSURE)] * 2
    differing = (await ask(client, NAMED))["confidence"]
    assert differing["differences"] > 0
    assert differing["score"] < confidence["score"]


async def test_low_confidence_is_a_warning(client: httpx2.AsyncClient, script: Script) -> None:
    counts = [f"MATCH (n:{label}) RETURN count(n)" for label in ("Drug", "Disease", "Patient")]
    script.says = [Reply(each, logprobs=UNSURE) for each in (ROUTE, HALF_LIFE, *counts)]
    warnings = (await ask(client, samples=5))["warnings"]
    assert any("Low confidence" in warning for warning in warnings)


async def test_below_the_minimum_confidence_the_answer_is_unanswerable(
    settings: Settings, script: Script
) -> None:
    script.says = [Reply(HALF_LIFE, logprobs=UNSURE)]
    limits = settings.limits.model_copy(update={"min_confidence": 0.9})
    async with running(settings.model_copy(update={"limits": limits})) as client:
        answer = await ask(client)
    assert (answer["status"], answer["rows"], answer["cypher"]) == ("unanswerable", [], HALF_LIFE)
    assert "minimum confidence" in answer["answer"]


async def test_a_dry_run_shows_the_query_and_its_plan_but_runs_nothing(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [HALF_LIFE]
    answer = await ask(client, dry_run=True)
    assert (answer["cypher"], answer["rows"]) == (HALF_LIFE, [])
    assert answer["answer"].startswith("Not run, as requested.")
    assert answer["plan"]["query_type"] == "r"
    assert [attempt["outcome"] for attempt in answer["attempts"]] == ["passed"]
    assert answer["timings_ms"]["run"] == 0


async def test_the_plan_comes_when_it_is_asked_for(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [HALF_LIFE]
    assert (await ask(client))["plan"] is None
    assert "ProduceResults" in (await ask(client, explain=True))["plan"]["operators"]


async def test_an_empty_result_is_diagnosed_one_condition_at_a_time(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = ["MATCH (drug:Drug) WHERE drug.name = $v1 AND drug.halfLifeHours > 100000 RETURN drug.name"]
    answer = await ask(client)
    assert answer["status"] == "empty"
    tried = {each["condition"]: each["rows"] for each in answer["diagnosis"]["relaxations"]}
    assert tried == {"drug.name = $v1": 0, "drug.halfLifeHours > 100000": 1}
    assert answer["diagnosis"]["summary"] == "Without drug.halfLifeHours > 100000 there is 1 row."
    assert answer["diagnosis"]["complete"] is True


async def test_a_diagnosis_keeps_to_its_budget(settings: Settings, script: Script) -> None:
    script.says = [
        "MATCH (d:Drug) WHERE d.name = 'x' AND d.name <> 'y' AND d.halfLifeHours = -1 RETURN d.name"
    ]
    for queries, tried in ((2, 2), (0, None)):
        limits = settings.limits.model_copy(update={"max_diagnosis_queries": queries})
        async with running(settings.model_copy(update={"limits": limits})) as client:
            diagnosis = (await ask(client))["diagnosis"]
        assert (len(diagnosis["relaxations"]) if diagnosis else None) == tried
        assert diagnosis is None or diagnosis["complete"] is False


async def test_a_chat_model_gets_feedback_about_an_empty_result(settings: Settings, script: Script) -> None:
    empty = "MATCH (drug:Drug) WHERE drug.name = 'nothing' RETURN drug.name"
    script.chat = [empty, HALF_LIFE]
    async with running(settings.model_copy(update={"prompt": "chat"})) as client:
        answer = await ask(client)
        assert answer["rows"] == [[40.0]]
        assert "gave no rows" in script.asked[1]["messages"][-1]["content"]
        assert "gave no rows" in answer["attempts"][1]["feedback"]
        assert answer["attempts"][1]["round"] == 2
        script.chat = [empty, empty]
        assert (await ask(client))["status"] == "empty"


async def test_a_chat_model_sees_similar_examples(settings: Settings, script: Script, tmp_path: Path) -> None:
    examples = tmp_path / "pairs.jsonl"
    rows = [
        {"question": "half-life of metformin?", "cypher": HALF_LIFE, "parameters": {"v1": "Metformin"}},
        {"question": QUESTION, "cypher": "MATCH (itself:Drug) RETURN itself.name"},
        {
            "question": "Which drugs treat asthma?",
            "cypher": "MATCH (d:Disease {name: 'Asthma'}) RETURN d.name",
        },
        {"question": "nobody links this", "cypher": "RETURN $x", "parameters": {"x": "Zzz"}},
        {"question": "How many doctors are there?"},
    ]
    examples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    script.says = [HALF_LIFE]
    async with running(settings.model_copy(update={"prompt": "chat", "examples": examples})) as client:
        await ask(client)
        await ask(client, "Which drugs treat psoriasis?")
    first, second = [asked["messages"] for asked in script.asked][:2]
    assert "half-life of metformin?" in first[-3]["content"]
    assert first[-2]["content"] == HALF_LIFE
    assert all("itself" not in message["content"] for message in first)
    assert second[-2]["content"] == "MATCH (d:Disease {name: $v1}) RETURN d.name"


async def test_of_a_large_schema_a_chat_model_sees_the_part_that_fits(
    settings: Settings, script: Script
) -> None:
    limits = settings.limits.model_copy(update={"max_schema_chars": 1500})
    script.says = ["MATCH (drug:Drug) RETURN drug.name"]
    changed = settings.model_copy(update={"prompt": "chat", "limits": limits})
    async with running(changed) as client:
        await ask(client, "Which drugs treat asthma?")
    system = script.asked[0]["messages"][0]["content"]
    assert "(:Drug" in system
    assert "[:TREATS" in system
    assert "(:Insurer" not in system


async def test_steps_come_as_events_before_the_answer(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = ["MATCH (n:Drug) SET n.x = 1 RETURN n.name", HALF_LIFE]
    found = await events(client)
    names = [name for name, _ in found]
    assert names == ["linked", "generated", "attempt", "generated", "guarded", "attempt", "answer"]
    assert found[0][1]["linked_values"][0]["text"] == "warfarin"
    assert [data["outcome"] for name, data in found if name == "attempt"] == ["refused", "ran"]
    assert found[-1][1]["rows"] == [[40.0]]
    assert found[-1][1]["request_id"]


async def test_a_problem_before_the_first_step_has_its_status(client: httpx2.AsyncClient) -> None:
    headers = {"Accept": "text/event-stream"}
    response = await client.post("/query", json={"question": "?" * 3000}, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")


async def test_a_problem_after_it_is_an_event(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [Reply(status=500, raw=b"{}")]
    name, data = (await events(client))[-1]
    assert (name, data["type"], data["status"]) == ("problem", "urn:graphling:problem:model-unavailable", 503)


async def test_ones_own_query_runs_through_the_same_guard(client: httpx2.AsyncClient) -> None:
    body = {"cypher": HALF_LIFE, "parameters": {"v1": "Warfarin"}}
    answer = (await client.post("/cypher", json=body)).json()
    assert (answer["status"], answer["rows"], answer["question"]) == ("answered", [[40.0]], "")
    for cypher, code in (
        ("MATCH (n) DETACH DELETE n", "parse.write"),
        ("LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row", "parse.load"),
        ("MATCH (d:Drugg) RETURN d", "schema.label"),
        ("MATCH (d:Drug) RETURN d.nme", "schema.property"),
    ):
        answer = (await client.post("/cypher", json={"cypher": cypher})).json()
        assert (answer["status"], answer["attempts"][0]["codes"]) == ("refused", [code])


@pytest.mark.parametrize(
    ("cypher", "parameters", "rows"),
    [
        ("RETURN $n IS NULL AS x", {"n": None}, [[True]]),
        (
            "UNWIND $rows AS row RETURN row.n AS x",
            {"rows": [{"n": "Warfarin"}, {"n": None}]},
            [["Warfarin"], [None]],
        ),
        (
            "MATCH (d:Drug) WHERE d.name IN $names RETURN d.name AS x",
            {"names": ["Warfarin", 1, None]},
            [["Warfarin"]],
        ),
        ("RETURN $m.a.b AS x", {"m": {"a": {"b": [1, [2]]}}}, [[[1, [2]]]]),
    ],
)
async def test_parameters_are_any_json_value(
    client: httpx2.AsyncClient, cypher: str, parameters: object, rows: list[list[object]]
) -> None:
    answer = (await client.post("/cypher", json={"cypher": cypher, "parameters": parameters})).json()
    assert (answer.get("rows"), answer.get("parameters")) == (rows, parameters), answer


@pytest.mark.parametrize(
    "parameters",
    [
        [1],
        "x",
        {"v1": 2**70},
        {"v1": [{"a": 2**70}]},
        {"v1": list(range(2000))},
        {"v1": json.loads("[" * 20 + "]" * 20)},
    ],
)
async def test_parameters_that_no_database_takes_are_problems(
    client: httpx2.AsyncClient, parameters: object
) -> None:
    response = await client.post("/cypher", json={"cypher": "RETURN $v1", "parameters": parameters})
    assert response.status_code == 422


async def test_a_repaired_query_shows_the_original_and_the_repair(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [HALF_LIFE.replace(":Drug", ":drug")]
    answer = await ask(client)
    attempt = answer["attempts"][0]
    assert answer["cypher"].startswith(HALF_LIFE)
    assert attempt["generated_cypher"] == attempt["written"] == HALF_LIFE.replace(":Drug", ":drug")
    assert any("repair.label" in repair for repair in attempt["repairs"])


async def test_a_name_that_the_graph_lacks_makes_a_question_unanswerable(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [
        "MATCH (ward:Ward) RETURN ward.phoneNumber",
        "MATCH (drug:Drugg) RETURN drug.name",
        "MATCH (:Drug)-[:TREETS]->(d:Disease) RETURN d.name",
    ]
    answer = await ask(client, samples=3)
    assert answer["status"] == "unanswerable"
    assert answer["answer"].startswith("The graph does not contain the information needed: ")
    for word in ("no phone number of wards", "phoneNumber", "Drugg", "Drug", "TREETS", "TREATS"):
        assert word in answer["answer"]
    assert {attempt["outcome"] for attempt in answer["attempts"]} == {"refused"}


@pytest.mark.parametrize(
    ("says", "status"),
    [
        (["MATCH (drug:Drugg) RETURN drug.name", HALF_LIFE], "answered"),
        (["MATCH (drug:Drugg) RETURN drug.name", "MATCH (n) DELETE n"], "refused"),
        (["MATCH (drug:Drugg) RETURN drug.name", "<unanswerable>"], "unanswerable"),
        (["MATCH (drug:Drugg) RETURN drug.name", "MATCH (drug:Drug) RETURN ward.name"], "unanswerable"),
        (["MATCH (drug:Drugg) RETURN drug.name", "MATCH (drug:Drug"], "unanswerable"),
        (["MATCH (drug:Drug) RETURN drug.beds", "MATCH (drug:Drug"], "unanswerable"),
        (["MATCH (drug:Drug) RETURN ward.name", "MATCH (drug:Drug"], "refused"),
    ],
)
async def test_a_missing_name_counts_if_no_other_hypothesis_holds(
    client: httpx2.AsyncClient, script: Script, says: list[str], status: str
) -> None:
    script.says = [*says]
    answer = await ask(client, samples=2)
    assert answer["status"] == status
    if status == "unanswerable":
        assert answer["answer"].startswith("The graph does not contain the information needed: no ")


async def test_numbers_are_stated_exactly(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = ["RETURN 1999999.5 AS a, 2000000.4 AS b"]
    assert (await ask(client))["answer"] == "A 1999999.5, b 2000000.4 [1]"
