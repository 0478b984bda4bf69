"""A canary: tries on a server what a hostile query would try, and tells what the server's settings let through.

Everything runs in READ transactions that are rolled back; nothing is written. Holds no access rules of its own (see
`guard`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from t2c_core.errors import GraphTimeoutError, GraphUnavailableError, QueryError, QueryRejectedError
from t2c_core.graph.client import GRACE_S, GraphClient, QueryLimits
from t2c_core.guard.guard import Guard
from t2c_core.guard.plan import check_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

FIRST_QUERY_S = 60.0
LONG_QUERY_S = 1.0
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")

_HARMFUL = {
    "a write": "CREATE (n) RETURN n",
    "a merge": "MERGE (n {canary: 1}) RETURN n",
    "a deletion": "MATCH (n) DETACH DELETE n",
    "a file": "LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row",
    "a file in a subquery": "RETURN COLLECT { LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row } AS rows",
    "an address": "LOAD CSV FROM 'http://127.0.0.1:9/' AS row RETURN row",
    "a procedure": "CALL db.labels()",
    "a system procedure": "CALL dbms.listConfig()",
    "transactions of others": "SHOW TRANSACTIONS",
    "ending others": "TERMINATE TRANSACTIONS 'neo4j-transaction-1'",
    "settings": "SHOW SETTINGS",
    "users": "SHOW USERS",
    "another graph": "USE system RETURN 1",
    "batches": "MATCH (n) CALL { WITH n RETURN 1 AS one } IN TRANSACTIONS RETURN one",
    "an endless pattern": "RETURN 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ '(a+)+'",
    "a huge list": "RETURN size([x IN range(1, 1000000000) WHERE x % 7 = 0])",
}
"""What the guard must refuse."""


@dataclass(frozen=True, kw_only=True)
class HardeningCheck:
    """One thing that was tried."""

    name: str
    safe: bool
    required: bool
    """Whether the whole is unsafe if this is; otherwise it is advice."""
    found: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class HardeningReport:
    """What the canary found."""

    uri: str
    safe: bool
    checks: tuple[HardeningCheck, ...]


async def check_hardening(
    uri: str, *, auth: tuple[str, str] | None = None, database: str | None = None
) -> HardeningReport:
    """Try hostile queries on a server.

    Args:
        uri: Bolt address.
        auth: user and password, as the service would use them.
        database: its name; the server's default when absent.

    Raises:
        InputError: the address, user or password is wrong.
        GraphUnavailableError: nothing answers.
    """
    async with GraphClient(uri, auth=auth, database=database) as client:
        await client.execute_read("RETURN 1", limits=QueryLimits(timeout_s=FIRST_QUERY_S))
        settings = await _settings(client)
        checks = (
            await _write(client),
            await _file(client, settings),
            await _network(client),
            await _procedure(client),
            await _long_query(client),
            _time_limit(settings),
            *[await _guarded(client, name, query) for name, query in _HARMFUL.items()],
            _authentication(uri, settings),
            _read_only(settings),
            await _extensions(client),
        )
    return HardeningReport(uri=uri, safe=all(each.safe for each in checks if each.required), checks=checks)


async def _settings(client: GraphClient) -> Mapping[str, str]:
    """Read the server's settings; none where the user may not."""
    try:
        result = await client.execute_read(
            "SHOW SETTINGS YIELD name, value", limits=QueryLimits(max_rows=5000)
        )
    except QueryError:
        return {}
    return {str(name): str(value) for name, value in result.rows}


async def _write(client: GraphClient) -> HardeningCheck:
    try:
        await client.execute_read("MATCH (n) WITH n LIMIT 1 SET n += {} RETURN 1")
    except QueryError as error:
        return HardeningCheck(
            name="write", safe=True, required=True, found=f"refused in READ transactions: {error.code}"
        )
    return HardeningCheck(
        name="write",
        safe=False,
        required=True,
        found="a READ transaction can write",
        advice="use Neo4j 5.26 or newer",
    )


async def _file(client: GraphClient, settings: Mapping[str, str]) -> HardeningCheck:
    advice = "set dbms.security.allow_csv_import_from_file_urls=false"
    allowed = settings.get("dbms.security.allow_csv_import_from_file_urls")
    try:
        await client.execute_read("LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row LIMIT 1")
        found, safe = "a READ transaction can read files of the server", False
    except QueryError as error:
        found, safe = str(error), allowed == "false" or "configuration property" in str(error)
    return HardeningCheck(name="file", safe=safe, required=True, found=found, advice="" if safe else advice)


async def _network(client: GraphClient) -> HardeningCheck:
    """Let the server fetch from a listener of ours: it must not even try."""
    advice = "set internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0"
    async with _listener() as (port, visits):
        try:
            await client.execute_read(
                f"LOAD CSV FROM 'http://127.0.0.1:{port}/canary' AS row RETURN row LIMIT 1"
            )
            found = "a READ transaction can fetch from the network"
        except (QueryError, GraphTimeoutError) as error:
            found = str(error)
    safe = not visits and "blocklist" in found
    return HardeningCheck(
        name="network", safe=safe, required=True, found=found, advice="" if safe else advice
    )


async def _procedure(client: GraphClient) -> HardeningCheck:
    """Call what tells of the server itself: no setting keeps a user of Community from that."""
    try:
        await client.execute_read("CALL dbms.listConfig() YIELD name RETURN name LIMIT 1")
        found, safe = "a READ transaction can call procedures that tell of the server", False
    except QueryError as error:
        found, safe = f"refused: {error.code}", True
    advice = (
        "no setting of Community closes this: let nobody but a guarded service reach the server, and on Enterprise "
        "give its user a role without EXECUTE PROCEDURE"
    )
    return HardeningCheck(
        name="procedure", safe=safe, required=False, found=found, advice="" if safe else advice
    )


def _time_limit(settings: Mapping[str, str]) -> HardeningCheck:
    """Look for a limit of the server's own, for clients that send none."""
    value = settings.get("db.transaction.timeout")
    safe = value is not None and not re.fullmatch(r"0+[a-z]*", value)
    return HardeningCheck(
        name="time limit",
        safe=safe,
        required=value is not None,
        found=f"db.transaction.timeout={value or 'unknown'}",
        advice="" if safe else "set db.transaction.timeout=30s",
    )


@contextlib.asynccontextmanager
async def _listener() -> AsyncIterator[tuple[int, list[str]]]:
    visits: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append((await reader.readline()).decode("latin-1").strip())
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\ncanary")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], visits


async def _long_query(client: GraphClient) -> HardeningCheck:
    started = time.monotonic()
    query = "UNWIND range(1, 1000000000) AS x UNWIND range(1, 1000) AS y WITH x WHERE x < 0 RETURN x"
    try:
        await client.execute_read(query, limits=QueryLimits(timeout_s=LONG_QUERY_S))
        found, safe = "it ran to its end", False
    except GraphTimeoutError as error:
        took = time.monotonic() - started
        found, safe = f"ended after {took:.1f} s: {error}", took < LONG_QUERY_S + GRACE_S + 1
    except GraphUnavailableError as error:
        found, safe = f"the server stopped answering: {error}", False
    advice = "" if safe else "set db.transaction.timeout=30s, and use Neo4j 5.26 or newer"
    return HardeningCheck(name="long query", safe=safe, required=True, found=found, advice=advice)


async def _guarded(client: GraphClient, name: str, query: str) -> HardeningCheck:
    try:
        check_plan(await client.explain(Guard().require(query).cypher))
    except (QueryRejectedError, QueryError) as error:
        found = ", ".join(error.codes) if isinstance(error, QueryRejectedError) else str(error)
        return HardeningCheck(name=f"guard: {name}", safe=True, required=True, found=f"refused: {found}")
    return HardeningCheck(name=f"guard: {name}", safe=False, required=True, found=f"let through: {query}")


def _authentication(uri: str, settings: Mapping[str, str]) -> HardeningCheck:
    enabled = settings.get("dbms.security.auth_enabled")
    is_local = urlsplit(uri).hostname in LOOPBACK_HOSTS
    return HardeningCheck(
        name="authentication",
        safe=enabled != "false",
        required=not is_local,
        found={"true": "a password is asked for", "false": "no password is asked for"}.get(
            enabled or "", "unknown"
        ),
        advice=""
        if enabled != "false"
        else "set dbms.security.auth_enabled=true, or t2c-graph up --auth-file",
    )


def _read_only(settings: Mapping[str, str]) -> HardeningCheck:
    value = settings.get("server.databases.default_to_read_only", "unknown")
    named = settings.get("server.databases.read_only", "")
    safe = value == "true" or bool(named)
    return HardeningCheck(
        name="read-only database",
        safe=safe,
        required=False,
        found=f"default_to_read_only={value}, read_only={named or 'none'}",
        advice="" if safe else "set server.databases.default_to_read_only=true once the graph is loaded",
    )


async def _extensions(client: GraphClient) -> HardeningCheck:
    query = "SHOW PROCEDURES YIELD name WHERE NOT name =~ '(db|dbms|tx|fleetManagement)[.].*' RETURN name LIMIT 20"
    try:
        names = [str(row[0]) for row in (await client.execute_read(query)).rows]
    except QueryError as error:
        return HardeningCheck(name="extensions", safe=False, required=False, found=str(error))
    found = f"procedures that are not Neo4j's own: {', '.join(names)}" if names else "none"
    advice = "remove them, or name those needed in dbms.security.procedures.allowlist" if names else ""
    return HardeningCheck(name="extensions", safe=not names, required=False, found=found, advice=advice)
