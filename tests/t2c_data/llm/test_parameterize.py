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
    ],
)  # fmt: skip
def test_literals_that_a_question_names_become_parameters(
    question: str, cypher: str, expected: str, values: dict[str, Any]
) -> None:
    assert parameterize(question, cypher) == (expected, values)
