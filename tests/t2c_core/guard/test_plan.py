"""Plans of the real server: read queries are allowed, any other is refused."""

import pytest

from t2c_core.errors import QueryRejectedError
from t2c_core.graph.client import GraphClient
from t2c_core.guard.plan import check_plan

pytestmark = pytest.mark.graph

READING = [
    "MATCH (n) RETURN count(n)",
    "MATCH ()-[r:TREATS]->() RETURN count(r)",
    "MATCH (d:Drug {name: 'x'})-[r]->(x) WHERE x.name STARTS WITH 'a' RETURN d, r, x ORDER BY x.name SKIP 1 LIMIT 2",
    "MATCH (a:Drug), (b:Disease) WHERE a.name = b.name RETURN a",
    "MATCH (d:Drug) OPTIONAL MATCH (d)-[:TREATS]->(x) RETURN d.name, collect(DISTINCT x.name)",
    "MATCH (d:Drug) WHERE NOT (d)-[:TREATS]->() OR d.name IS NULL RETURN d",
    "MATCH (d:Drug) WHERE EXISTS { (d)-->(:Disease) } AND COUNT { (d)--() } > 2 RETURN d",
    "MATCH (d:Drug) RETURN d.name, COLLECT { MATCH (d)-->(x) RETURN x.name ORDER BY x.name }",
    "MATCH p = shortestPath((a:Drug {name: 'x'})-[*..4]-(b:Disease {name: 'y'})) RETURN p",
    "MATCH p = ANY SHORTEST (a:Drug {name: 'x'})-->{1,3}(b:Disease) RETURN p",
    "MATCH (a:Drug)-[*1..2]->(b) RETURN DISTINCT b LIMIT 5",
    "MATCH (a:Drug) ((x)-->(y)){1,2} (b) RETURN count(*)",
    "MATCH (d:Drug) RETURN d UNION MATCH (d:Disease) RETURN d",
    "UNWIND [1, 2] AS x WITH x WHERE x > 1 RETURN sum(x), avg(x), percentileCont(x, 0.5)",
    "CALL { MATCH (d:Drug) RETURN d LIMIT 1 } RETURN d",
    "MATCH (a:Drug)-->(b)<--(c:Drug) WHERE a <> c RETURN a, c LIMIT 3",
    "MATCH (n:Drug|Disease) WHERE elementId(n) = '4:x:1' RETURN n",
    "MATCH (n:!Drug&!Disease) RETURN count(n)",
]
HARMFUL = [
    ("plan.query_type", "CREATE (n)"),
    ("plan.query_type", "MATCH (n) MERGE (n)-[:X]->(:Y) RETURN n"),
    ("plan.query_type", "MATCH (n) SET n.x = 1"),
    ("plan.query_type", "MATCH (n) REMOVE n.x"),
    ("plan.query_type", "MATCH (n) DETACH DELETE n"),
    ("plan.query_type", "FOREACH (x IN [1] | CREATE (:X))"),
    ("plan.query_type", "CREATE INDEX FOR (n:X) ON (n.y)"),
    ("plan.query_type", "CALL dbms.listConfig()"),
    ("plan.query_type", "SHOW USERS"),
    ("plan.query_type", "CREATE USER x SET PASSWORD 'secret-word'"),
    ("plan.operator", "LOAD CSV FROM 'file:///etc/hostname' AS row RETURN row"),
    ("plan.operator", "MATCH (n) WHERE EXISTS { LOAD CSV FROM 'http://x' AS row RETURN row } RETURN n"),
    ("plan.operator", "CALL db.labels()"),
    ("plan.operator", "RETURN COLLECT { CALL db.labels() YIELD label RETURN label }"),
    ("plan.operator", "SHOW TRANSACTIONS"),
    ("plan.operator", "SHOW SETTINGS"),
    ("plan.operator", "SHOW FUNCTIONS"),
    ("plan.operator", "SHOW INDEXES"),
    ("plan.operator", "TERMINATE TRANSACTIONS 'neo4j-transaction-1'"),
]


@pytest.mark.parametrize("query", READING)
async def test_plan_that_reads_is_allowed(graph, query):
    async with GraphClient(graph.uri) as client:
        check_plan(await client.explain(query))


@pytest.mark.parametrize(("code", "query"), HARMFUL)
async def test_plan_that_does_more_is_refused(graph, code, query):
    async with GraphClient(graph.uri) as client:
        facts = await client.explain(query)
    with pytest.raises(QueryRejectedError) as caught:
        check_plan(facts)
    assert caught.value.codes == (code,)
