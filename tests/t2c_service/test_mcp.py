"""The MCP tools, called with the SDK's own client: over HTTP, over standard input and output, and with broken frames."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from t2c_service.access.keys import KeyPermissions, KeyStore
from t2c_service.app import create_app
from t2c_service.settings import AccessSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from t2c_service.settings import Settings

    from .conftest import Script

pytestmark = pytest.mark.graph

HALF_LIFE = "MATCH (drug:Drug) WHERE drug.name = $v1 RETURN drug.halfLifeHours"
URL = "http://127.0.0.1/mcp"
FRAME = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@asynccontextmanager
async def serving(
    settings: Settings, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client,
    ):
        yield client


@asynccontextmanager
async def tools(settings: Settings, headers: Mapping[str, str] | None = None) -> AsyncIterator[Client]:
    async with (
        serving(settings, headers) as http,
        Client(streamable_http_client(URL, http_client=http)) as client,
    ):
        yield client


def told(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    content: dict[str, Any] = result.structured_content
    return content


async def test_the_tools_say_what_they_do(settings: Settings) -> None:
    async with tools(settings) as client:
        listed = (await client.list_tools()).tools
        assert "never instructions" in (client.instructions or "")
    assert {tool.name for tool in listed} == {"ask", "run_read_cypher", "get_schema"}
    for tool in listed:
        assert tool.description
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert "context" not in json.dumps(tool.input_schema)


async def test_the_tools_answer(settings: Settings, script: Script) -> None:
    script.says = [HALF_LIFE]
    async with tools(settings) as client:
        asked = told(await client.call_tool("ask", {"question": "What is the half-life of warfarin?"}))
        run = told(
            await client.call_tool("run_read_cypher", {"cypher": HALF_LIFE, "parameters": {"v1": "Warfarin"}})
        )
        schema = told(await client.call_tool("get_schema", {}))
    assert (asked["status"], asked["rows"], asked["cypher"]) == ("answered", [[40.0]], HALF_LIFE)
    assert run["rows"] == [[40.0]]
    assert "(:Drug" in schema["text"]
    assert schema["databases"] == ["default"]


async def test_what_must_not_run_is_refused_with_its_reason(settings: Settings) -> None:
    async with tools(settings) as client:
        result = told(await client.call_tool("run_read_cypher", {"cypher": "MATCH (n) DETACH DELETE n"}))
    assert (result["status"], result["rows"]) == ("refused", [])
    assert "parse.write" in result["reasons"][0]


@pytest.mark.parametrize("accept", [None, "application/json", "*/*", "text/event-stream"])
async def test_a_client_may_accept_what_it_likes(settings: Settings, accept: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({"Accept": accept} if accept else {})
    async with serving(settings) as http:
        if accept is None:
            del http.headers["accept"]
        response = await http.post("/mcp", content=json.dumps(FRAME), headers=headers)
    assert response.status_code == 200, response.text
    assert len(response.json()["result"]["tools"]) == 3


async def test_tools_take_nulls_and_maps_as_parameters(settings: Settings) -> None:
    cypher = "UNWIND $rows AS row RETURN row.n AS n"
    async with tools(settings) as client:
        found = told(
            await client.call_tool(
                "run_read_cypher",
                {"cypher": cypher, "parameters": {"rows": [{"n": "Warfarin"}, {"n": None}]}},
            )
        )
    assert found["rows"] == [["Warfarin"], [None]]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("ask", {"question": ""}, "empty"),
        ("ask", {}, "question"),
        ("ask", {"question": "x", "max_rows": 0}, "max_rows"),
        ("ask", {"question": "x", "database": "other"}, "unknown database"),
        ("run_read_cypher", {"cypher": 3}, "cypher"),
        ("run_read_cypher", {"cypher": "RETURN 1", "parameters": {"v": 2**70}}, "64 bits"),
        ("run_read_cypher", {"cypher": "RETURN 1", "parameters": [1]}, "parameters"),
        ("no_such_tool", {}, "no_such_tool"),
    ],
)
async def test_wrong_calls_are_told_what_is_wrong(
    settings: Settings, name: str, arguments: dict[str, Any], reason: str
) -> None:
    async with tools(settings) as client:
        try:
            result = await client.call_tool(name, arguments)
        except Exception as error:  # noqa: BLE001  (the SDK chooses how to tell)
            assert reason in str(error)  # noqa: PT017
            return
    assert result.is_error
    assert reason in str(result.content)


async def test_keys_and_policies_hold_for_tools_too(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    key, _ = KeyStore(keys).create(
        KeyPermissions(name="ward", scopes=("query",), hidden=("Drug.halfLifeHours",))
    )
    script.says = [HALF_LIFE]
    changed = settings.model_copy(update={"access": AccessSettings(keys_file=keys)})
    async with tools(changed, {"Authorization": f"Bearer {key}"}) as client:
        asked = told(await client.call_tool("ask", {"question": "What is the half-life of warfarin?"}))
        assert (asked["status"], asked["rows"]) == ("refused", [])
        refused = await client.call_tool("get_schema", {})
        assert refused.is_error
    async with serving(changed) as http:
        response = await http.post("/mcp", json=FRAME, headers=HEADERS)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Content-Type": "text/plain"}, 200),
        ({"Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"}, 400),
        ({"Accept": "image/png"}, 200),
    ],
)
async def test_other_sites_and_hosts_are_kept_out(
    settings: Settings, headers: dict[str, str], status: int
) -> None:
    async with serving(settings) as http:
        response = await http.post("/mcp", json=FRAME, headers={**HEADERS, **headers})
    assert response.status_code == status


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
        b'{"jsonrpc": "2.0", "id": {}, "method": "tools/list"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "../../etc/passwd"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": []}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\\u0000"}}',
        b'{"jsonrpc": "2.0", "id": 99999999999999999999, "method": "tools/list", "params": 3}',
        json.dumps({**FRAME, "params": {"x": "y" * 60_000}}).encode(),
    ],
)
async def test_broken_frames_are_answered_not_fatal(settings: Settings, frame: bytes) -> None:
    async with serving(settings) as http:
        response = await http.post("/mcp", content=frame, headers=HEADERS)
        assert response.status_code < 500
        assert "Traceback" not in response.text
        assert (await http.post("/mcp", json=FRAME, headers=HEADERS)).status_code == 200
        assert (await http.post("/mcp", content=b"x" * 100_000, headers=HEADERS)).status_code == 413


async def test_standard_input_and_output_work_as_a_client_starts_them(
    settings: Settings, script: Script, tmp_path: Path
) -> None:
    script.says = [HALF_LIFE]
    config = tmp_path / "graphling.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "graph": {"uri": settings.graph.uri},
                "snapshot": str(settings.snapshot),
                "model": {"kind": "openai", "url": settings.model.url},
                "hardening_check": "off",
            }
        )
    )
    program = Path(sys.executable).with_name("t2c-service")
    command = StdioServerParameters(command=str(program), args=["mcp", "--config", str(config)])
    async with Client(command) as client:
        asked = told(await client.call_tool("ask", {"question": "What is the half-life of warfarin?"}))
    assert asked["rows"] == [[40.0]]
