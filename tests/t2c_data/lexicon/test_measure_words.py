"""Words of measures come from the lexicon's nouns and superlatives."""

import pytest

from t2c_data.lexicon.measure_words import (
    countable_plurals,
    measure_adjectives,
    measure_verbs,
    place_preposition,
)
from t2c_data.lexicon.model import PropertyEntry


@pytest.mark.parametrize(
    ("name", "nouns", "expected"),
    [
        ("beds", ["number of beds|numbers of beds", "capacity|capacities"], ["beds"]),
        ("unitsInStock", ["units in stock|units in stock"], ["units in stock"]),
        ("votes", ["votes|votes"], ["votes"]),
        ("heightCm", ["height|heights"], []),
        ("price", ["price|prices"], []),
        ("statusCode", ["status code|status codes"], []),
        ("process", ["process|processes"], []),
    ],
)
def test_a_number_counts_things_if_its_name_or_noun_says_so(
    name: str, nouns: list[str], expected: list[str]
) -> None:
    assert countable_plurals(name, PropertyEntry.model_validate({"nouns": nouns})) == expected


@pytest.mark.parametrize(
    ("superlatives", "expected"),
    [
        (["tallest", "longest-living"], ["tall"]),
        (["most expensive"], ["expensive"]),
        (["newest"], []),
        ([], []),
    ],
)
def test_adjectives_follow_from_superlatives(superlatives: list[str], expected: list[str]) -> None:
    words = PropertyEntry.model_validate({"nouns": ["x|xs"], "superlative_max": superlatives})
    assert measure_adjectives(words) == expected


def test_verbs_follow_from_the_head_of_the_noun() -> None:
    assert measure_verbs(["body weight", "unit price", "height"]) == ["weigh", "cost"]


@pytest.mark.parametrize(("noun", "preposition"), [("floor", "on"), ("home town", "in"), ("email", "")])
def test_places_take_a_preposition(noun: str, preposition: str) -> None:
    assert place_preposition(noun) == preposition
