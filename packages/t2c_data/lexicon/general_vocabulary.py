"""Words for things that many graphs have, read from `general_vocabulary.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("general_vocabulary.yaml")


@dataclass(frozen=True)
class Vocabulary:
    """The content of the file."""

    synonyms: dict[str, tuple[str, ...]]
    """By noun."""
    events: dict[str, tuple[str, ...]]
    """What people do to the things that an event joins them to, by its noun."""
    properties: list[dict[str, Any]]
    """Lexicon fields by names of properties, in order of preference."""
    units: dict[str, tuple[str, ...]]
    """Units of measurement by the last word of a property's name."""
    abbreviations: dict[str, str]
    """Words by abbreviation."""
    acronyms: frozenset[str]
    """Abbreviations that nobody writes out, in lower case."""
    words: frozenset[str]
    """Words that a dictionary of inflections lacks."""
    function_words: frozenset[str]
    """Prepositions, pronouns and the like, which are never inflected."""
    verb_prepositions: dict[str, str]
    """What stands behind a verb, by its infinitive."""
    relationships: list[dict[str, Any]]
    """Phrases in both directions for names of relationship types, some only for types to one label."""

    def phrases_of_type(self, names: set[str], target: str) -> dict[str, Any]:
        """Return the phrases for a relationship type of one of several names; empty if there are none."""
        for entry in self.relationships:
            if entry.get("to", target) == target and not names.isdisjoint(entry["names"]):
                return entry
        return {}


@cache
def vocabulary() -> Vocabulary:
    """Read the file."""
    content = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return Vocabulary(
        {first: tuple(rest) for first, *rest in content["synonyms"]},
        {event: tuple(participles) for event, participles in content["events"].items()},
        content["properties"],
        {last: tuple(units) for last, units in content["units"].items()},
        content["abbreviations"],
        frozenset(content["acronyms"]),
        frozenset(content["words"]),
        frozenset(content["function_words"]),
        content["verb_prepositions"],
        content["relationships"],
    )
