"""Models behind the OpenAI HTTP API, against a real server on loopback that behaves as scripted."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from tests.model_doubles import Reply, ScriptedServer

from t2c_core.grammar import Grammar
from t2c_core.prompt.chat_replies import read_reply
from t2c_service.errors import CompletionError, DeadlineError, ModelUnavailableError, SettingsError
from t2c_service.models import protocol
from t2c_service.models.openai import OpenAIModel


def always(reply: Reply) -> Callable[[dict[str, Any]], Reply]:
    return lambda _asked: reply


Connect = Callable[..., OpenAIModel]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[OpenAIModel] = []

    def make(url: str, **more: Any) -> OpenAIModel:
        made.append(OpenAIModel(url, **more))
        return made[-1]

    yield make
    for model in made:
        await model.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_text_prompts_go_to_completions_greedily(connect: Connect) -> None:
    with ScriptedServer(always(Reply(" RETURN 1"))) as server:
        model = connect(server.url, name="scripted", max_tokens=99)
        written = await model.complete("the prompt", timeout_s=10)
    assert written.text == " RETURN 1"
    assert (written.tokens, written.mean_logprob) == (2, -0.125)
    assert server.requests[0]["prompt"] == "the prompt"
    assert (server.requests[0]["temperature"], server.requests[0]["max_tokens"]) == (0.0, 99)


async def test_messages_go_to_chat(connect: Connect) -> None:
    with ScriptedServer(always(Reply("hello"))) as server:
        model = connect(server.url)
        written = await model.complete([{"role": "user", "content": "hi"}], timeout_s=10)
    assert written.text == "hello"
    assert server.requests[0]["messages"] == [{"role": "user", "content": "hi"}]


QUERY = "MATCH (p:Person) RETURN p.name"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": QUERY}, QUERY),
        ({"content": QUERY, "reasoning_content": "we match people"}, QUERY),
        ({"content": None, "reasoning_content": QUERY}, QUERY),
        ({"content": "", "reasoning": QUERY}, QUERY),
        ({"content": [{"type": "text", "text": QUERY}]}, QUERY),
        (
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "1",
                        "type": "function",
                        "function": {"name": "run", "arguments": json.dumps({"query": QUERY})},
                    }
                ],
            },
            json.dumps({"query": QUERY}),
        ),
    ],
)
async def test_the_text_of_a_chat_message_is_found_where_the_server_puts_it(
    connect: Connect, message: dict[str, Any], text: str
) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    raw = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    with ScriptedServer(always(Reply(raw=json.dumps(raw).encode()))) as server:
        reply = await connect(server.url).complete([{"role": "user", "content": "hi"}], timeout_s=10)
    assert reply.text == text
    assert read_reply(reply.text).cypher == QUERY


async def test_grammars_need_xgrammar(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    model = connect("http://127.0.0.1:9/v1")
    model.check_support(chat=True, grammar=True)
    monkeypatch.setattr(protocol, "find_spec", lambda _: None)
    model.check_support(chat=True, grammar=False)
    with pytest.raises(SettingsError, match=r"xgrammar; install graphling\[local\]"):
        model.check_support(chat=True, grammar=True)


async def test_other_hypotheses_are_sampled_without_a_seed(connect: Connect) -> None:
    with ScriptedServer(always(Reply("x"))) as server:
        model = connect(server.url)
        await model.complete("p", hypothesis=2, timeout_s=10)
    assert server.requests[0]["temperature"] > 0
    assert "seed" not in server.requests[0]


async def test_the_only_model_needs_no_name(connect: Connect) -> None:
    with ScriptedServer(always(Reply("x")), models=["one"]) as server:
        model = connect(server.url)
        await model.complete("p", timeout_s=10)
    assert (server.requests[0]["model"], model.name) == ("one", "one")


async def test_of_several_models_one_must_be_named(connect: Connect) -> None:
    with ScriptedServer(always(Reply("x")), models=["one", "two"]) as server:
        model = connect(server.url)
        with pytest.raises(ModelUnavailableError, match=r"has 2 models \(one, two\); set `model.name`"):
            await model.complete("p", timeout_s=10)


async def test_a_model_that_is_not_there_is_named(connect: Connect) -> None:
    with ScriptedServer(always(Reply("x")), models=["one"]) as server:
        model = connect(server.url, name="other")
        with pytest.raises(ModelUnavailableError, match="does not have 'other'"):
            await model.complete("p", timeout_s=10)
        with pytest.raises(ModelUnavailableError, match="has no 'other'; it has one"):
            await model.check()


async def test_the_key_is_sent_only_if_there_is_one(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of another service")
    with ScriptedServer(always(Reply("x"))) as server:
        for key in (None, SecretStr("k1")):
            model = connect(server.url, name="scripted", api_key=key)
            await model.complete("p", timeout_s=10)
        assert server.keys == [None, "Bearer k1"]


async def test_a_server_that_is_down_is_named(connect: Connect, free_port: int) -> None:
    model = connect(f"http://127.0.0.1:{free_port}/v1")
    with pytest.raises(ModelUnavailableError, match=f"127.0.0.1:{free_port}/v1 cannot be reached"):
        await model.complete("p", timeout_s=10)
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        await model.check()


async def test_a_server_that_comes_back_is_used_again(connect: Connect, free_port: int) -> None:
    model = connect(f"http://127.0.0.1:{free_port}/v1")
    with pytest.raises(ModelUnavailableError):
        await model.check()
    with ScriptedServer(always(Reply("x")), port=free_port):
        await model.check()
        assert (await model.complete("p", timeout_s=10)).text == "x"
    with pytest.raises(ModelUnavailableError):
        await model.complete("p", timeout_s=10)


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply("x", finish="length"), CompletionError, "exceeds 256 tokens"),
        (Reply("   "), CompletionError, "is empty"),
        (Reply(endless=True), CompletionError, "sent more than"),
        (Reply(raw=b"<html>hello</html>"), CompletionError, "is not a completion"),
        (Reply(raw=b'{"choices": []}'), CompletionError, "is not a completion"),
        (Reply(raw=b'{"choices": [{"text": 3, "finish_reason": "stop"}]}'), CompletionError, "is empty"),
        (Reply(raw=b"[]"), CompletionError, "is not a completion"),
        (Reply(status=500), ModelUnavailableError, "status 500"),
        (Reply(status=429), ModelUnavailableError, "status 429"),
        (Reply(status=401), ModelUnavailableError, "rejects the API key"),
        (Reply(status=400), CompletionError, "rejects this prompt"),
        (Reply("x", delay_s=5), DeadlineError, "took longer than 3 s"),
    ],
    ids=lambda value: None if isinstance(value, Reply) else "",
)
async def test_an_unusable_reply_is_a_clear_error(
    connect: Connect, reply: Reply, error: type[Exception], message: str
) -> None:
    with ScriptedServer(always(reply)) as server:
        model = connect(server.url, name="scripted")
        with pytest.raises(error, match=message):
            await model.complete("p", timeout_s=3)


async def test_retries_are_bounded(connect: Connect) -> None:
    with ScriptedServer(always(Reply(status=503))) as server:
        model = connect(server.url, name="scripted")
        with pytest.raises(ModelUnavailableError):
            await model.complete("p", timeout_s=10)
    assert len(server.requests) == 2


GRAMMAR = Grammar('root ::= " RETURN " [0-9]{1,3} | "UNANSWERABLE"')


async def test_a_grammar_is_sent_as_vllm_wants_it(connect: Connect) -> None:
    with ScriptedServer(always(Reply(" RETURN 1"))) as server:
        model = connect(server.url)
        assert (await model.complete("p", grammar=GRAMMAR, timeout_s=10)).text == " RETURN 1"
        await model.complete("p", timeout_s=10)
    assert server.requests[0]["structured_outputs"] == {"grammar": GRAMMAR.text}
    assert "structured_outputs" not in server.requests[1]


@pytest.mark.parametrize("text", ["RETURN 12", "RETURN 1\n", "UNANSWERABLE"])
async def test_whitespace_around_a_completion_is_ignored(connect: Connect, text: str) -> None:
    with ScriptedServer(always(Reply(text))) as server:
        assert (await connect(server.url).complete("p", grammar=GRAMMAR, timeout_s=10)).text == text


@pytest.mark.parametrize("text", ["RETURN x", "MATCH (n) DELETE n", "RETURN 1 2", "RETURN"])
async def test_a_completion_outside_the_grammar_is_an_error(connect: Connect, text: str) -> None:
    with ScriptedServer(always(Reply(text))) as server:
        model = connect(server.url)
        with pytest.raises(CompletionError, match="does not match the grammar"):
            await model.complete("p", grammar=GRAMMAR, timeout_s=10)
