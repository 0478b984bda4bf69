"""No hidden value is in any result, error message or snapshot file, over drawn graphs, policies and queries."""

import json
import sqlite3
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import neo4j
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from neo4j.exceptions import Neo4jError

from t2c_core.guard.guard import Guard
from t2c_core.guard.policy.policy import Policy
from t2c_core.guard.policy.visibility import Visibility
from t2c_core.results import canonical
from t2c_core.schema.model import GraphSchema
from t2c_core.schema.snapshot import write_snapshot

from .leak_cases import graphs, policies
from .leak_cases import query as make_query

pytestmark = pytest.mark.graph
QUERIES = 160
SESSIONS = 2
"""Sessions that check the queries of a graph at once."""
PARAMETERS = {"key": "name", "label": "Patient", "given": None}


def load(session, graph):
    session.run("MATCH (n) DETACH DELETE n").consume()
    nodes = [{"labels": each.labels, "properties": each.properties} for each in graph.nodes]
    ids = session.run(
        "UNWIND $nodes AS node CREATE (n:$(node.labels)) SET n = node.properties RETURN elementId(n)",
        nodes=nodes,
    ).value()
    relationships = [
        {"type": each.type, "start": ids[each.start], "end": ids[each.end], "properties": each.properties}
        for each in graph.relationships
    ]
    session.run(
        "UNWIND $relationships AS each MATCH (a), (b) WHERE elementId(a) = each.start AND elementId(b) = each.end "
        "CREATE (a)-[r:$(each.type)]->(b) SET r = each.properties",
        relationships=relationships,
    ).consume()


def outcome(session, query):
    """Return the result of a query, or its error message, as text."""
    try:
        result = session.run(neo4j.Query(f"CYPHER 5 {query}", timeout=20), PARAMETERS)
        return json.dumps([[canonical(value) for value in row.values()] for row in result], default=str)
    except (Neo4jError, ValueError) as error:
        return f"error: {error}"


def snapshot_texts(folder):
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("schema.json", "manifest.json")]
    with sqlite3.connect(folder / "values.sqlite") as store:
        for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            try:
                texts += [str(row) for row in store.execute(f'SELECT * FROM "{table}"')]
            except sqlite3.OperationalError:
                continue
    return "\n".join(texts).casefold()


def check_values(visibility, schema, folder, secrets):
    """Check what a policy that is added later shows of a snapshot."""
    text = visibility.filter_schema(schema).to_json()
    assert not [each for each in secrets if each in text], visibility
    with sqlite3.connect(folder / "values.sqlite") as store:
        rows = store.execute(
            "SELECT owner.owner, property, text FROM occurrence JOIN owner ON owner.id = occurrence.owner"
        ).fetchall()
    shown = {text for name, key, text in rows if visibility.shows_values(name, key)}
    assert not shown & secrets, visibility


@pytest.fixture(scope="module")
def found():
    """Counts over all drawn cases."""
    return Counter()


@settings(
    max_examples=settings().max_examples // 15,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(graphs(), policies(), st.integers(0, 2**32))
def check_case(uri, found, graph, hidden, seed):
    policy = Policy(hidden=hidden, allow_missing=True)
    random = Random(seed)
    secrets = graph.hidden_values(hidden)
    with (
        neo4j.GraphDatabase.driver(uri, notifications_min_severity="OFF") as driver,
        driver.session() as session,
        tempfile.TemporaryDirectory() as folder,
    ):
        load(session, graph)
        whole, filtered = Path(folder) / "whole", Path(folder) / "filtered"
        write_snapshot(whole, uri=uri)
        schema = GraphSchema.load(whole)
        check_values(Visibility(hidden, schema), schema, whole, secrets)
        guards = [Guard(schema, policy)]
        if any(not set(node.labels) & hidden for node in graph.nodes):
            write_snapshot(filtered, uri=uri, policy=policy)
            text = snapshot_texts(filtered)
            assert not [each for each in secrets if each in text], (graph, hidden)
            guards = [*guards, Guard(GraphSchema.load(filtered), policy)] * 2
            found["snapshots"] += 1
        if "Odd.Label" not in hidden:  # without a schema it denotes a property
            guards.append(Guard(None, policy))
        queries = [make_query(random) for _ in range(QUERIES)]
        with ThreadPoolExecutor(SESSIONS) as pool:
            parts = [
                pool.submit(check_queries, driver, guards, queries, range(first, QUERIES, SESSIONS), secrets)
                for first in range(SESSIONS)
            ]
            for each in parts:
                found.update(each.result())
    found["graphs"] += 1


def check_queries(driver, guards, queries, numbers, secrets):
    """Check some of the queries in a session of their own; return counts."""
    found = Counter(cases=len(numbers))
    with driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        for number in numbers:
            query = queries[number]
            verdict = guards[number % len(guards)].check(query, PARAMETERS)
            if not verdict.allowed:
                found[verdict.codes[0]] += 1
                assert not [each for each in secrets if each in verdict.message]
                continue
            found["allowed"] += 1
            text = outcome(session, verdict.cypher)
            found["errors"] += text.startswith("error: ")
            leaks = [each for each in secrets if each in text]
            assert not leaks, f"{query}\n{verdict.cypher}\n{text}"
            if number % 20 == 0:
                found["leaks without the guard"] += any(each in outcome(session, query) for each in secrets)
    return found


def test_no_hidden_value_leaks(empty_graph, found):
    check_case(empty_graph.uri, found)
    assert found["cases"] >= 2000
    assert found["allowed"] >= found["cases"] // 4, found
    assert found["leaks without the guard"] >= 5  # the cases would show a leak
