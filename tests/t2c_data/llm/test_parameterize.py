"""Literals of a query that its question names become parameters."""

from typing import Any

import pytest

from t2c_data.llm.parameterize import parameterize


@pytest.mark.parametrize(
    ("question", "cypher", "expected", "values"),
    [
        ("Drugs named 'A' over 5", "MATCH (d:Drug) WHERE d.x > 5 AND d.name = 'A' RETURN d.y", "MATCH (d:Drug) WHERE d.x > $v2 AND d.name = $v1 RETURN d.y", {"v1": "A", "v2": 5}),
        ("The 3 best", "MATCH (d:Drug)-[*1..3]-(e) RETURN d.y ORDER BY d.y LIMIT 3", "MATCH (d:Drug)-[*1..3]-(e) RETURN d.y ORDER BY d.y LIMIT $v1", {"v1": 3}),
        ("It's \"O'Neil\"", 'MATCH (d:Drug {name: "O\'Neil"}) RETURN d.`a 5`', "MATCH (d:Drug {name: $v1}) RETURN d.`a 5`", {"v1": "O'Neil"}),
        ("Nothing", "MATCH (d:Drug) WHERE d.name = 'B' RETURN 1", "MATCH (d:Drug) WHERE d.name = 'B' RETURN 1", {}),
        ("A or A and 2.5", "MATCH (d) WHERE d.x = 'A' OR d.y = 'A' OR d.z < 2.5 RETURN d.q", "MATCH (d) WHERE d.x = $v1 OR d.y = $v1 OR d.z < $v2 RETURN d.q", {"v1": "A", "v2": 2.5}),
        # Values inside words of the question, and literals which are no values.
        ("Find all cases of men", "MATCH (c:Case) WHERE c.gender = 'F' RETURN c.id", "MATCH (c:Case) WHERE c.gender = 'F' RETURN c.id", {}),
        ("Find all cases of gender F", "MATCH (c:Case {gender: 'F'}) RETURN c.id", "MATCH (c:Case {gender: $v1}) RETURN c.id", {"v1": "F"}),
        ("Aspirins and the Aspirin's price", "MATCH (d {name: 'Aspirin'}) RETURN d.price", "MATCH (d {name: $v1}) RETURN d.price", {"v1": "Aspirin"}),
        ("More than 1,000 of B12", "MATCH (d) WHERE d.x > 1 AND d.y = 12 AND d.z < 1000 RETURN d", "MATCH (d) WHERE d.x > 1 AND d.y = 12 AND d.z < 1000 RETURN d", {}),
        ("The 2 best to 2 digits", "MATCH (d) RETURN round(d.x, 2) AS x ORDER BY x LIMIT 2", "MATCH (d) RETURN round(d.x, 2) AS x ORDER BY x LIMIT $v1", {"v1": 2}),
        ("Whose age is 3?", "MATCH (d) WHERE d['age'] = 3 RETURN d.xs[3]", "MATCH (d) WHERE d['age'] = $v1 RETURN d.xs[3]", {"v1": 3}),
        ("刘备是谁", "MATCH (p {name: '刘备'}) RETURN p", "MATCH (p {name: $v1}) RETURN p", {"v1": "刘备"}),
        ("A and B", "MATCH (d) WHERE d.x = $v1 AND d.y IN ['A', 'B'] RETURN d", "MATCH (d) WHERE d.x = $v1 AND d.y IN [$v2, $v3] RETURN d", {"v2": "A", "v3": "B"}),
        ("Add A", "CREATE (d {name: 'A'})", "CREATE (d {name: 'A'})", {}),
    ],
)  # fmt: skip
def test_literals_that_a_question_names_become_parameters(
    question: str, cypher: str, expected: str, values: dict[str, Any]
) -> None:
    assert parameterize(question, cypher) == (expected, values)
