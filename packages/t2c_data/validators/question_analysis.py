"""What a question names: quoted values, numbers, dates, and elements of a schema by their words.

Holds no query and no check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA

from t2c_core.values.literals import LiteralMention, Quotation, find_literals, find_quotations
from t2c_core.values.normalization import fold, stem, words
from t2c_data.lexicon.draft import draft_lexicon, split_identifier
from t2c_data.lexicon.model import Lexicon, Noun, from_content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.schema.model import GraphSchema

MIN_MISSPELT = 6
"""Letters of a word from which on one slip is forgiven."""
_ASKING = frozenset("grouped ordered sorted listed ranked counted".split())
"""Words that say what to do and are no form of a noun: `the average age, grouped by ...` names no age group."""
_BREAK = re.compile(r"[,.;:!?()]")
_SMALL = frozenset(
    "a an the of for in on at by to from with is are was were be been has have had and or not".split()
)

_MARKUP = re.compile(r"\[[^]]*\]|!unless .*")
MAX_LEAD = 2
"""Words before a value that are looked at."""

Phrase = tuple[str, ...]
"""Stems of words in a row."""


def phrase(text: str) -> Phrase:
    """Reduce a text to the stems of its words; an empty one stands for punctuation that parts them."""
    stems: list[str] = []
    end = 0
    for word in words(text):
        if stems and _BREAK.search(text, end, word.start):
            stems.append("")
        stems.append(word.folded if word.folded in _ASKING else stem(word.folded))
        end = word.end
    return tuple(stems)


@dataclass
class SchemaPhrases:
    """The phrases under which questions name the elements of a schema.

    Args:
        schema: the graph's schema.
        lexicon: its words; drafted from the schema when absent.
    """

    schema: GraphSchema
    lexicon: Lexicon | None = None
    properties: dict[tuple[str, str], frozenset[Phrase]] = field(default_factory=dict, init=False)
    cue_phrases: dict[tuple[str, str], frozenset[Phrase]] = field(default_factory=dict, init=False)
    """Words that stand before a value of a property and name it so: "containing", "based on"."""
    labels: dict[str, frozenset[Phrase]] = field(default_factory=dict, init=False)
    types: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    """Stems that tell a type from others: `IS_PRIMARY_SUSPECT` has `primari` and `suspect`."""

    def __post_init__(self) -> None:
        known = self.lexicon or from_content(draft_lexicon(self.schema), self.schema)
        self.lexicon = known
        for key, held in known.properties.items():
            self.properties[key] = _phrases(held.nouns, key[1])
            self.cue_phrases[key] = frozenset(_leads(held.equals_phrases))
        for label, called in known.labels.items():
            self.labels[label] = _phrases((*called.nouns, *called.animate_nouns), label)
        for kind in self.schema.types:
            self.types[kind.name] = frozenset(
                each for each in phrase(split_identifier(kind.name)) if each not in _SMALL
            )

    def naming(self, label: str) -> str:
        """Give the property by whose value people name a node of a label; empty if there is none."""
        held = self.lexicon.labels.get(label) if self.lexicon else None
        return held.naming_properties[0] if held and held.naming_properties else ""

    def value_adjectives(self, owner: str, name: str, value: str) -> tuple[str, ...]:
        """Give the adjectives that say a value."""
        held = self.lexicon.properties.get((owner, name)) if self.lexicon else None
        return held.values.get(value, ()) if held else ()


def _phrases(nouns: tuple[Noun, ...], name: str) -> frozenset[Phrase]:
    texts = [one for noun in nouns for one in noun]
    return frozenset(found for text in (*texts, split_identifier(name)) if (found := _plain(text)))


def _leads(phrases: tuple[str, ...]) -> Iterator[Phrase]:
    for text in phrases:
        before, filled, _ = _MARKUP.sub(" ", text).partition("{}")
        words = phrase(before)[-MAX_LEAD:] if filled else ()
        if not set(words) <= _SMALL:
            yield words


def _plain(text: str) -> Phrase:
    return tuple(each for each in phrase(text) if each)


@dataclass
class QuestionAnalysis:
    """A question, read.

    Args:
        text: the question.
    """

    text: str

    @cached_property
    def folded(self) -> str:
        """The question as folded words between blanks."""
        return f" {fold(self.text)} "

    @cached_property
    def quoted(self) -> list[list[Quotation]]:
        """Quoted parts, each with its possible ends."""
        return find_quotations(self.text)

    @cached_property
    def readings(self) -> list[LiteralMention]:
        """Numbers, dates, years and months."""
        return find_literals(self.text)

    @cached_property
    def bare(self) -> str:
        """The question without what is quoted."""
        text = self.text
        for ends in self.quoted:
            text = text[: ends[0].start] + " " * (ends[0].end - ends[0].start) + text[ends[0].end :]
        return text

    @cached_property
    def stems(self) -> Phrase:
        """Stems of its words, quoted ones included."""
        return phrase(self.text)

    @cached_property
    def bare_stems(self) -> Phrase:
        """Stems of its words outside quotes."""
        return phrase(self.bare)

    def holds(self, value: str) -> bool:
        """Tell whether a text occurs in it, whatever its case, accents and punctuation."""
        return f" {fold(value)} " in self.folded

    def names(self, found: Phrase, *, quoted: bool = True) -> bool:
        """Tell whether it has these words in a row; one slip of the pen in a long word is forgiven."""
        held = self.stems if quoted else self.bare_stems
        return any(
            all(_like(one, other) for one, other in zip(found, held[start:], strict=False))
            for start in range(len(held) - len(found) + 1)
        )


@lru_cache(maxsize=100_000)
def _like(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= MIN_MISSPELT and OSA.distance(one, other, score_cutoff=1) <= 1
