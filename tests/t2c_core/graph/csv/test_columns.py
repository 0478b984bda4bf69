"""Header fields and cells mean what neo4j-admin import says they mean."""

import math

import pytest
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, Duration, Time

from t2c_core.cypher.identifiers import quote_identifier
from t2c_core.graph.csv.columns import HeaderError, read_column


@pytest.mark.parametrize(
    ("field", "kind", "name", "space"),
    [
        (":ID", "id", "", ""),
        (":ID(Person)", "id", "", "Person"),
        ("code:ID", "id", "code", ""),
        ("code:ID(Person-ID)", "id", "code", "Person-ID"),
        (":LABEL", "label", "", ""),
        (":START_ID(Person)", "start", "", "Person"),
        (":END_ID", "end", "", ""),
        (":TYPE", "type", "", ""),
        (":IGNORE", "ignore", "", ""),
        ("note:IGNORE", "ignore", "", ""),
        ("name", "property", "name", ""),
        ("first name", "property", "first name", ""),
        ("a:b:string", "property", "a:b", ""),
        ("age:INT", "property", "age", ""),
        ("place:point{crs:wgs-84}", "property", "place", ""),
        ("at:datetime{timezone:Europe/Stockholm}", "property", "at", ""),
        ("days:date[]", "property", "days", ""),
        (":ID(Person){label:Person}", "id", "", "Person"),
        ("code:ID{id-type:int}", "id", "code", ""),
    ],
)
def test_header_field_is_read(field, kind, name, space):
    column = read_column(field)
    assert (column.kind, column.property, column.space) == (kind, name, space)


@pytest.mark.parametrize(
    "field",
    [
        "",
        " ",
        "age:whole",
        "age:int(Person)",
        ":int",
        "x:LABEL",
        ":LABEL[]",
        ":TYPE(Person)",
        "age:",
        "place:point{crs:mars}",
        "at:datetime{timezone:Mars/Base}",
        "age:int{timezone:Europe/Paris}",
        "at:datetime{timezone}",
        "code:ID{id-type:whole}",
        "price:float{decimal:point}",
        "id:ID[]",
    ],
)
def test_strange_header_field_is_refused(field):
    with pytest.raises(HeaderError):
        read_column(field)


@pytest.mark.parametrize(
    ("type_name", "cell", "value"),
    [
        ("string", " as is ", " as is "),
        ("char", "é", "é"),
        ("long", "-9223372036854775808", -(2**63)),
        ("int", " 7 ", 7),
        ("double", "1e-3", 0.001),
        ("float", "-Infinity", -math.inf),
        ("boolean", "TRUE", True),
        ("boolean", "false", False),
        ("date", "2021-02-28", Date(2021, 2, 28)),
        ("date", "1996-08-01 00:00:00.000", Date(1996, 8, 1)),
        ("localtime", "12:30:01.5", Time(12, 30, 1, 500_000_000)),
        ("duration", "P1Y2M3DT4H", Duration(years=1, months=2, days=3, hours=4)),
        ("point", "{latitude: 1.5, longitude: -2}", WGS84Point((-2.0, 1.5))),
        ("point", "{x:1,y:2,z:3}", CartesianPoint((1.0, 2.0, 3.0))),
        ("point{crs:wgs-84}", "{x:1,y:2}", WGS84Point((1.0, 2.0))),
        ("point", "{latitude: 1, longitude: 2, crs: WGS-84}", WGS84Point((2.0, 1.0))),
        ("point{crs:wgs-84-3d}", "{longitude:1,latitude:2,height:3}", WGS84Point((1.0, 2.0, 3.0))),
        ("point{crs:cartesian}", "{x:1,y:2}", CartesianPoint((1.0, 2.0))),
        ("float{decimal:comma}", "1.234.567,5", 1_234_567.5),
        ("float{decimal:comma}", "-3,25", -3.25),
        ("list", '["a", "b;c"]', ["a", "b;c"]),
        ("list", "[1, 2.5]", [1.0, 2.5]),
        ("string[]", "a;b c;", ["a", "b c", ""]),
        ("long[]", "1;2", [1, 2]),
        ("date[]", "2021-01-01;2021-01-02", [Date(2021, 1, 1), Date(2021, 1, 2)]),
    ],
)
def test_cell_becomes_a_value(type_name, cell, value):
    found = read_column(f"p:{type_name}").convert(cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("type_name", "cell", "text"),
    [
        ("time", "10:00:00+02:00", "10:00:00.000000000+02:00"),
        ("localdatetime", "2021-01-02T03:04:05", "2021-01-02T03:04:05.000000000"),
        ("localdatetime", "2021-01-02", "2021-01-02T00:00:00.000000000"),
        ("datetime", "2021-01-02T03:04:05Z", "2021-01-02T03:04:05.000000000+00:00"),
        ("datetime", "2021-01-02T03:04:05", "2021-01-02T03:04:05.000000000+00:00"),
        ("datetime", "2021-07-02T03:04:05[Europe/Paris]", "2021-07-02T03:04:05.000000000+02:00"),
        ("datetime", "2021-07-02T03:04:05Z[Europe/Paris]", "2021-07-02T05:04:05.000000000+02:00"),
        ("datetime{timezone:Europe/Stockholm}", "2021-07-02T03:04", "2021-07-02T03:04:00.000000000+02:00"),
        ("datetime{timezone:Europe/Stockholm}", "2021-01-02T03:04", "2021-01-02T03:04:00.000000000+01:00"),
        ("datetime{timezone:Europe/Stockholm}", "2021-07-02T03:04Z", "2021-07-02T03:04:00.000000000+00:00"),
        ("datetime{timezone:-05:30}", "2021-07-02T03:04", "2021-07-02T03:04:00.000000000-05:30"),
        ("time{timezone:+01:00}", "10:00", "10:00:00.000000000+01:00"),
    ],
)
def test_time_cell_becomes_a_value(type_name, cell, text):
    assert read_column(f"p:{type_name}").convert(cell).iso_format() == text


@pytest.mark.parametrize(
    ("type_name", "cell"),
    [
        ("long", "9223372036854775808"),
        ("int", "1.0"),
        ("int", "one"),
        ("double", "1,5"),
        ("boolean", "yes"),
        ("char", "ab"),
        ("date", "2021-02-30"),
        ("date", "28/02/2021"),
        ("time", "10:00"),
        ("localtime", "10:00Z"),
        ("localdatetime", "2021-01-02T03:04Z"),
        ("datetime", "2021-01-02 03h"),
        ("datetime", "2021-01-02T03:04[Mars/Base]"),
        ("duration", "1 day"),
        ("point", "1.5, 2"),
        ("point", "{latitude: 1}"),
        ("long[]", "1;x"),
        ("date", "-0045-02-29"),
        ("date", "1996-08-01 00:00:01"),
        ("localdatetime", "-0044-03-15T10:00Z"),
        ("datetime", "+12000-13-01T00:00Z"),
        ("float{decimal:comma}", "1.5"),
        ("point{crs:wgs-84}", "{x: 1, y: 2, z: 3}"),
        ("list", '["a", 1]'),
        ("list", "a;b"),
    ],
)
def test_wrong_cell_is_refused(type_name, cell):
    with pytest.raises(ValueError, match=r".+"):
        read_column(f"p:{type_name}").convert(cell)


@pytest.mark.parametrize(
    ("type_name", "cell", "text", "kind"),
    [
        ("date", "-0044-03-15", "-0044-03-15", "DATE"),
        ("date", "0000-12-31", "0000-12-31", "DATE"),
        ("date", "12000-02-29", "+12000-02-29", "DATE"),
        ("localdatetime", "-0044-03-15T12:00", "-0044-03-15T12:00", "LOCAL DATETIME"),
        ("datetime", "+10000-01-01T00:00:00.5+01:00", "+10000-01-01T00:00:00.5+01:00", "ZONED DATETIME"),
        ("datetime", "-0044-03-15T12:00", "-0044-03-15T12:00Z", "ZONED DATETIME"),
    ],
)
def test_date_outside_the_years_of_the_driver_is_text_with_its_type(type_name, cell, text, kind):
    found = read_column(f"p:{type_name}").convert(cell)
    assert (found, found.property_type) == (text, kind)


def test_quoted_name_doubles_back_ticks_and_escapes_backslashes():
    assert quote_identifier("a`b") == "`a``b`"
    assert quote_identifier("a\\u0060 b") == "`a\\u005cu0060 b`"
