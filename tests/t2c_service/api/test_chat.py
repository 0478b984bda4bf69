"""The service as chat clients see it, asked with OpenAI's own client; answers as Markdown."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from markdown_it import MarkdownIt

from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.answering.explaining.markdown import escaped
from t2c_service.app import create_app
from t2c_service.settings import AccessSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.t2c_service.conftest import Script

    from t2c_service.settings import Settings

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
DOSES = "MATCH (drug:Drug) RETURN drug.name, drug.halfLifeHours ORDER BY drug.name LIMIT 30"


@asynccontextmanager
async def chatting(settings: Settings, key: str = "none") -> AsyncIterator[openai.AsyncOpenAI]:
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport) as http,
        openai.AsyncOpenAI(
            api_key=key, base_url="http://127.0.0.1/v1", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


def user(text: str) -> list[Any]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


@pytest.mark.graph
async def test_the_last_question_of_a_chat_is_answered(settings: Settings, script: Script) -> None:
    script.by_words = {"half-life": HALF_LIFE, "doses": DOSES}
    async with chatting(settings) as client:
        graphs = [each.id async for each in client.models.list()]
        assert graphs == ["default"]
        chat = [
            *user("Which doses are there?"),
            {"role": "assistant", "content": "Many."},
            {"role": "user", "content": [{"type": "text", "text": "What is the half-life of warfarin?"}]},
        ]
        reply = await client.chat.completions.create(model="default", messages=chat, temperature=0.7)
        assert reply.choices[0].finish_reason == "stop"
        assert reply.id.startswith("chatcmpl-")
        assert reply.choices[0].message.content == (
            "Drug half life hours: 40 \\[1\\]\n\n"
            "Understood as: The half life hours of the drug “Warfarin”\n\n"
            f'```cypher\n// $v1 = "Warfarin"\n{HALF_LIFE}\n```'
        )


@pytest.mark.graph
async def test_a_streamed_answer_is_the_same(settings: Settings, script: Script) -> None:
    script.by_words = {"doses": DOSES}
    async with chatting(settings) as client:
        whole = await client.chat.completions.create(model="default", messages=user("doses"))
        parts = await client.chat.completions.create(model="default", messages=user("doses"), stream=True)
        streamed = [part.choices[0].delta.content or "" async for part in parts]
    text = whole.choices[0].message.content
    assert text is not None
    assert "".join(streamed) == text
    assert text.count("\n| ") == 22  # the head, the line below it, twenty rows
    assert "10 more rows." in text


@pytest.mark.graph
@pytest.mark.parametrize(
    "content",
    [
        [
            {"type": "thinking", "thinking": "Hm."},
            {"type": "text", "text": "What is the half-life of warfarin?"},
        ],
        [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "input_text", "text": "What is the half-life of warfarin?"},
        ],
        ["What is the half-life of warfarin?", {"type": "file", "file": {"file_id": "f"}}],
    ],
)
async def test_parts_that_are_no_text_are_ignored(
    settings: Settings, script: Script, content: list[Any]
) -> None:
    script.by_words = {"half-life": HALF_LIFE}
    async with chatting(settings) as client:
        chat: list[Any] = [
            {"role": "function", "name": "f", "content": "3"},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "tool_result", "content": "x"}]},
            {"role": "user", "content": content},
        ]
        reply = await client.chat.completions.create(model="default", messages=chat)
    assert "40" in (reply.choices[0].message.content or "")


@pytest.mark.graph
async def test_a_stream_ends_with_the_usage_where_it_is_wanted(settings: Settings, script: Script) -> None:
    script.by_words = {"doses": DOSES}
    async with chatting(settings) as client:
        parts = await client.chat.completions.create(
            model="default", messages=user("doses"), stream=True, stream_options={"include_usage": True}
        )
        chunks = [part async for part in parts]
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []


@pytest.mark.graph
async def test_one_model_is_looked_up_by_its_name(settings: Settings) -> None:
    async with chatting(settings) as client:
        assert (await client.models.retrieve("default")).id == "default"
        with pytest.raises(openai.NotFoundError, match="unknown database 'gpt-5'"):
            await client.models.retrieve("gpt-5")


@pytest.mark.graph
async def test_problems_are_problems(settings: Settings, tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys.json")
    key = keys.create(KeyPermissions(name="reader", scopes=("query", "schema")))[0]
    closed = settings.model_copy(update={"access": AccessSettings(keys_file=tmp_path / "keys.json")})
    async with chatting(closed, "wrong") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
    async with chatting(closed, key) as client:
        with pytest.raises(openai.NotFoundError, match="unknown database 'gpt'"):
            await client.chat.completions.create(model="gpt", messages=user("Hello?"))
        with pytest.raises(openai.UnprocessableEntityError, match="role `user`"):
            await client.chat.completions.create(
                model="default", messages=[{"role": "system", "content": "x"}]
            )


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "![x](http://evil.example/a.png)",
        "see http://evil.example/?q=1 or www.evil.example or me@evil.example",
        "# heading",
        "**bold** __bold__ ~~gone~~ `code` $x$",
        "a | b",
        "&lt;b&gt;",
        "line\n\n- item\n1. item",
    ],
)
def test_what_the_graph_holds_cannot_become_markup(text: str) -> None:
    reader = MarkdownIt("gfm-like", {"linkify": False})
    shown = reader.render("Name: " + escaped(text))
    assert "<" not in shown.removeprefix("<p>").removesuffix("</p>\n")
    assert "http://" not in escaped(text)
