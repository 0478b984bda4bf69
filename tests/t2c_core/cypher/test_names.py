"""A name that is written reads back as itself, and stands in back-ticks only where it must."""

import pytest

from t2c_core.cypher.identifiers import format_identifier, quote_identifier, unquote_identifier


@pytest.mark.parametrize(
    "name", ["my label", "a`b", "é", "1x", "null", "NFC", "", "Case", "a\\u0041", "it's"]
)
def test_names_read_back_as_themselves(name: str) -> None:
    assert unquote_identifier(format_identifier(name)) == name
    assert unquote_identifier(quote_identifier(name)) == name


def test_back_ticks_stand_where_they_must() -> None:
    assert format_identifier("Case") == "Case"
    assert format_identifier("MATCH") == "MATCH"
    assert format_identifier("is") == "`is`"
    assert format_identifier("a`b") == "`a``b`"
    assert format_identifier("a\\u0041") == "`a\\u005cu0041`"
