"""Words of measures: `how tall`, `how much does it cost`, `how many beds`, `on which floor`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.lexicon.model import PropertyEntry

ADJECTIVES = {
    "tallest": "tall", "heaviest": "heavy", "longest": "long", "largest": "large", "biggest": "big", "deepest": "deep",
    "widest": "wide", "fastest": "fast", "highest": "high", "thickest": "thick", "oldest": "old",
    "strongest": "strong", "richest": "rich", "most expensive": "expensive", "costliest": "costly",
    "most populous": "populous", "hottest": "hot",
    "most popular": "popular", "most severe": "severe", "loudest": "loud", "brightest": "bright", "warmest": "warm",
}  # fmt: skip
"""Adjectives that ask for an amount, by superlative."""
GENERAL_ADJECTIVES = frozenset({"large", "big", "high", "popular", "severe"})
"""Adjectives that may be said of many amounts."""
_VERBS = {
    "weight": "weigh", "cost": "cost", "price": "cost", "fare": "cost", "fee": "cost", "salary": "earn", "wage": "earn",
}  # fmt: skip
"""Verbs whose object is the amount, by the last word of a property's noun."""
_PLACES = {
    "floor": "on", "storey": "on", "street": "on", "city": "in", "town": "in", "country": "in", "region": "in",
    "state": "in", "county": "in", "province": "in", "district": "in", "continent": "in", "room": "in",
    "building": "in", "address": "at", "location": "at", "site": "at", "venue": "at",
    "position": "in", "language": "in", "genre": "in",
}  # fmt: skip
"""Prepositions of places, by noun."""
_MEASURED = re.compile(
    r"(age|height|width|length|depth|weight|price|cost|amount|salary|income|revenue|budget|score|rating|year|level|rank|"
    r"area|size|population|capacity|distance|speed|rate|percentage|status|address|access|process|mass|class)s?$",
    re.IGNORECASE,
)
"""Nouns of amounts, whose plural does not count things."""


def measure_adjectives(words: PropertyEntry) -> list[str]:
    """List adjectives that ask for the value of a number: `tall` of a height."""
    return [ADJECTIVES[each] for each in words.superlative_max if each in ADJECTIVES]


def measure_verbs(nouns: Sequence[str]) -> list[str]:
    """List verbs whose object is the value of a number: `weigh` of a weight."""
    last = (each.split(" ")[-1] for each in nouns)
    return list(dict.fromkeys(_VERBS[each] for each in last if each in _VERBS))


def countable_plurals(name: str, words: PropertyEntry) -> list[str]:
    """List what an integer property counts: `beds` of `beds` or of "number of beds"."""
    found = [noun.removeprefix("number of ") for noun, _ in words.nouns if noun.startswith("number of ")]
    first_word = re.split(r"(?<=[a-z])(?=[A-Z])|[_ ]", name)[0].lower()
    if first_word.endswith("s") and not first_word.endswith("ss"):
        found += [plural for _, plural in words.nouns if plural.split(" ")[0] == first_word]
    return [each for each in dict.fromkeys(found) if not _MEASURED.search(each.split(" ")[0])]


def place_preposition(noun: str) -> str:
    """Return the preposition before "which floor"; empty if the noun is no place."""
    return _PLACES.get(noun.rsplit(" ", maxsplit=1)[-1], "")
