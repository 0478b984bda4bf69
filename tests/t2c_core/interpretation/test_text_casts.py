from __future__ import annotations

import pytest

from t2c_core.cypher.parser import parse
from t2c_core.guard.guard import Guard
from t2c_core.interpretation.readback import read_back
from t2c_core.interpretation.words import Words
from t2c_core.schema.model import GraphSchema, NodeLabel, Property

SCHEMA = GraphSchema(
    labels=(
        NodeLabel(
            name="Order",
            count=3,
            properties=(
                Property(name="day", type="STRING", text_format="YYYY-MM-DD", missing_text="NULL"),
                Property(name="sent", type="STRING", text_format="DD/MM/YYYY"),
                Property(name="freight", type="STRING", text_format="FLOAT"),
            ),
        ),
    ),
    types=(),
    triples=(),
)


@pytest.mark.parametrize(
    ("cast", "plain"),
    [
        ("RETURN avg(toFloat(o.freight))", "RETURN avg(o.freight)"),
        ("WHERE toFloat(o.freight) > $v1 RETURN count(o)", "WHERE o.freight > $v1 RETURN count(o)"),
        ("WHERE date(left(nullIf(o.day, 'NULL'), 10)) > date($v1) RETURN o.freight", "WHERE o.day > date($v1) RETURN o.freight"),
        ("WHERE nullIf(o.day, 'NULL') IS NULL RETURN o.freight", "WHERE o.day IS NULL RETURN o.freight"),
        ("RETURN o.freight ORDER BY date(substring(o.sent, 6, 4) + '-' + substring(o.sent, 3, 2) + '-' + substring(o.sent, 0, 2)) DESC LIMIT 1", "RETURN o.freight ORDER BY o.sent DESC LIMIT 1"),
    ],
)  # fmt: skip
def test_casts_of_strings_are_allowed_and_read_back_as_what_they_hold(cast: str, plain: str) -> None:
    values = {"v1": "1998-01-01" if "date(" in plain else 5}
    texts = []
    for rest in (cast, plain):
        query = f"MATCH (o:Order) {rest}"
        guarded = Guard(schema=SCHEMA).require(query, values).cypher
        assert guarded
        texts.append(read_back(parse(query), schema=SCHEMA, words=Words(), parameters=values))
    assert texts[0] == texts[1] is not None
