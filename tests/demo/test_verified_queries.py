"""The demo's verified queries: their examples have answers."""

from pathlib import Path

import neo4j
import pytest

from t2c_service.answering.verified.definition import VerifiedQuery, load_verified_queries

QUERIES = load_verified_queries(Path(__file__).resolve().parents[2] / "demo" / "verified_queries.yaml")


@pytest.mark.graph
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_the_example_of_a_query_has_rows(graph, query: VerifiedQuery):
    values = {name: each.example for name, each in query.parameters.items()}
    with neo4j.GraphDatabase.driver(graph.uri) as driver:
        assert driver.execute_query(query.cypher, values).records
