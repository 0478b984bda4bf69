"""A question split into words, its quoted parts, and the context of a span of words."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, NamedTuple

from t2c_core.values.literals import Quotation, find_quotations
from t2c_core.values.normalization import Word, stem, words
from t2c_core.values.stopwords import FUNCTION_WORDS, STOPWORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from t2c_core.values.stopwords import SchemaWords

CONTEXT_WORDS = 3
"""Number of words on each side of a span that belong to its context."""
CONTEXT_CHARS = 60
"""Number of characters before a mention in which cues are searched."""

_NOUN = r"(?:letters?|words?|text|string|phrase|substring|prefix|suffix|characters?)"
_ENDED = r"(?:start|begin|end|prefix|suffix)(?:s|ed|ing|ning)?\s+(?:with|in|by)"
_CONTAIN = rf"\b(?:{{}}contain(?:s|ing|ed)?|{_ENDED})(?:\s+the)?+(?:\s+{_NOUN}\b)?+"
_IN_NAME = (
    r"\s+in\s+(?:its|their|the|his|her)\s+(?:full\s+)?(?:names?|titles?|descriptions?|texts?|labels?|summary|subject"
    r"|comments?|notes?|content|address(?:es)?|e-?mails?)\b"
)
_WORD = r"(?P<word>[^\s'\"“‘(),;?!]+?)"
_BEFORE_PART = re.compile(_CONTAIN.format(r"like|includ(?:es|ing)|matching|") + r"\s*$", re.IGNORECASE)
_AFTER_PART = re.compile(_IN_NAME, re.IGNORECASE)
_PART_WORDS = (
    re.compile(_CONTAIN.format("") + rf"\s+{_WORD}(?=[.,;?!)]*(?:\s|$))", re.IGNORECASE),
    re.compile(rf"\b(?:with|ha(?:s|ve|ving))\s+{_WORD}{_IN_NAME}", re.IGNORECASE),
)
_LIMIT = re.compile(r"\b(?:top|first|last|bottom|best|limit(?:ed)?)(?:\s+(?:of|to|the))?\s*$", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:than|least|most|over|under|above|below|exceed(?:s|ing)?|between|up\s+to|older|younger|aged?|maximum"
    r"|minimum|only|exactly|from|within)(?:\s+(?:of|is|the))?\s*$",
    re.IGNORECASE,
)


class TokenSpan(NamedTuple):
    """Consecutive words `first` to `last` of a question, and their normalized form."""

    first: int
    last: int
    form: str


@dataclass(frozen=True)
class TokenizedQuestion:
    """A question and its words.

    Args:
        text: the question as written.
    """

    text: str

    @cached_property
    def words(self) -> list[Word]:
        """Words in order."""
        return words(self.text)

    @cached_property
    def stems(self) -> list[str]:
        """Stems of the words."""
        return [stem(each.folded) for each in self.words]

    @cached_property
    def is_cased(self) -> bool:
        """Whether the question has capital and small letters, so that capitals are evidence."""
        return not self.text.islower() and not self.text.isupper()

    def quotations(self, choose: Callable[[list[Quotation]], Quotation]) -> list[Quotation]:
        """Return the quoted parts; `choose` selects one of the possible ends of each."""
        found: list[Quotation] = []
        for ends in find_quotations(self.text):
            if not found or ends[0].start >= found[-1].end:
                found.append(choose(ends))
        return found

    def span(self, start: int, end: int) -> TokenSpan | None:
        """Return the words that begin in `text[start:end]`, or None if there are none."""
        first = bisect_left(self.words, start, key=attrgetter("start"))
        after = bisect_left(self.words, end, lo=first, key=attrgetter("start"))
        inside = self.words[first:after]
        return TokenSpan(first, after - 1, " ".join(each.folded for each in inside)) if inside else None

    def unquoted_positions(self, quotations: list[Quotation]) -> list[int]:
        """Return the positions of the words outside the quotations."""
        quoted = {
            position
            for each in quotations
            if (span := self.span(each.start, each.end))
            for position in range(span.first, span.last + 1)
        }
        return [position for position in range(len(self.words)) if position not in quoted]

    def spans(self, positions: list[int], max_words: Callable[[str], int]) -> Iterator[TokenSpan]:
        """Yield the spans of the words at some positions.

        Args:
            positions: positions of the words that spans may contain.
            max_words: maximum length of a span, by its normalized first word.
        """
        allowed = set(positions)
        for first in positions:
            form = self.words[first].folded
            yield TokenSpan(first, first, form)
            for last in range(first + 1, first + max_words(form)):
                if last not in allowed:
                    break
                form = f"{form} {self.words[last].folded}"
                yield TokenSpan(first, last, form)

    def surface_text(self, span: TokenSpan) -> str:
        """Return a span as written in the question."""
        return self.text[self.words[span.first].start : self.words[span.last].end]

    def context_stems(self, span: TokenSpan) -> set[str]:
        """Return the stems of the words around a span, and of pairs of them written as one word."""
        before = self.stems[max(0, span.first - CONTEXT_WORDS) : span.first]
        after = self.stems[span.last + 1 : span.last + 1 + CONTEXT_WORDS]
        joined = [left + right for side in (before, after) for left, right in pairwise(side)]
        return {*before, *after, *joined}

    def follows(self, span: TokenSpan, word: str) -> bool:
        """Return whether a span directly follows a normalized word."""
        return span.first > 0 and self.words[span.first - 1].folded == word

    def head_stems(self, span: TokenSpan) -> set[str]:
        """Return the stems of the nouns that name what a span is: `route` of "the route is X" or "X as the route"."""
        directions = [range(span.first - 1, -1, -1)]
        if [each.folded for each in self.words[span.last + 1 : span.last + 2]] == ["as"]:
            directions.append(range(span.last + 1, len(self.words)))
        found = (
            next((i for i in positions if self.words[i].folded not in FUNCTION_WORDS), None)
            for positions in directions
        )
        return {self.stems[position] for position in found if position is not None}


def is_substring_cue(text: str, start: int, end: int) -> bool:
    """Return whether the context says that `text[start:end]` is contained in a value."""
    before = _BEFORE_PART.search(text, max(0, start - CONTEXT_CHARS), start)
    return before is not None or _AFTER_PART.match(text, end) is not None


def substring_words(text: str, schema_words: SchemaWords) -> Iterator[re.Match[str]]:
    """Yield single unquoted words, as group `word`, that the context says to be contained in a value."""
    for pattern in _PART_WORDS:
        for found in pattern.finditer(text):
            word = found["word"].lower()
            if word == "a" or not (word in STOPWORDS or schema_words.has(word)):
                yield found


def numeric_role_before(text: str, start: int) -> Literal["limit", "bound"] | None:
    """Return whether a number is a row limit or the bound of a range, by the words before it."""
    if _LIMIT.search(text, max(0, start - CONTEXT_CHARS), start):
        return "limit"
    return "bound" if _BOUND.search(text, max(0, start - CONTEXT_CHARS), start) else None
