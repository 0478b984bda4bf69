"""Phrases with which questions name the elements of a schema."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.consistency.operators import KnownPhrases
from t2c_core.consistency.question_analysis import phrase
from t2c_data.lexicon.draft import draft_lexicon
from t2c_data.lexicon.identifiers import split_identifier
from t2c_data.lexicon.model import LabelEntry, Lexicon, Noun, PropertyEntry, from_content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.consistency.question_analysis import Phrase
    from t2c_core.schema.model import GraphSchema

_SMALL = frozenset(
    "a an the of for in on at by to from with is are was were be been has have had and or not".split()
)
_MARKUP = re.compile(r"\[[^]]*\]|!unless .*")
MAX_CUE_WORDS = 2
"""Maximum number of words of a cue phrase."""


@dataclass
class SchemaPhrases:
    """Phrases with which questions name the elements of a schema.

    Args:
        schema: schema of the graph.
        lexicon: lexicon of the graph; drafted from the schema if None.
    """

    schema: GraphSchema
    lexicon: Lexicon | None = None
    properties: dict[tuple[str, str], frozenset[Phrase]] = field(default_factory=dict, init=False)
    cue_phrases: dict[tuple[str, str], frozenset[Phrase]] = field(default_factory=dict, init=False)
    """Phrases before a value that name its property: "containing", "based on"."""
    labels: dict[str, frozenset[Phrase]] = field(default_factory=dict, init=False)
    types: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    """Stems in the name of a type: `IS_PRIMARY_SUSPECT` has `primari` and `suspect`."""
    relationship_stems: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    """Stems in the phrases and roles of a type: people are `insured with` what covers them."""
    units: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict, init=False)
    """Units of properties: `kg`, `kilograms`."""
    spellings: frozenset[str] = field(default=frozenset(), init=False)
    """Stems that name properties and labels."""
    known_phrases: KnownPhrases = field(default_factory=KnownPhrases, init=False)
    """Phrases that may hold a word of negation and negate nothing."""

    def __post_init__(self) -> None:
        known = self.lexicon or from_content(draft_lexicon(self.schema), self.schema)
        self.lexicon = known
        for key, held in known.properties.items():
            self.properties[key] = _phrases(held.nouns, key[1])
            self.cue_phrases[key] = frozenset(_cue_phrases(held.equals_phrases))
            self.units[key] = held.unit
        for label, called in known.labels.items():
            self.labels[label] = _phrases((*called.nouns, *called.animate_nouns), label)
        for kind in self.schema.types:
            self.types[kind.name] = frozenset(
                each for each in phrase(split_identifier(kind.name)) if each not in _SMALL
            )
            self.relationship_stems[kind.name] = frozenset(_relationship_stems(known, kind.name))
        entries: list[LabelEntry | PropertyEntry] = [*known.labels.values(), *known.properties.values()]
        self.known_phrases = KnownPhrases(
            tuple(sorted({form for each in entries for noun in each.nouns for form in noun})),
            {name: (*each.forward, *each.backward) for name, each in known.relationships.items()},
        )
        spelt = (*self.properties.values(), *self.labels.values())
        self.spellings = frozenset(stem for phrases in spelt for each in phrases for stem in each)

    def naming(self, label: str) -> str:
        """Return the property by whose value people name a node of a label, or an empty text."""
        held = self.lexicon.labels.get(label) if self.lexicon else None
        return held.naming_properties[0] if held and held.naming_properties else ""

    def value_adjectives(self, owner: str, name: str, value: str) -> tuple[str, ...]:
        """Return the adjectives that express a value."""
        held = self.lexicon.properties.get((owner, name)) if self.lexicon else None
        return held.values.get(value, ()) if held else ()


def _phrases(nouns: tuple[Noun, ...], name: str) -> frozenset[Phrase]:
    texts = [one for noun in nouns for one in noun]
    return frozenset(found for text in (*texts, split_identifier(name)) if (found := _plain(text)))


def _cue_phrases(phrases: tuple[str, ...]) -> Iterator[Phrase]:
    for text in phrases:
        before, filled, _ = _MARKUP.sub(" ", text).partition("{}")
        words = phrase(before)[-MAX_CUE_WORDS:] if filled else ()
        if not set(words) <= _SMALL:
            yield words


def _relationship_stems(known: Lexicon, kind: str) -> Iterator[str]:
    """Yield the stems in the phrases of a type that are no placeholder and no function word."""
    for key, entry in known.relationships.items():
        if kind == key or f"-{kind}->" in key:
            roles = (form for noun in (*entry.target_role, *entry.source_role) for form in noun)
            for text in (*entry.forward, *entry.backward, *roles):
                yield from set(_plain(re.sub(r"{\w*}", " ", _MARKUP.sub(" ", text)))) - _SMALL


def _plain(text: str) -> Phrase:
    return tuple(each for each in phrase(text) if each)
