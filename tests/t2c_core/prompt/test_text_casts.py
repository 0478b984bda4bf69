from __future__ import annotations

import pytest

from t2c_core.prompt.compact_cypher import encode
from t2c_core.prompt.schema_tokens import SchemaTokenFormat
from t2c_core.prompt.text_casts import with_casts
from t2c_core.prompt.variable_names import VariableNames
from t2c_core.schema.model import GraphSchema, NodeLabel, Property
from t2c_core.values.linker import LinkedMention, LinkedQuestion, Occurrence

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Order",
            count=3,
            properties=(
                Property(name="day", type="STRING", text_format="YYYY-MM-DD"),
                Property(name="freight", type="STRING", text_format="FLOAT"),
                Property(name="sent", type="STRING", text_format="DD/MM/YYYY"),
                Property(name="paid", type="STRING", text_format="FLOAT", missing_text="NULL"),
                Property(name="name", type="STRING"),
                Property(name="fax", type="STRING", missing_text="NULL"),
            ),
        ),
    ),
    types=(),
    triples=(),
)
NAMES = VariableNames(SCHEMA)
SENT = "date(substring(order_.sent, 6, 4) + '-' + substring(order_.sent, 3, 2) + '-' + substring(order_.sent, 0, 2))"


@pytest.mark.parametrize(
    ("plain", "cast"),
    [
        ("RETURN avg(order_.freight)", "RETURN avg(toFloat(order_.freight))"),
        ("WHERE order_.freight > $v1 RETURN order_.freight", "WHERE toFloat(order_.freight) > $v1 RETURN order_.freight"),
        ("RETURN order_.name ORDER BY order_.freight DESC LIMIT 1", "RETURN order_.name ORDER BY toFloat(order_.freight) DESC LIMIT 1"),
        ("WHERE order_.day >= date($v1) RETURN count(*)", "WHERE date(left(order_.day, 10)) >= date($v1) RETURN count(*)"),
        ("RETURN order_.day.year AS g, count(*)", "RETURN date(left(order_.day, 10)).year AS g, count(*)"),
        ("RETURN min(order_.day)", "RETURN min(order_.day)"),
        ("RETURN max(order_.sent)", f"RETURN max({SENT})"),
        ("WHERE order_.paid IS NOT NULL RETURN count(*)", "WHERE toFloat(order_.paid) IS NOT NULL RETURN count(*)"),
        ("WHERE order_.fax IS NULL RETURN order_.fax", "WHERE nullIf(order_.fax, 'NULL') IS NULL RETURN order_.fax"),
        ("WHERE order_.fax = $v1 RETURN order_.name ORDER BY order_.fax", "WHERE order_.fax = $v1 RETURN order_.name ORDER BY order_.fax"),
        ("WHERE order_.freight IS NOT NULL RETURN count(*)", "WHERE order_.freight IS NOT NULL RETURN count(*)"),
        ("WHERE order_.freight CONTAINS $v1 RETURN count(*)", "WHERE order_.freight CONTAINS $v1 RETURN count(*)"),
        ("WHERE order_.name = $v1 RETURN collect(order_.freight)", "WHERE order_.name = $v1 RETURN collect(order_.freight)"),
        ("RETURN max(order_.freight) - min(order_.freight)", "RETURN max(toFloat(order_.freight)) - min(toFloat(order_.freight))"),
    ],
)  # fmt: skip
def test_what_is_compared_aggregated_or_ordered_by_is_cast_and_compact_cypher_is_not(
    plain: str, cast: str
) -> None:
    plain, cast = (f"MATCH (order_:Order) {each}" for each in (plain, cast))
    assert with_casts(plain, SCHEMA, NAMES) == cast
    assert encode(cast) == encode(plain)
    assert with_casts(cast, SCHEMA, NAMES) == cast


def test_a_completion_becomes_a_query_with_casts_and_a_number_as_parameter() -> None:
    question = "orders with a freight of 0.56"
    occurrence = Occurrence("Order", "freight", "node", "0.56")
    linked = LinkedQuestion(question, (LinkedMention("v1", 25, 29, "0.56", "number", (occurrence,), 0.56),))
    parsed = SchemaTokenFormat(SCHEMA).parse(
        " MATCH (order_:Order) WHERE order_.freight = $v1 RETURN order_.name", linked
    )
    assert parsed.cypher == "MATCH (order_:Order) WHERE toFloat(order_.freight) = $v1 RETURN order_.name"
    assert parsed.parameters == {"v1": 0.56}
