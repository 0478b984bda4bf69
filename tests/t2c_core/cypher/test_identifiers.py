"""Formatted identifiers read back as themselves, with backticks only where needed."""

import pytest

from t2c_core.cypher.identifiers import format_identifier, quote_identifier, unquote_identifier


@pytest.mark.parametrize(
    "name", ["my label", "a`b", "é", "1x", "null", "NFC", "", "Case", "a\\u0041", "it's"]
)
def test_quoted_names_are_unquoted_to_themselves(name: str) -> None:
    assert unquote_identifier(format_identifier(name)) == name
    assert unquote_identifier(quote_identifier(name)) == name


def test_backticks_are_written_only_where_needed() -> None:
    assert format_identifier("Case") == "Case"
    assert format_identifier("MATCH") == "MATCH"
    assert format_identifier("is") == "`is`"
    assert format_identifier("a`b") == "`a``b`"
    assert format_identifier("a\\u0041") == "`a\\u005cu0041`"
