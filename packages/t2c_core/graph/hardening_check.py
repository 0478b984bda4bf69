"""Check of a server's security settings with probe queries.

All probes run in READ transactions that are rolled back; nothing is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal
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
    "a merge": "MERGE (n {probe: 1}) RETURN n",
    "a deletion": "MATCH (n) DETACH DELETE n",
    "a file": "LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row",
    "a file in a subquery": "RETURN COLLECT { LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row } AS rows",
    "an address": "LOAD CSV FROM 'http://127.0.0.1:9/' AS row RETURN row",
    "a procedure": "CALL db.labels()",
    "a system procedure": "CALL dbms.listConfig()",
    "transactions of others": "SHOW TRANSACTIONS",
    "terminating others": "TERMINATE TRANSACTIONS 'neo4j-transaction-1'",
    "settings": "SHOW SETTINGS",
    "users": "SHOW USERS",
    "another graph": "USE system RETURN 1",
    "batches": "MATCH (n) CALL { WITH n RETURN 1 AS one } IN TRANSACTIONS RETURN one",
    "a backtracking regex": "RETURN 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ '(a+)+'",
    "a huge list": "RETURN size([x IN range(1, 1000000000) WHERE x % 7 = 0])",
}
"""Queries that the guard must reject, by name."""


@dataclass(frozen=True, kw_only=True)
class HardeningCheck:
    """Result of one probe."""

    name: str
    safe: bool
    required: bool
    """Whether an unsafe result makes the server unsafe; otherwise it is a recommendation."""
    observed: str
    remediation: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        """`error` if an unsafe result makes the server unsafe, else `warning`."""
        return "error" if self.required else "warning"


@dataclass(frozen=True, kw_only=True)
class HardeningReport:
    """Results of all probes of a server."""

    uri: str
    safe: bool
    checks: tuple[HardeningCheck, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object, in which `found` and `advice` are former names of fields."""
        return {
            "uri": self.uri,
            "safe": self.safe,
            "checks": [
                {
                    **asdict(each),
                    "severity": each.severity,
                    "found": each.observed,
                    "advice": each.remediation,
                }
                for each in self.checks
            ],
        }


async def check_hardening(
    uri: str, *, auth: tuple[str, str] | None = None, database: str | None = None
) -> HardeningReport:
    """Run all probes on a server.

    Args:
        uri: Bolt address.
        auth: user and password that the service uses.
        database: name of the database; the server's default database if None.

    Raises:
        InputError: the address, user or password is wrong.
        GraphUnavailableError: the server does not answer.
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
    """Return the server's settings, or none if the user may not read them."""
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
            name="write", safe=True, required=True, observed=f"refused in READ transactions: {error.code}"
        )
    return HardeningCheck(
        name="write",
        safe=False,
        required=True,
        observed="a READ transaction can write",
        remediation="use Neo4j 5.26 or newer",
    )


async def _file(client: GraphClient, settings: Mapping[str, str]) -> HardeningCheck:
    remediation = "set dbms.security.allow_csv_import_from_file_urls=false"
    allowed = settings.get("dbms.security.allow_csv_import_from_file_urls")
    try:
        await client.execute_read("LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row LIMIT 1")
        observed, safe = "a READ transaction can read files of the server", False
    except QueryError as error:
        observed, safe = str(error), allowed == "false" or "configuration property" in str(error)
    return HardeningCheck(
        name="file", safe=safe, required=True, observed=observed, remediation="" if safe else remediation
    )


async def _network(client: GraphClient) -> HardeningCheck:
    """Check that the server does not connect to a listener of this process."""
    remediation = "set internal.dbms.cypher_ip_blocklist=0.0.0.0/0,::/0"
    async with _listener() as (port, requests):
        try:
            await client.execute_read(
                f"LOAD CSV FROM 'http://127.0.0.1:{port}/probe' AS row RETURN row LIMIT 1"
            )
            observed = "a READ transaction can fetch from the network"
        except (QueryError, GraphTimeoutError) as error:
            observed = str(error)
    safe = not requests and "blocklist" in observed
    return HardeningCheck(
        name="network", safe=safe, required=True, observed=observed, remediation="" if safe else remediation
    )


async def _procedure(client: GraphClient) -> HardeningCheck:
    """Call a procedure that shows the configuration, which no setting of Community prevents."""
    try:
        await client.execute_read("CALL dbms.listConfig() YIELD name RETURN name LIMIT 1")
        observed, safe = "a READ transaction can call procedures that show the configuration", False
    except QueryError as error:
        observed, safe = f"refused: {error.code}", True
    remediation = (
        "no setting of Community prevents this: restrict access to the server to a guarded service, and on Enterprise "
        "give its user a role without EXECUTE PROCEDURE"
    )
    return HardeningCheck(
        name="procedure",
        safe=safe,
        required=False,
        observed=observed,
        remediation="" if safe else remediation,
    )


def _time_limit(settings: Mapping[str, str]) -> HardeningCheck:
    """Check that the server limits transactions of clients that send no time limit."""
    value = settings.get("db.transaction.timeout")
    safe = value is not None and not re.fullmatch(r"0+[a-z]*", value)
    return HardeningCheck(
        name="time limit",
        safe=safe,
        required=value is not None,
        observed=f"db.transaction.timeout={value or 'unknown'}",
        remediation="" if safe else "set db.transaction.timeout=30s",
    )


@contextlib.asynccontextmanager
async def _listener() -> AsyncIterator[tuple[int, list[str]]]:
    requests: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readline()).decode("latin-1").strip())
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nprobe!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests


async def _long_query(client: GraphClient) -> HardeningCheck:
    started = time.monotonic()
    query = "UNWIND range(1, 1000000000) AS x UNWIND range(1, 1000) AS y WITH x WHERE x < 0 RETURN x"
    try:
        await client.execute_read(query, limits=QueryLimits(timeout_s=LONG_QUERY_S))
        observed, safe = "the query ran to its end", False
    except GraphTimeoutError as error:
        took = time.monotonic() - started
        observed, safe = f"ended after {took:.1f} s: {error}", took < LONG_QUERY_S + GRACE_S + 1
    except GraphUnavailableError as error:
        observed, safe = f"the server stopped answering: {error}", False
    remediation = "" if safe else "set db.transaction.timeout=30s, and use Neo4j 5.26 or newer"
    return HardeningCheck(
        name="long query", safe=safe, required=True, observed=observed, remediation=remediation
    )


async def _guarded(client: GraphClient, name: str, query: str) -> HardeningCheck:
    try:
        check_plan(await client.explain(Guard().require(query).cypher))
    except (QueryRejectedError, QueryError) as error:
        observed = ", ".join(error.codes) if isinstance(error, QueryRejectedError) else str(error)
        return HardeningCheck(
            name=f"guard: {name}", safe=True, required=True, observed=f"refused: {observed}"
        )
    return HardeningCheck(name=f"guard: {name}", safe=False, required=True, observed=f"allowed: {query}")


def _authentication(uri: str, settings: Mapping[str, str]) -> HardeningCheck:
    enabled = settings.get("dbms.security.auth_enabled")
    is_local = urlsplit(uri).hostname in LOOPBACK_HOSTS
    return HardeningCheck(
        name="authentication",
        safe=enabled != "false",
        required=not is_local,
        observed={"true": "enabled", "false": "disabled"}.get(enabled or "", "unknown"),
        remediation=""
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
        observed=f"default_to_read_only={value}, read_only={named or 'none'}",
        remediation="" if safe else "set server.databases.default_to_read_only=true once the graph is loaded",
    )


async def _extensions(client: GraphClient) -> HardeningCheck:
    query = "SHOW PROCEDURES YIELD name WHERE NOT name =~ '(db|dbms|tx|fleetManagement)[.].*' RETURN name LIMIT 20"
    try:
        names = [str(row[0]) for row in (await client.execute_read(query)).rows]
    except QueryError as error:
        return HardeningCheck(name="extensions", safe=False, required=False, observed=str(error))
    observed = f"procedures of extensions: {', '.join(names)}" if names else "none"
    remediation = "remove them, or name those needed in dbms.security.procedures.allowlist" if names else ""
    return HardeningCheck(
        name="extensions", safe=not names, required=False, observed=observed, remediation=remediation
    )
