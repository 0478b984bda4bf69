"""READ-only access: limits, deadlines and errors, on the real server."""

import socket
import time

import pytest

from t2c_core.errors import GraphTimeoutError, GraphUnavailableError, InputError, QueryError
from t2c_core.graph.client import GraphClient, QueryLimits

pytestmark = pytest.mark.graph


@pytest.fixture
async def client(graph):
    async with GraphClient(graph.uri) as made:
        yield made


async def test_rows_are_plain_json_values(client):
    result = await client.execute_read(
        "RETURN 1 AS i, 1.5 AS f, date('2021-01-02') AS d, duration('P1D') AS p, [1, null] AS l, {a: $x} AS m, "
        "point({x: 1, y: 2}) AS xy, 0.0 / 0.0 AS nan",
        {"x": "é"},
    )
    assert result.columns == ("i", "f", "d", "p", "l", "m", "xy", "nan")
    assert result.rows == (
        (1, 1.5, "2021-01-02", "P1D", [1, None], {"a": "é"}, {"srid": 7203, "x": 1.0, "y": 2.0}, "NaN"),
    )
    assert not result.truncated


async def test_nodes_and_relationships_of_a_result_are_listed_once(client):
    result = await client.execute_read(
        "MATCH p = (d:Drug)-[r]->(x) WITH p LIMIT 1 RETURN p, nodes(p) AS n, p AS again"
    )
    assert len(result.graph.nodes) == 2
    [edge] = result.graph.relationships
    assert {edge["start"], edge["end"]} == {node["id"] for node in result.graph.nodes}


@pytest.mark.parametrize(
    ("limits", "query"),
    [
        (QueryLimits(max_rows=3), "UNWIND range(1, 100) AS x RETURN x"),
        (QueryLimits(max_bytes=200), "UNWIND range(1, 100) AS x RETURN 'abcdefgh'"),
        (QueryLimits(max_cell_chars=5), "RETURN ['a', 'abcdefgh']"),
    ],
)
async def test_answers_are_cut_at_their_limits_and_say_so(client, limits, query):
    result = await client.execute_read(query, limits=limits)
    assert result.truncated
    assert len(str(result.rows)) < 400


async def test_a_result_of_exactly_the_limit_is_whole(client):
    result = await client.execute_read("UNWIND range(1, 3) AS x RETURN x", limits=QueryLimits(max_rows=3))
    assert result.rows == ((1,), (2,), (3,))
    assert not result.truncated


@pytest.mark.parametrize(
    "query",
    ["CREATE (n)", "MATCH (n) SET n.x = 1", "MATCH (n) DETACH DELETE n", "CREATE INDEX FOR (n:X) ON (n.y)"],
)
async def test_writes_are_refused_by_the_read_session(client, query):
    with pytest.raises(QueryError) as caught:
        await client.execute_read(query)
    assert "AccessMode" in caught.value.code


async def test_slow_query_ends_at_its_time_limit_and_the_client_goes_on(client):
    started = time.monotonic()
    with pytest.raises(GraphTimeoutError):
        await client.execute_read(
            "UNWIND range(1, 1000000000) AS x WITH x WHERE x < 0 RETURN x", limits=QueryLimits(timeout_s=1)
        )
    assert time.monotonic() - started < 20
    assert (await client.execute_read("RETURN 1")).rows == ((1,),)


async def test_query_that_the_server_cannot_parse_does_not_hang(client, monkeypatch):
    monkeypatch.setattr("t2c_core.graph.client.EXPLAIN_TIMEOUT_S", 1.0)
    with pytest.raises((GraphTimeoutError, QueryError)):
        await client.explain("RETURN " + "[" * 3000 + "1" + "]" * 3000)
    assert (await client.execute_read("RETURN 1")).rows == ((1,),)


async def test_plan_too_deep_for_the_driver_is_a_query_error(client, monkeypatch):
    monkeypatch.setattr("t2c_core.graph.client.EXPLAIN_TIMEOUT_S", 100.0)
    with pytest.raises(QueryError, match="nested too deeply"):
        await client.explain(" UNION ".join(f"RETURN {i} AS x" for i in range(300)))


async def test_explain_tells_type_operators_and_estimates(client):
    facts = await client.explain("MATCH (d:Drug) WHERE d.name = $v1 RETURN d.name", {"v1": "x"})
    assert facts.query_type == "r"
    assert {"NodeByLabelScan", "Filter", "ProduceResults"} <= facts.operators
    assert facts.estimated_rows > 0
    assert (await client.explain("CREATE (n)")).query_type == "w"
    unknown = await client.explain("MATCH (n:Nowhere) RETURN n")
    assert any("Nowhere" in each for each in unknown.notifications)


async def test_query_error_tells_code_and_message(client):
    with pytest.raises(QueryError, match="Invalid input") as caught:
        await client.execute_read("MATCH (n RETURN n")
    assert caught.value.code == "Neo.ClientError.Statement.SyntaxError"


async def test_absent_server_is_told_before_long():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (1, silent.getsockname()[1]):
            async with GraphClient(f"bolt://127.0.0.1:{port}") as client:
                started = time.monotonic()
                with pytest.raises((GraphUnavailableError, GraphTimeoutError)):
                    await client.execute_read("RETURN 1", limits=QueryLimits(timeout_s=1))
                with pytest.raises(GraphUnavailableError):
                    await client.verify_connectivity()
                assert time.monotonic() - started < 30


@pytest.mark.parametrize("uri", ["", "localhost", "http://localhost"])
def test_address_that_is_none_is_refused(uri):
    with pytest.raises(InputError, match="invalid Neo4j address"):
        GraphClient(uri)
