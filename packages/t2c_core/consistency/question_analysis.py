"""What a question names: quoted values, numbers, dates, and consecutive words by their stems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA

from t2c_core.values.literals import LiteralMention, Quotation, find_literals, find_quotations
from t2c_core.values.normalization import fold, stem, words

if TYPE_CHECKING:
    from t2c_core.values.locales import Locale

MIN_MISSPELT = 6
"""Minimum number of letters of a word in which one typing error is accepted."""
_ASKING = frozenset("grouped ordered sorted listed ranked counted".split())
"""Instructions that are no forms of a noun: `the average age, grouped by ...` names no age group."""
_BREAK = re.compile(r"[,.;:!?()]")

Phrase = tuple[str, ...]
"""Stems of consecutive words."""


def phrase(text: str) -> Phrase:
    """Return the stems of the words of a text, with an empty one for punctuation between words."""
    stems: list[str] = []
    end = 0
    for word in words(text):
        if stems and _BREAK.search(text, end, word.start):
            stems.append("")
        stems.append(word.folded if word.folded in _ASKING else stem(word.folded))
        end = word.end
    return tuple(stems)


@dataclass
class QuestionAnalysis:
    """Analysis of a question.

    Args:
        text: the question.
        locale: how numbers and dates are written in it.
    """

    text: str
    locale: Locale = "en"

    @cached_property
    def folded(self) -> str:
        """The case-folded words of the question, separated and surrounded by blanks."""
        return f" {fold(self.text)} "

    @cached_property
    def quoted(self) -> list[list[Quotation]]:
        """Quoted spans, each with its possible ends."""
        return find_quotations(self.text)

    @cached_property
    def readings(self) -> list[LiteralMention]:
        """Numbers, dates, years and months in the question."""
        return find_literals(self.text, self.locale)

    @cached_property
    def bare(self) -> str:
        """The question with blanks for quoted spans."""
        text = self.text
        for ends in self.quoted:
            text = text[: ends[0].start] + " " * (ends[0].end - ends[0].start) + text[ends[0].end :]
        return text

    @cached_property
    def stems(self) -> Phrase:
        """Stems of the words, quoted ones included."""
        return phrase(self.text)

    @cached_property
    def bare_stems(self) -> Phrase:
        """Stems of the words outside quotes."""
        return phrase(self.bare)

    def contains(self, value: str) -> bool:
        """Return whether a text occurs in the question, ignoring case, accents and punctuation."""
        return f" {fold(value)} " in self.folded

    def names(self, found: Phrase, *, quoted: bool = True, spellings: frozenset[str] = frozenset()) -> bool:
        """Return whether the question has these consecutive words.

        One typing error in a long word is accepted.

        Args:
            found: the words.
            quoted: whether quoted words count.
            spellings: words of the schema, which are no misspelling of each other: `height`, `weight`.
        """
        held = self.stems if quoted else self.bare_stems
        if not all(one in held or self._is_misspelt(one, held) for one in found):
            return False
        return any(
            all(
                one == other or (other not in spellings and _similar(one, other))
                for one, other in zip(found, held[start:], strict=False)
            )
            for start in range(len(held) - len(found) + 1)
        )

    def _is_misspelt(self, word: str, held: Phrase) -> bool:
        """Return whether a long word has a likely misspelling among the words of the question."""
        return len(word) >= MIN_MISSPELT and any(_similar(word, other) for other in held)


@lru_cache(maxsize=100_000)
def _similar(one: str, other: str) -> bool:
    if one == other:
        return True
    return min(len(one), len(other)) >= MIN_MISSPELT and OSA.distance(one, other, score_cutoff=1) <= 1
