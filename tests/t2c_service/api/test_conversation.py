"""Conversations and ambiguous questions over HTTP, on the real demo graph, with a scripted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.model_doubles import UNSURE, Reply
from tests.t2c_service.api.test_chat import chatting
from tests.t2c_service.conftest import Script, running

from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.settings import AccessSettings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from t2c_service.settings import Settings

pytestmark = pytest.mark.graph

FIRST = "Which drugs treat gout?"
TREATS = "MATCH (drug:Drug)-[treats:TREATS]->(disease:Disease) WHERE disease.name = $v1 RETURN drug.name"
CAUSES = (
    "MATCH (drug:Drug)-[has_side_effect:HAS_SIDE_EFFECT]->(side_effect:SideEffect) WHERE side_effect.name = $v1 "
    "RETURN drug.name"
)
EVERYTHING = "MATCH (patient:Patient) RETURN patient.name, patient.birthDate"
DEPRESSION = "Which drugs are there with depression?"


async def ask(
    client: httpx2.AsyncClient, question: str, *conversation: Any, headers: Any = None, **options: Any
) -> dict[str, Any]:
    body = {"question": question, "conversation": conversation, "options": options}
    response = await client.post("/query", json=body, headers=headers)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


async def test_a_follow_up_changes_the_query_of_the_question_before(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [TREATS]
    answer = await ask(client, "what about migraine?", FIRST)
    assert (answer["status"], answer["origin"], answer["follow_up_of"]) == ("answered", "follow_up", FIRST)
    assert list(answer["parameters"].values()) == ["Migraine"]
    assert "“Migraine”" in answer["interpretation"]


async def test_follow_ups_add_up_from_the_questions_alone(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [TREATS]
    answer = await ask(client, "how many are there?", FIRST, "what about migraine?", "only first-line ones")
    assert answer["cypher"].count("firstLine") == 1
    assert "count(DISTINCT drug)" in answer["cypher"]
    assert list(answer["parameters"].values()) == ["Migraine"]


async def test_a_question_of_its_own_starts_anew(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [TREATS]
    answer = await ask(client, "Which drugs treat asthma?", FIRST)
    assert (answer["origin"], answer["follow_up_of"]) == ("model", None)
    assert answer["parameters"] == {"v1": "Asthma"}


async def test_a_follow_up_that_cannot_be_applied_says_so(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [Reply(TREATS, logprobs=UNSURE)]
    answer = await ask(client, "what is their salary?", FIRST)
    assert answer["status"] == "unanswerable"
    assert FIRST in answer["answer"]
    assert answer["rows"] == []


async def test_the_query_of_an_earlier_turn_needs_the_scope_to_run_queries(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [TREATS]
    keys = KeyStore(tmp_path / "keys.json")
    asking, _ = keys.create(KeyPermissions(name="asking", scopes=("query",)))
    running_too, _ = keys.create(KeyPermissions(name="running", scopes=("query", "cypher")))
    closed = settings.model_copy(update={"access": AccessSettings(keys_file=tmp_path / "keys.json")})
    turn = {"question": FIRST, "cypher": EVERYTHING, "parameters": {}}
    async with running(closed) as client:
        own = await ask(client, "only 3", turn, headers={"X-API-Key": running_too})
        made_again = await ask(client, "only 3", turn, headers={"X-API-Key": asking})
    assert own["columns"] == ["patient.name", "patient.birthDate"]
    assert made_again["columns"] == ["drug.name"]
    assert len(own["rows"]) == len(made_again["rows"]) == 3


async def test_a_follow_up_on_a_query_that_must_not_run_is_refused(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [TREATS]
    turn = {"question": FIRST, "cypher": "MATCH (d:Drug) DELETE d RETURN d.name"}
    answer = await ask(client, "only 3", turn)
    assert answer["origin"] == "model"
    assert "DELETE" not in str(answer["attempts"])


@pytest.mark.parametrize(
    "turn", ["", "x" * 5000, {"question": "?", "cypher": "x" * 200_000}, {"cypher": "RETURN 1"}, 3]
)
async def test_an_invalid_turn_is_refused(client: httpx2.AsyncClient, turn: Any) -> None:
    response = await client.post("/query", json={"question": "only 3", "conversation": [turn]})
    assert response.status_code in {413, 422}


async def test_all_messages_of_a_chat_are_its_conversation(settings: Settings, script: Script) -> None:
    script.says = [TREATS]
    async with chatting(settings) as client:
        messages: list[Any] = [{"role": "user", "content": FIRST}]
        first = await client.chat.completions.create(model="default", messages=messages)
        messages += [
            {"role": "assistant", "content": first.choices[0].message.content},
            {"role": "user", "content": "and for migraine?"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "how many are there?"},
        ]
        reply = await client.chat.completions.create(model="default", messages=messages)
    content = reply.choices[0].message.content or ""
    assert "count(DISTINCT drug)" in content
    assert '"Migraine"' in content


async def test_a_chat_model_has_the_earlier_turns_in_its_prompt(settings: Settings, script: Script) -> None:
    script.chat = [TREATS]
    chat = settings.model_copy(update={"prompt": "chat"})
    async with running(chat) as client:
        await ask(
            client,
            "what about migraine?",
            {"question": FIRST, "cypher": TREATS, "parameters": {"v1": "Gout"}},
        )
    contents = [message["content"] for message in script.asked[-1]["messages"]]
    assert any(FIRST in each for each in contents)
    assert any(TREATS in each and "Gout" in each for each in contents)
    assert "what about migraine?" in contents[-1]


async def test_a_question_with_two_readings_asks_back(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [Reply(each, logprobs=UNSURE) for each in (TREATS, CAUSES)]
    answer = await ask(client, DEPRESSION)
    assert answer["status"] == "ambiguous"
    assert [choice["cypher"] for choice in answer["choices"]] == [TREATS, CAUSES]
    assert all(choice["interpretation"] in answer["answer"] for choice in answer["choices"])
    assert answer["rows"] == []


async def test_a_reading_is_taken_by_its_number_or_by_the_next_turn(
    client: httpx2.AsyncClient, script: Script
) -> None:
    script.says = [Reply(each, logprobs=UNSURE) for each in (TREATS, CAUSES)]
    by_number = await ask(client, DEPRESSION, choice=2)
    by_turn = await ask(client, "the second", DEPRESSION)
    by_words = await ask(client, "the side effect", DEPRESSION)
    assert by_number["cypher"] == by_turn["cypher"] == by_words["cypher"] == CAUSES
    assert {each["status"] for each in (by_number, by_turn, by_words)} == {"answered"}
    assert (await ask(client, DEPRESSION, choice=1))["cypher"] == TREATS


async def test_readings_with_the_same_rows_are_one(client: httpx2.AsyncClient, script: Script) -> None:
    script.says = [Reply(each, logprobs=UNSURE) for each in (TREATS, f"{TREATS} ORDER BY drug.name")]
    assert (await ask(client, DEPRESSION))["status"] == "answered"
