"""READ-only access: limits, deadlines and errors, on the real server."""

import socket
import time

import neo4j
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


async def test_embedding_of_a_node_is_its_length_and_any_other_list_is_whole(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "CREATE (a:Doc {name: 'a', v: [x IN range(1, 768) | x / 7.0], few: [1.5, 2.5]})-[:R {v: [x IN range(1, 64) | x]}]->(a)"
        )
    async with GraphClient(empty_graph.uri) as client:
        result = await client.execute_read(
            "MATCH p = (d:Doc)-[r]->() RETURN d, r, p, d {.*} AS m, [x IN range(1, 100) | x * 0.5] AS numbers, [d] AS l"
        )
    [(node, relationship, path, properties, numbers, nodes)] = result.rows
    assert properties == {"few": [1.5, 2.5], "name": "a", "v": "[768 numbers]"}
    assert node["properties"] == nodes[0]["properties"] == properties
    assert relationship["properties"] == {"v": "[64 numbers]"}
    assert len(numbers) == 100
    assert "[768 numbers]" in str(path)
    assert len(str(result.rows)) + len(str(result.graph)) < 4000
    assert not result.truncated


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


async def test_absent_server_is_reported_within_the_timeout():
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


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("date('-0044-03-15')", "-0044-03-15"),
        ("date('0000-02-29')", "0000-02-29"),
        ("date('+12345-06-07')", "+12345-06-07"),
        ("date('-999999999-01-01')", "-999999999-01-01"),
        ("localdatetime('-0044-03-15T10:20:30.5')", "-0044-03-15T10:20:30.5"),
        ("datetime('9999-12-31T23:59:59-02:00')", "9999-12-31T23:59:59-02:00"),
        ("datetime('0001-01-01T00:30:00+02:00')", "0001-01-01T00:30:00+02:00"),
        ("datetime('0000-12-31T12:00:00.25Z')", "0000-12-31T12:00:00.25Z"),
        ("datetime('0000-12-31T12:00:00+02:00')", "0000-12-31T12:00:00+02:00"),
        ("localdatetime('0000-12-31T23:59:59')", "0000-12-31T23:59:59"),
        ("datetime('+10000-07-01T12:00:00[Europe/Berlin]')", "+10000-07-01T12:00:00+02:00"),
        ("datetime('+10000-01-01T12:00:00[America/New_York]')", "+10000-01-01T12:00:00-05:00"),
        ("datetime('-0044-03-15T12:00Z')", "-0044-03-15T12:00:00Z"),
        ("[date('-0044-03-15'), 1, date('2021-07-01')]", ["-0044-03-15", 1, "2021-07-01"]),
        ("{a: {b: [date('+10000-01-01')]}}", {"a": {"b": ["+10000-01-01"]}}),
    ],
)
async def test_dates_outside_the_years_of_python_are_iso_text(client, expression, expected):
    result = await client.execute_read(f"RETURN {expression} AS value, 1 AS one")
    [(value, one)] = result.rows
    assert (value, one) == (expected, 1)


async def test_dates_outside_the_years_of_python_round_trip_through_the_server(client):
    for text in ("-0044-03-15", "0000-12-31", "+10000-01-01", "-0400-02-29", "+999999-12-31"):
        result = await client.execute_read(
            "RETURN date($day) AS day, toString(date($day)) AS text", {"day": text}
        )
        assert result.rows == ((text, text),)


async def test_nodes_and_paths_with_such_dates_are_returned_whole(empty_graph):
    with neo4j.GraphDatabase.driver(empty_graph.uri) as driver:
        driver.execute_query(
            "CREATE (:Event {name: 'Ides', day: date('-0044-03-15')})-[:BEFORE {day: date('+10000-01-01')}]->(:Event {x: 1})"
        )
    async with GraphClient(empty_graph.uri) as client:
        result = await client.execute_read(
            "MATCH p = (e:Event)-[r]->(other) RETURN e, r, p, [e] AS l, properties(e) AS m"
        )
    [(node, relationship, path, nodes, properties)] = result.rows
    assert node["properties"] == properties == {"name": "Ides", "day": "-0044-03-15"}
    assert node["labels"] == ["Event"]
    assert (relationship["type"], relationship["properties"]) == ("BEFORE", {"day": "+10000-01-01"})
    assert relationship["start"] == node["element_id"]
    assert path == {"nodes": [node, path["nodes"][1]], "relationships": [relationship]}
    assert nodes == [node]
    assert len(result.graph.nodes) == 2
    assert len(result.graph.relationships) == 1
