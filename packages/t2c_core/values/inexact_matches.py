"""Values that a question names inexactly: misspelled, or by a part of the name.

A part is "diabetes" for `Type 2 diabetes` or "Dr. Osman" for `Esther Osman`. It must be the last words of the value (or
the first, if capitals show that it is a name), a large fraction of the value, and in few values.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from t2c_core.values.stopwords import STOPWORDS, SchemaWords, resembles_stopword

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from t2c_core.values.index import IndexedValue, ValueIndex
    from t2c_core.values.tokenized_question import TokenizedQuestion, TokenSpan

MAX_MISSPELLED_WORDS = 3
MIN_PART_LETTERS = 5
MAX_PART_WORDS = 3
MAX_PART_FORMS = 4
"""Maximum number of values with the same part; a part of more values is not linked."""
MIN_PART_RATIO = 0.35
"""Minimum ratio of the length of a part to the length of its value."""


class SpellingCorrector:
    """Corrects words of a question to words of values.

    Args:
        index: value index of the graph.
        schema_words: words that are not misspelled.
    """

    def __init__(self, index: ValueIndex, schema_words: SchemaWords) -> None:
        self._index = index
        self._schema_words = schema_words

    def corrections(self, words: Iterable[str], *, quoted: bool = False) -> dict[str, list[str]]:
        """Return spellings for words that are in no value and are neither stop words nor words of the schema.

        Args:
            words: normalized words.
            quoted: whether the words are a quoted value, so that stop words may be misspellings too.
        """
        asked = dict.fromkeys(word for word in words if any(each.isalpha() for each in word))
        known = self._index.prefix_lengths(form for word in asked for form in (word, *_inflected(word)))
        misspelled: dict[str, list[str]] = {}
        for word in asked:
            is_plain = not quoted and (word in STOPWORDS or self._schema_words.has(word))
            if is_plain or any(form in known for form in (word, *_inflected(word))):
                continue
            if spellings := self._index.spelling_candidates(word):
                misspelled[word] = spellings
        return misspelled

    def correct(
        self, spans: Iterable[TokenSpan], corrections: Mapping[str, list[str]]
    ) -> dict[str, TokenSpan]:
        """Return the normalized forms of spans, with every combination of corrections.

        Args:
            spans: spans of one question.
            corrections: spellings by misspelled word, as `corrections` returns them.
        """
        corrected: dict[str, TokenSpan] = {}
        for span in spans if corrections else ():
            words = span.form.split()
            positions = [position for position, word in enumerate(words) if word in corrections]
            positions = positions[:MAX_MISSPELLED_WORDS]
            choices = product(*(corrections[words[position]] for position in positions)) if positions else ()
            for spellings in choices:
                replaced = list(words)
                for position, spelling in zip(positions, spellings, strict=True):
                    replaced[position] = spelling
                corrected.setdefault(" ".join(replaced), span)
        return corrected


class PartialMatcher:
    """Finds values by a part of their name.

    Args:
        index: value index of the graph.
        schema_words: words that alone are no part of a name.
    """

    def __init__(self, index: ValueIndex, schema_words: SchemaWords) -> None:
        self._index = index
        self._schema_words = schema_words

    def find(
        self, question: TokenizedQuestion, spans: Iterable[TokenSpan], taken: frozenset[int]
    ) -> Iterator[tuple[TokenSpan, tuple[IndexedValue, ...]]]:
        """Yield spans that are parts of values, with these values.

        Args:
            question: the question.
            spans: spans of unquoted words.
            taken: positions of words that belong to other mentions.
        """
        asked = {
            span: span.form.split() for span in spans if taken.isdisjoint(range(span.first, span.last + 1))
        }
        asked = {
            span: words
            for span, words in asked.items()
            if len(words) <= MAX_PART_WORDS and self._is_informative(words)
        }
        longest = {span: max(filter(self._is_content, words), key=len) for span, words in asked.items()}
        forms_by_word = {word: self._index.forms_containing(word) for word in sorted({*longest.values()})}
        for span in asked:
            forms = [form for form in forms_by_word[longest[span]] if f" {span.form}" in f" {form}"]
            is_name = question.is_cased and span.first > 0 and question.surface_text(span)[0].isupper()
            if 0 < len(forms) <= MAX_PART_FORMS and all(
                _is_part(span.form, form, is_name=is_name) for form in forms
            ):
                found = self._index.forms(forms)
                yield span, tuple(hit for form in forms for hit in found.get(form, ()))

    def _is_informative(self, words: list[str]) -> bool:
        if any(word in STOPWORDS for word in (words[0], words[-1])):
            return False
        return any(self._is_content(word) for word in words)

    def _is_content(self, word: str) -> bool:
        if word in STOPWORDS or self._schema_words.has(word):
            return False
        return len(word) >= MIN_PART_LETTERS and word.isalpha() and not resembles_stopword(word)


def _inflected(word: str) -> tuple[str, ...]:
    return (word + "s", *(word.removesuffix(each) for each in ("s", "es", "ly")))


def _is_part(part: str, form: str, *, is_name: bool) -> bool:
    starts = form.startswith((part + " ", part + "s ") if is_name else part + "s ")
    ends = form.endswith((" " + part, " " + part + "s"))
    return (starts or ends) and len(part) >= MIN_PART_RATIO * len(form)
