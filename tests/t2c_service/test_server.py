"""The served process at its edges: questions that run when it is stopped, clients that leave, bodies that do not come."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest
import uvicorn
from tests.model_doubles import Reply

from t2c_service.app import create_app
from t2c_service.settings import AccessSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from t2c_service.settings import Settings

    from .conftest import Script

pytestmark = pytest.mark.graph

GOOD = "MATCH (drug:Drug) RETURN count(drug)"
QUESTION = {"question": "How many drugs are there?"}


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=30)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  (uvicorn has no event)
            await asyncio.sleep(0.01)
        yield server, server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        await task


async def until(script: Script, asked: int) -> None:
    while len(script.asked) < asked:  # noqa: ASYNC110  (another thread counts)
        await asyncio.sleep(0.01)


async def test_questions_that_run_when_it_is_stopped_are_answered(settings: Settings, script: Script) -> None:
    script.says = [Reply(GOOD, delay_s=0.5)]
    async with listening(settings) as (server, port), httpx2.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{port}/query"
        asked = [asyncio.create_task(client.post(url, json=QUESTION)) for _ in range(3)]
        await until(script, 3)
        server.should_exit = True
        answers = [(await each).json() for each in asked]
    assert [answer["status"] for answer in answers] == ["answered"] * 3


async def test_the_work_for_a_client_that_left_is_given_up(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [Reply(GOOD, delay_s=20)]
    access = AccessSettings(audit_log=tmp_path / "audit.jsonl")
    async with listening(settings.model_copy(update={"access": access})) as (_, port):
        body = json.dumps(QUESTION).encode()
        for stream in (b"", b"Accept: text/event-stream\r\n"):
            before = len(script.asked)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + stream
            )
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await until(script, before + 1)
            writer.close()
            async with httpx2.AsyncClient(timeout=60) as client:
                for _ in range(5000):
                    text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                    if "t2c_questions_active 0.0" in text:
                        break
                    await asyncio.sleep(0.01)
            assert "t2c_questions_active 0.0" in text
            del reader
    written = [json.loads(line)["status"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert written == ["given-up", "given-up"]


async def test_a_body_that_does_not_come_is_not_waited_for(settings: Settings) -> None:
    limits = settings.limits.model_copy(update={"body_timeout_s": 0.2})
    async with listening(settings.model_copy(update={"limits": limits})) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
        writer.write(b'Content-Length: 50\r\n\r\n{"question"')
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in head
        writer.close()
