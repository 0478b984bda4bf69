from __future__ import annotations

import pytest

from t2c_core.schema.model import GraphSchema, NodeLabel, Property
from t2c_core.text_formats import find_text_format, parse_text, typed_expression, without_casts


@pytest.mark.parametrize(
    ("name", "values", "found", "held"),
    [
        ("age", ["55", "3"], "INTEGER", 55),
        ("openYear", ["2008", "2010"], "INTEGER", 2008),
        ("freight", ["0.56", "12"], "FLOAT", 0.56),
        ("seen", ["24/12/1999", "01/02/2000"], "DD/MM/YYYY", "1999-12-24"),
        ("seen", ["12/24/1999", "01/02/2000"], "MM/DD/YYYY", "1999-12-24"),
        ("orderDate", ["1998-02-26 00:00:00.000", "1998-03-03 00:00:00.000"], "YYYY-MM-DD", "1998-02-26"),
        ("departure", ["15:23", "04:00"], "HH:MM", "15:23"),
    ],
)
def test_strings_that_hold_numbers_dates_and_times_are_recognised(name, values, found, held) -> None:
    assert find_text_format(name, values) == (found, None)
    assert parse_text(values[0], Property(name=name, type="STRING", text_format=found)) == held


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("zip", ["55001", "30022"]), ("customerID", ["1", "2"]), ("phone", ["555", "556"]), ("batch", ["007", "012"]), ("name", ["55", "Anna"]),
        ("seen", ["04/05/1999", "01/02/2000"]), ("seen", ["1999-13-40", "1999-01-01"]), ("age", ["55"]),
    ],
)  # fmt: skip
def test_codes_and_what_could_be_read_in_two_ways_stay_text(name, values) -> None:
    assert find_text_format(name, values) == (None, None)


def test_one_string_may_stand_for_an_absent_value() -> None:
    assert find_text_format("shipped", ["1998-02-26", "NULL", "1998-02-27"]) == ("YYYY-MM-DD", "NULL")
    held = Property(name="shipped", type="STRING", text_format="YYYY-MM-DD", missing_text="NULL")
    assert parse_text("NULL", held) is None
    assert typed_expression("x", held) == "date(left(nullIf(x.shipped, 'NULL'), 10))"


@pytest.mark.parametrize(
    ("text", "missing"), [("NULL", "NULL"), ("", ""), ("-", "-"), ("unknown", None), ("NA", None)]
)
def test_text_may_have_a_string_for_an_absent_value_too(text: str, missing: str | None) -> None:
    assert find_text_format("fax", ["030-0074321", text, "(171) 555-7788"]) == (None, missing)
    held = Property(name="fax", type="STRING", missing_text=missing)
    assert parse_text(text, held) == (None if missing is not None else text)
    assert parse_text("030-0074321", held) == "030-0074321"
    assert without_casts(f"RETURN {typed_expression('x', held)} AS n") == "RETURN x.fax AS n"


@pytest.mark.parametrize(
    "found", ["INTEGER", "FLOAT", "YYYY-MM-DD", "YYYY/MM/DD", "DD/MM/YYYY", "MM/DD/YYYY", "DD.MM.YYYY"]
)
@pytest.mark.parametrize("name", ["p", "odd name"])
def test_casts_are_removed_as_they_were_added(found, name) -> None:
    held = Property(name=name, type="STRING", text_format=found)
    access = typed_expression("x", Property(name=name, type="STRING"))
    assert without_casts(f"RETURN max({typed_expression('x', held)}) AS n") == f"RETURN max({access}) AS n"


def test_a_schema_without_such_strings_is_written_as_before_and_one_with_them_is_read_back() -> None:
    def schema(held: Property) -> GraphSchema:
        return GraphSchema(labels=(NodeLabel(name="A", count=1, properties=(held,)),), types=(), triples=())

    plain, typed = Property(name="p", type="STRING"), Property(name="p", type="STRING", text_format="INTEGER")
    assert "text_format" not in schema(plain).to_json()
    assert GraphSchema.from_json(schema(typed).to_json()) == schema(typed)
    assert typed.value_type == "INTEGER"
