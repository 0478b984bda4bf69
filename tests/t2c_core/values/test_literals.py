"""Numbers, dates, years, months and quotations in many written forms."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2c_core.values.literals import find_literals, find_quotations


def read(text: str) -> list[tuple[str, str, object]]:
    return [(text[each.start : each.end], each.kind, each.value) for each in find_literals(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("between 10 and 20", [("10", "number", 10), ("20", "number", 20)]),
        ("10-20 mg", [("10", "number", 10), ("20", "number", 20)]),
        (
            "1,234.5 and -3 or .5",
            [("1,234.5", "number", 1234.5), ("-3", "number", -3), (".5", "number", 0.5)],
        ),
        ("1, 2,3", [("1", "number", 1), ("2", "number", 2), ("3", "number", 3)]),
        (
            "3.5 million, 5k, $20",
            [("3.5 million", "number", 3_500_000), ("5k", "number", 5000), ("20", "number", 20)],
        ),
        ("twenty-five", [("twenty-five", "number", 25)]),
        ("one hundred and five", [("one hundred and five", "number", 105)]),
        ("two thousand five hundred", [("two thousand five hundred", "number", 2500)]),
        ("a dozen", [("dozen", "number", 12)]),
        ("at least one", [("one", "number", 1)]),
        ("one or more", [("one", "number", 1)]),
        ("which one of them", []),
        ("20mg of B12, 2nd, 3D, COVID-19", [("20", "number", 20)]),
        ("10%", [("10", "number", 10)]),
        ("79-year-old", [("79", "number", 79)]),
        ("1e-3", [("1e-3", "number", 0.001)]),
        ("1.2.3 and 10.0.0.1", []),
        ("aged 70.", [("70", "number", 70)]),
        ("from 2019 to 2021", [("2019", "year", 2019), ("2021", "year", 2021)]),
        ("2019-2021", [("2019", "year", 2019), ("2021", "year", 2021)]),
        ("the 1990s", [("1990", "year", 1990)]),
        ("2500 cases", [("2500", "number", 2500)]),
        ("2,021 cases", [("2,021", "number", 2021)]),
        ("in May", [("May", "month", 5)]),
        ("may we", []),
        ("in may 2021", [("may", "month", 5), ("2021", "year", 2021)]),
        ("March on", []),
        ("in March", [("March", "month", 3)]),
        ("august of the year 2021", [("august", "month", 8), ("2021", "year", 2021)]),
        ("Sept. 2021", [("Sept", "month", 9), ("2021", "year", 2021)]),
        ("30 Feb 2021", [("30", "number", 30), ("Feb", "month", 2), ("2021", "year", 2021)]),
    ],
)
def test_numbers_years_and_months(text: str, expected: list[tuple[str, str, object]]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2021-07-01", "2021/07/01", "2021.07.01", "July 1, 2021", "July 1st 2021", "jul 1 2021", "1 July 2021",
        "1st of July, 2021", "01-Jul-2021", "2021 July 1", "07/01/2021", "7/1/21", "1.7.2021", "01.07.2021",
    ],
)  # fmt: skip
def test_a_date_may_be_written_in_many_ways(text: str) -> None:
    assert read(f"on {text}.") == [(text, "date", "2021-07-01")]


def test_a_date_may_have_a_time() -> None:
    assert read("at 2021-07-01T10:00:00Z") == [("2021-07-01T10:00:00Z", "date", "2021-07-01T10:00:00Z")]
    assert read("at 2021-07-01 10:00") == [("2021-07-01 10:00", "date", "2021-07-01T10:00")]


def test_an_impossible_month_means_that_the_day_comes_first() -> None:
    assert read("31/12/2020") == [("31/12/2020", "date", "2020-12-31")]


@settings(deadline=None)
@given(
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.sampled_from(["%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"]),
)
def test_every_date_reads_back(day: date, form: str) -> None:
    assert read(f"cases on {day.strftime(form)}?") == [(day.strftime(form), "date", day.isoformat())]


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9))
def test_every_whole_number_reads_back(number: int) -> None:
    ((_, _, plain),) = read(f"x = {number}!")
    ((_, _, separated),) = read(f"x = {number:,}!")
    assert (plain, separated) == (number, number)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_readings_stand_in_order_and_never_overlap(text: str) -> None:
    found = find_literals(text)
    assert all(before.end <= after.start for before, after in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the 'F' and \"x y\"", [["F"], ["x y"]]),
        ("a 'Crohn's disease' case", [["Crohn", "Crohn's disease"]]),
        ("all 'MEMBER's of 'X'", [["MEMBER", "MEMBER's of 'X"], ["X"]]),
        ("the 'patients' disease' x", [["patients", "patients' disease"]]),
        ("it's Bob's cat", []),
        ("the reporter's 'x'?", [["x"]]),
        ("with “Smart” «quotes»", [["Smart"], ["quotes"]]),
        ("'Intravenous (not otherwise specified)'.", [["Intravenous (not otherwise specified)"]]),
        ("an 'unclosed quote", []),
        ("''", []),
    ],
)
def test_quotations_differ_from_apostrophes(text: str, expected: list[list[str]]) -> None:
    assert [[each.content for each in ends] for ends in find_quotations(text)] == expected


def test_two_quotations_in_a_row_are_two() -> None:
    found = find_quotations("either 'a b' or 'c d'?")
    assert [ends[0].content for ends in found] == ["a b", "c d"]


def test_a_year_of_days_is_read_in_words() -> None:
    start = date(2020, 1, 1)
    for offset in range(366):
        day = start + timedelta(days=offset)
        assert read(f"{day:%b} {day.day}, {day.year}")[0][2] == day.isoformat()
