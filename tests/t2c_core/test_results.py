"""Canonical values and the keys under which equal values are equal."""

from __future__ import annotations

import json
import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time
from neo4j.vector import Vector

from t2c_core.results import canonical, canonical_rows, keyed_results


def same(left: object, right: object) -> bool:
    (one,), (other,) = keyed_results([[left]], [[right]])
    return one == other


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (-0.0, -0.0),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (Date(2021, 7, 1), "2021-07-01"),
        (Time(1, 2, 3, 500_000_000), "01:02:03.5"),
        (Time(10, 20, 30), "10:20:30"),
        (DateTime(2021, 7, 1, 10, 0, 0), "2021-07-01T10:00:00"),
        (DateTime(2021, 7, 1, 10, 0, 0, tzinfo=ZoneInfo("UTC")), "2021-07-01T10:00:00Z"),
        (Duration(months=14, days=3, seconds=3.5), "P1Y2M3DT3.5S"),
        (Duration(seconds=100), "PT1M40S"),
        (CartesianPoint((1.0, 2.0)), {"srid": 7203, "x": 1.0, "y": 2.0}),
        (WGS84Point((1.0, 2.0, 3.0)), {"srid": 4979, "x": 1.0, "y": 2.0, "z": 3.0}),
        (Vector([1, 2], "i8"), [1, 2]),
        (b"\x01\xff", "01ff"),
        ([1, None, "a"], [1, None, "a"]),
        ({"b": 1, "a": Date(2021, 1, 2)}, {"a": "2021-01-02", "b": 1}),
    ],
)
def test_a_driver_value_becomes_plain_json(value: object, expected: object) -> None:
    found = canonical(value)
    assert json.dumps(found, allow_nan=False) == json.dumps(expected, allow_nan=False)


def test_a_value_that_neo4j_never_returns_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        canonical(1j)


def test_maps_give_the_same_bytes_whatever_their_order() -> None:
    assert json.dumps(canonical({"b": 1, "a": 2})) == json.dumps(canonical({"a": 2, "b": 1}))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (3, 3.0),
        (0.1 + 0.2, 0.3),
        (54.123456789012, 54.123456789013),
        (0.0, -0.0),
        ("NaN", math.nan),
        ([1, None, 2], [2.0, 1, None]),
        ([[1, 2], [3]], [[3], [2, 1]]),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}),
        (True, "Yes"),
        ("no", False),
        ({"element_id": "4:x:1", "properties": {"a": 1}}, {"element_id": "4:x:1", "properties": {}}),
    ],
)
def test_equal_values_have_equal_keys(left: object, right: object) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        (0, None),
        ("", None),
        ("3", 3),
        (3, 3.001),
        (2**60, 2**60 + 1),
        (10**12, 10**12 + 1),
        ([1], 1),
        ([1, 1], [1]),
        ([1, None], [1]),
        ("Yes", "yes"),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"element_id": "4:x:1"}, {"element_id": "4:x:2"}),
    ],
)
def test_different_values_have_different_keys(left: object, right: object) -> None:
    assert not same(left, right)


def test_whole_numbers_stay_distinct_beside_a_float_that_is_near_to_both() -> None:
    (rows,) = keyed_results([[10**12], [10**12 + 1], [10**12 + 0.4]])
    assert rows[0] != rows[1]
    assert rows[2] == rows[0]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(values)
def test_every_value_equals_itself_after_a_round_trip_through_json(value: object) -> None:
    assert same(canonical(value), json.loads(json.dumps(canonical(value))))


@settings(deadline=None)
@given(st.lists(st.lists(values, min_size=2, max_size=2), max_size=5))
def test_rows_keep_their_shape(rows: list[list[object]]) -> None:
    (keyed,) = keyed_results(canonical_rows(rows))
    assert [len(row) for row in keyed] == [len(row) for row in rows]
    assert all(isinstance(hash(row), int) for row in keyed)
