"""The corpora on the real server: good queries run in READ mode, masked ones return nothing hidden, and whatever the
guard allows only reads."""

import json
import random

import neo4j
import pytest
from neo4j.exceptions import ClientError

from t2c_core.guard.guard import Guard
from t2c_core.guard.plan import READING_OPERATORS
from t2c_core.results import canonical
from t2c_core.schema.model import GraphSchema

from .conftest import POLICY, rows
from .test_fuzz import TEXTS

pytestmark = pytest.mark.graph
SPLICED = 80


@pytest.fixture(scope="module")
def session(graph):
    with (
        neo4j.GraphDatabase.driver(graph.uri, notifications_min_severity="OFF") as driver,
        driver.session(default_access_mode=neo4j.READ_ACCESS) as session,
    ):
        yield session


@pytest.fixture(scope="module")
def schema(graph):
    return GraphSchema.load(graph.snapshot)


def read(session, query, parameters=None):
    with session.begin_transaction(timeout=600) as transaction:
        result = transaction.run(f"CYPHER 5 {query}", parameters or {})
        found = [[canonical(value) for value in record.values()] for record in result]
        return found, result.consume()


def operators(plan):
    yield plan["operatorType"].partition("@")[0].partition("(")[0]
    for child in plan.get("children") or ():
        yield from operators(child)


def test_good_queries_run_in_read_mode(session, schema):
    guard = Guard(schema)
    for row in rows("good"):
        verdict = guard.check(row["cypher"], row.get("params"))
        assert verdict.allowed, (row, verdict)
        _, summary = read(session, verdict.cypher, row.get("params"))
        assert summary.query_type == "r", row


def test_masked_queries_return_nothing_hidden(session, schema):
    secrets = {
        json.dumps(value)
        for query in ("MATCH (p:Patient) RETURN p.name", "MATCH (i:Insurer) RETURN i.name")
        for (value,) in read(session, query)[0]
    } | {'"Insurer"', '"ALLERGIC_TO"'}
    assert len(secrets) > 100
    bare = Guard(policy=POLICY)
    for row in rows("attacks"):
        if row["code"] == "mask":
            for guard in (Guard(schema, POLICY), bare):
                verdict = guard.check(row["cypher"])
                if not verdict.allowed and guard is bare and verdict.codes == ("policy.whole",):
                    continue  # without a schema the visible properties are unknown
                assert verdict.allowed, (row, verdict)
                found, _ = read(session, verdict.cypher)
                text = json.dumps(found)
                assert found, verdict
                assert not [secret for secret in secrets if secret in text], verdict


def test_unmasked_query_returns_hidden_values(session):
    found, _ = read(session, "MATCH (p:Patient) RETURN p LIMIT 1")
    assert "name" in json.dumps(found)


def test_allowed_spliced_queries_only_read(session, schema):
    guards = [Guard(), Guard(schema), Guard(schema, POLICY)]
    chance = random.Random(7)
    allowed = 0
    for _ in range(40 * SPLICED):
        first, second = chance.choice(TEXTS).split(" "), chance.choice(TEXTS).split(" ")
        text = " ".join(first[: chance.randint(1, len(first))] + second[chance.randint(0, len(second) - 1) :])
        verdict = chance.choice(guards).check(text)
        if not verdict.allowed:
            continue
        try:
            with session.begin_transaction(timeout=600) as transaction:
                summary = transaction.run(f"CYPHER 5 EXPLAIN {verdict.cypher}").consume()
        except ClientError:
            continue
        assert summary.query_type == "r", verdict
        assert set(operators(summary.plan)) <= READING_OPERATORS, verdict
        allowed += 1
        if allowed == SPLICED:
            break
    assert allowed == SPLICED
