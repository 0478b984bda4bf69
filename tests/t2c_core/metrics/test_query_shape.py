"""The shape of a query, from its clauses."""

import pytest

from t2c_core.metrics import query_shape


@pytest.mark.parametrize(
    ("cypher", "shape"),
    [
        ("MATCH (p:Person) RETURN p.name", "list"),
        ("MATCH (p:Person) WHERE p.age > 3 RETURN p.name LIMIT 5", "list"),
        ("MATCH (p:Person) RETURN p.name ORDER BY p.name", "ordered list"),
        ("MATCH (p:Person) RETURN p.name ORDER BY p.age DESC LIMIT 5", "top of list"),
        ("MATCH (p:Person) WITH p ORDER BY p.age DESC LIMIT 5 RETURN p.name", "top of list"),
        ("MATCH (p:Person) RETURN count(*)", "aggregate"),
        ("MATCH (p:Person) RETURN min(p.age), 2 * max(p.age)", "aggregate"),
        ("MATCH (p:Person) RETURN p.city, count(p)", "groups"),
        ("MATCH (p:Person) WITH p.city AS city, count(p) AS n RETURN city, n", "groups"),
        ("MATCH (p:Person) RETURN p.city, COUNT(p) AS n ORDER BY n", "ordered groups"),
        ("MATCH (p:Person)-->(d) WITH p, count(d) AS n RETURN p.name, n ORDER BY n LIMIT 3", "top groups"),
        ("MATCH (p:Person)-->(d) WITH p, count(d) AS n WHERE n > 3 RETURN p.name", "groups with condition"),
        ("MATCH (p:Person) WHERE COUNT { (p)-->() } > 3 RETURN p.name", "groups with condition"),
        ("MATCH (p:Person)-->(d) WITH p, count(d) AS n RETURN avg(n)", "aggregate of groups"),
        ("MATCH (p:Person) RETURN p.name UNION MATCH (d:Drug) RETURN d.name AS name", "other"),
        ("nothing that is Cypher", "other"),
    ],
)
def test_shape(cypher: str, shape: str) -> None:
    assert query_shape(cypher) == shape
