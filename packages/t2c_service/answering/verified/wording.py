"""Wordings of a question with placeholders, and the questions that have a wording.

Case, accents, punctuation and whitespace are ignored; every word has to be there, and in its order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from t2c_core.values.normalization import fold, words

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PLACEHOLDERS = 4
MAX_PLACEHOLDER_WORDS = 12
"""Maximum number of words that a placeholder takes."""
PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
SYMBOLS = re.compile(r"[<>=≤≥≠±]+")
"""Signs that change the meaning of a question; other punctuation does not."""
_POSSESSIVE = re.compile(r"['’]s", re.IGNORECASE)
_ADJACENT = re.compile(r"\}\s*\{")
_INSIDE_WORD = re.compile(r"\w\{|\}\w")
_EDGES = " \t.,;:!?"


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign of a text: `text[start:end]`, and the form in which it is compared."""

    start: int
    end: int
    form: str


@dataclass(frozen=True, slots=True)
class Filling:
    """The part of a question that stands for a placeholder: `question[start:end]`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A wording: words to find, and names of placeholders between them."""

    form: tuple[str | None, ...]
    """Words in order; None for a placeholder."""
    placeholders: tuple[str, ...]
    """Names of the placeholders in order."""

    @classmethod
    def parse(cls, text: str) -> Wording:
        """Read a wording.

        Raises:
            ValueError: the wording has no words, or its placeholders are ambiguous.
        """
        names = PLACEHOLDER.findall(text)
        if len(names) > MAX_PLACEHOLDERS or len(set(names)) < len(names):
            raise ValueError(f"{text!r}: expected at most {MAX_PLACEHOLDERS} placeholders, all different")
        if _ADJACENT.search(text) or _INSIDE_WORD.search(text):
            raise ValueError(f"{text!r}: a placeholder needs spaces around it, and words before the next one")
        form: list[str | None] = []
        position = 0
        for found in PLACEHOLDER.finditer(text):
            form += [*(each.form for each in tokenize(text[position : found.start()])), None]
            position = found.end()
        form += [each.form for each in tokenize(text[position:])]
        if "{" in PLACEHOLDER.sub("", text) or "}" in PLACEHOLDER.sub("", text):
            raise ValueError(
                f"{text!r}: a placeholder is the name of a parameter in braces, such as {{name}}"
            )
        if all(each is None for each in form):
            raise ValueError(f"{text!r} has no words")
        if any(one is None and other is None for one, other in pairwise(form)):
            raise ValueError(f"{text!r}: two placeholders need a word between them")
        return cls(tuple(form), tuple(names))

    def fillings(self, question: str, tokens: list[Token]) -> Iterator[dict[str, Filling]]:
        """Yield the ways in which a question has this wording.

        Args:
            question: text of the question.
            tokens: tokens of the question.
        """
        for bounds in self._splits([each.form for each in tokens], 0, 0):
            edges = [(0, 0), *((each.start, each.end) for each in tokens), (len(question), len(question))]
            found = {}
            for name, (first, last) in zip(self.placeholders, bounds, strict=True):
                start, end = edges[first][1], edges[last + 1][0]
                text = question[start:end]
                start += len(text) - len(text.lstrip(_EDGES))
                found[name] = Filling(start, start + len(text.strip(_EDGES)), text.strip(_EDGES))
            yield found

    def _splits(self, forms: list[str], position: int, index: int) -> Iterator[tuple[tuple[int, int], ...]]:
        """Yield, for each placeholder from `index` of the form on, the tokens that it may take: first and end."""
        while index < len(self.form) and self.form[index] is not None:
            if position >= len(forms) or forms[position] != self.form[index]:
                return
            position, index = position + 1, index + 1
        if index == len(self.form):
            if position == len(forms):
                yield ()
            return
        fixed = len(self.form) - index - 1
        for end in range(position + 1, min(position + MAX_PLACEHOLDER_WORDS, len(forms) - fixed) + 1):
            for rest in self._splits(forms, end, index + 1):
                yield ((position, end), *rest)


def tokenize(text: str) -> list[Token]:
    """Split a text into words and signs; a possessive `'s` is a word of its own."""
    found: list[Token] = []
    for word in words(text):
        written = text[word.start : word.end]
        is_ending = written.lower() == "s" and word.start > 0 and text[word.start - 1] in "'’"
        if is_ending:
            found.append(Token(word.start - 1, word.end, "'s"))
        elif len(written) > 2 and _POSSESSIVE.fullmatch(written[-2:]):
            end = word.end - 2
            found += [Token(word.start, end, fold(text[word.start : end])), Token(end, word.end, "'s")]
        else:
            found.append(Token(word.start, word.end, word.folded))
    found += [Token(each.start(), each.end(), each[0]) for each in SYMBOLS.finditer(text)]
    return sorted(found, key=lambda each: each.start)
