"""The client of a language model, against a real HTTP server on loopback that replies as scripted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.model_doubles import Reply, ScriptedServer

from t2c_data.errors import BudgetError, DataInputError, ModelError
from t2c_data.llm.client import LLMClient, cache_dir
from t2c_data.llm.endpoint import Endpoint
from t2c_data.llm.messages import VERDICT, list_reply

SAY = [{"role": "user", "content": "say something"}]


def as_json(**content: Any) -> Reply:
    return Reply(json.dumps(content))


def ask(server: ScriptedServer, folder: Path, *, schema: Any = VERDICT, samples: int = 1, **more: Any) -> Any:
    async def go() -> Any:
        endpoint = Endpoint(url=server.url, **{"retries": 0, "timeout_s": 20.0, **more})
        async with LLMClient(endpoint, folder) as client:
            return [await client.ask(SAY, schema, sample=number) for number in range(samples)][-1]

    return asyncio.run(go())


def test_replies_fit_a_schema_and_are_cached(tmp_path: Path) -> None:
    with ScriptedServer(lambda _: as_json(reason="x", fits=True)) as server:
        assert ask(server, tmp_path) == {"reason": "x", "fits": True}
        assert ask(server, tmp_path) == {"reason": "x", "fits": True}
        assert len(server.requests) == 1
        sent = server.requests[0]["response_format"]["json_schema"]
        assert sent["schema"]["required"] == ["reason", "fits"]
        ask(server, tmp_path / "free", structured_output=False)
        assert "response_format" not in server.requests[-1]


def test_the_name_of_a_cached_reply_does_not_change(tmp_path: Path) -> None:
    """Else every reply of earlier builds would be paid for again."""
    with ScriptedServer(lambda _: as_json(reason="x", fits=True), models=["m"]) as server:
        ask(server, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["e4bae0a1ba1bdccf8b90e15147af19f8.json"]


def test_the_cache_of_an_earlier_version_is_used(tmp_path: Path) -> None:
    assert cache_dir(tmp_path) == tmp_path / "llm_cache"
    (tmp_path / "replies").mkdir()
    assert cache_dir(tmp_path) == tmp_path / "replies"


@pytest.mark.parametrize(
    "text",
    ['Sure! ```json\n{"reason": "x", "fits": false}\n``` Bye.', 'I say {"reason": "x", "fits": false} there'],
)
def test_objects_are_found_in_prose(text: str, tmp_path: Path) -> None:
    with ScriptedServer(lambda _: Reply(text)) as server:
        assert ask(server, tmp_path) == {"reason": "x", "fits": False}


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[1]", '{"reason": "x"}', '{"reason": "x", "fits": "yes"}', '{"reason": null, "fits": true}'],
)
def test_replies_that_do_not_fit_are_asked_for_again_and_given_up(text: str, tmp_path: Path) -> None:
    with ScriptedServer(lambda _: Reply(text)) as server:
        assert ask(server, tmp_path) is None
        assert len(server.requests) == len(list(tmp_path.rglob("*.json"))) == 3
        assert all("seed" not in request for request in server.requests)


@pytest.mark.parametrize(
    ("items", "fits"),
    [([], True), (["a", "b", "c"], True), (["a", 1], False), ("a", False)],
)
def test_lists_may_be_longer_than_asked_for_but_not_of_other_types(
    items: Any, fits: bool, tmp_path: Path
) -> None:
    with ScriptedServer(lambda _: as_json(rewordings=items, more=1)) as server:
        found = ask(server, tmp_path, schema=list_reply("rewordings", 2, min_items=1))
    assert (found is not None) == fits


def test_a_reply_is_tried_until_it_fits(tmp_path: Path) -> None:
    replies = ["no", '{"reason": "x", "fits": true}']
    with ScriptedServer(lambda _: Reply(replies.pop(0))) as server:
        assert ask(server, tmp_path) == {"reason": "x", "fits": True}


def test_passing_failures_are_tried_again(tmp_path: Path) -> None:
    left = [2]

    def reply(_: dict[str, Any]) -> Reply:
        left[0] -= 1
        return Reply("busy", status=503) if left[0] >= 0 else as_json(reason="x", fits=True)

    with ScriptedServer(reply) as server:
        assert ask(server, tmp_path, retries=3) is not None
        assert len(server.requests) == 3


def test_a_used_up_budget_ends_calls_but_not_the_use_of_the_cache(tmp_path: Path) -> None:
    with ScriptedServer(lambda _: as_json(reason="x", fits=True)) as server:
        with pytest.raises(BudgetError, match="--max-total-tokens"):
            ask(server, tmp_path, samples=3, max_total_tokens=1)
        assert len(server.requests) == 1
        ask(server, tmp_path, samples=2)
        assert len(server.requests) == 2
        assert ask(server, tmp_path, samples=2, max_total_tokens=1) == {"reason": "x", "fits": True}
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("server", "error", "message"),
    [
        (ScriptedServer(lambda _: Reply("no", status=500)), ModelError, "same command again to resume"),
        (ScriptedServer(lambda _: Reply("no", status=400)), ModelError, "--no-structured-output"),
        (ScriptedServer(lambda _: Reply("no", status=401)), DataInputError, "T2C_LLM_KEY"),
        (ScriptedServer(lambda _: Reply("no", status=404)), DataInputError, "/v1"),
        (ScriptedServer(lambda _: as_json(), models=["a", "b"]), DataInputError, "2 models.*--llm-model"),
    ],
)
def test_failures_say_what_to_do(
    server: ScriptedServer, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with server, pytest.raises(error, match=message):
        ask(server, tmp_path)
