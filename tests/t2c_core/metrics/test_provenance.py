"""Provenance queries return the nodes which the leading patterns of a query match."""

from __future__ import annotations

import pytest

from t2c_core.metrics import provenance_query


@pytest.mark.parametrize(
    ("cypher", "expected"),
    [
        ("RETURN 1", None),
        (
            "MATCH (a:X {n: ')'})-[:R]->(), p = (b) WHERE a.x > 1 RETURN a",
            (
                "MATCH provenance_0 = (a:X {n: ')'})-[:R]->(), p = (b) WHERE a.x > 1 "
                "UNWIND coalesce(nodes(provenance_0), []) + coalesce(nodes(p), []) AS provenance_1 "
                "RETURN DISTINCT elementId(provenance_1) AS id"
            ),
        ),
        (
            "MATCH (a) WHERE a.name STARTS WITH 'x' WITH a OPTIONAL MATCH (a)--(b) WITH a, count(b) AS n RETURN n",
            (
                "MATCH provenance_0 = (a) WHERE a.name STARTS WITH 'x' WITH a, provenance_0 "
                "OPTIONAL MATCH provenance_1 = (a)--(b) "
                "UNWIND coalesce(nodes(provenance_0), []) + coalesce(nodes(provenance_1), []) AS provenance_2 "
                "RETURN DISTINCT elementId(provenance_2) AS id"
            ),
        ),
        (
            "MATCH (n:P) WHERE n:Call RETURN n",
            (
                "MATCH provenance_0 = (n:P) WHERE n:Call UNWIND coalesce(nodes(provenance_0), []) AS provenance_1 "
                "RETURN DISTINCT elementId(provenance_1) AS id"
            ),
        ),
        (
            "MATCH (provenance_0)-[with:WITH]->(node) RETURN node",
            (
                "MATCH provenance_1 = (provenance_0)-[`with`:WITH]->(node) "
                "UNWIND coalesce(nodes(provenance_1), []) AS provenance_2 "
                "RETURN DISTINCT elementId(provenance_2) AS id"
            ),
        ),
        (
            "MATCH p = (a)--() WITH a MATCH p = (a)-->() RETURN p",
            (
                "MATCH p = (a)--() WITH a, p UNWIND coalesce(nodes(p), []) AS provenance_0 "
                "RETURN DISTINCT elementId(provenance_0) AS id"
            ),
        ),
        ("MATCH (n) SET n.x = 1", None),
    ],
)
def test_provenance_is_the_nodes_of_the_leading_patterns(cypher: str, expected: str | None) -> None:
    assert provenance_query(cypher) == expected


def test_provenance_of_a_union_is_that_of_its_branches() -> None:
    found = provenance_query("MATCH (a) RETURN a.x UNION ALL MATCH (b) RETURN b.x")
    assert found is not None
    assert found.count(" UNION ") == 1
    assert found.count("elementId") == 2
