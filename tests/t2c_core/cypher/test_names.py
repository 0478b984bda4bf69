"""A name that is written reads back as itself, and stands in back-ticks only where it must."""

import pytest

from t2c_core.cypher.identifiers import quote_name, read_name, write_name


@pytest.mark.parametrize(
    "name", ["my label", "a`b", "é", "1x", "null", "NFC", "", "Case", "a\\u0041", "it's"]
)
def test_names_read_back_as_themselves(name: str) -> None:
    assert read_name(write_name(name)) == name
    assert read_name(quote_name(name)) == name


def test_back_ticks_stand_where_they_must() -> None:
    assert write_name("Case") == "Case"
    assert write_name("MATCH") == "MATCH"
    assert write_name("is") == "`is`"
    assert write_name("a`b") == "`a``b`"
    assert write_name("a\\u0041") == "`a\\u005cu0041`"
