"""Numbers and dates as they are written in other countries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from t2c_core.values.literals import find_literals

if TYPE_CHECKING:
    from t2c_core.values.locales import Locale


@pytest.mark.parametrize(
    ("locale", "text", "values"),
    [
        ("en", "more than 1,500.50 on 03/04/2021", [1500.5, "2021-03-04"]),
        ("en-GB", "more than 1,500.50 on 03/04/2021", [1500.5, "2021-04-03"]),
        ("en-GB", "on 12/25/2021", ["2021-12-25"]),
        ("de", "mehr als 1.500,50 am 03/04/2021", [1500.5, "2021-04-03"]),
        ("de", "über 1.500 Betten", [1500]),
        ("de", "über 12.345.678,9", [12345678.9]),
        ("de", "2,5 kg am 3. April 2021", [2.5, "2021-04-03"]),
        ("de", "am 1. März 2020 und im Dezember", ["2020-03-01", 12]),
        ("de", "am 3.4.2021", ["2021-04-03"]),
        ("de", "zwischen 2019 und 2021-05-06", [2019, "2021-05-06"]),
        ("de", "1'500 Franken", [1500]),
        ("fr", "plus de 1\u202f500,50 euros le 3 avril 2021", [1500.5, "2021-04-03"]),
        ("fr", "plus de 1 500 euros", [1500]),
        ("fr", "le 1er février 2020", ["2020-02-01"]),
        ("fr", "03/04/2021", ["2021-04-03"]),
        ("es", "más de 1.500,50 el 3 de abril de 2021", [1500.5, "2021-04-03"]),
        ("es", "en enero de 2020", [1, 2020]),
        ("es", "menos de ,5", [0.5]),
        ("en", "1.500", [1.5]),
        ("de", "March 4, 2021", ["2021-03-04"]),
    ],
)
def test_numbers_and_dates_are_read_by_the_locale(locale: Locale, text: str, values: list[Any]) -> None:
    assert [each.value for each in find_literals(text, locale)] == values


@pytest.mark.parametrize("locale", ["de", "fr", "es"])
def test_lists_of_numbers_are_no_number(locale: Locale) -> None:
    assert [each.value for each in find_literals("1, 2 und 3", locale)] == [1, 2, 3]
