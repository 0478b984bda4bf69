"""Values that a question names by a part: "diabetes" for `Type 2 diabetes`, "Dr. Osman" for `Esther Osman`.

Only where few values have the part, as their last words (or their first, if a capital shows that it is a name), and
it is a good share of them. Holds no judgement
on other mentions (see `mentions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.values.stopwords import STOPWORDS, near_common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.values.index import ValueIndex
    from t2c_core.values.sqlite_store import IndexedValue
    from t2c_core.values.stopwords import SchemaWords
    from t2c_core.values.tokenized_question import TokenizedQuestion, TokenSpan

MIN_LETTERS = 5
MAX_WORDS = 3
MAX_FORMS = 4
"""Values that may share a part; one of more is not meant."""
MIN_SHARE = 0.35
"""Least share of a value's letters."""


class PartFinder:
    """Finds values by a part of their name.

    Args:
        index: the graph's values.
        schema_words: words that alone are no part of a name.
    """

    def __init__(self, index: ValueIndex, schema_words: SchemaWords) -> None:
        self._index = index
        self._schema_words = schema_words

    def find(
        self, sentence: TokenizedQuestion, runs: Iterable[TokenSpan], taken: frozenset[int]
    ) -> Iterator[tuple[TokenSpan, tuple[IndexedValue, ...]]]:
        """Find runs that are parts of values.

        Args:
            sentence: the question.
            runs: runs of free words of one question.
            taken: positions of words that something else explains.

        Yields:
            A run and the values that it may stand for.
        """
        asked = {run: run.form.split() for run in runs if taken.isdisjoint(range(run.first, run.last + 1))}
        asked = {run: cut for run, cut in asked.items() if len(cut) <= MAX_WORDS and self._is_telling(cut)}
        content = {max(filter(self._is_content, cut), key=len) for cut in asked.values()}
        known = {word: self._index.forms_containing(word) for word in sorted(content)}
        for run, cut in asked.items():
            longest = max(filter(self._is_content, cut), key=len)
            forms = [form for form in known[longest] if f" {run.form}" in f" {form}"]
            is_name = sentence.cased and run.first > 0 and sentence.surface_text(run)[0].isupper()
            if 0 < len(forms) <= MAX_FORMS and all(
                _is_part(run.form, form, is_name=is_name) for form in forms
            ):
                found = self._index.forms(forms)
                yield run, tuple(hit for form in forms for hit in found.get(form, ()))

    def _is_telling(self, cut: list[str]) -> bool:
        if any(word in STOPWORDS for word in (cut[0], cut[-1])):
            return False
        return any(self._is_content(word) for word in cut)

    def _is_content(self, word: str) -> bool:
        plain = word in STOPWORDS or self._schema_words.holds(word)
        return not plain and len(word) >= MIN_LETTERS and word.isalpha() and not near_common(word)


def _is_part(part: str, form: str, *, is_name: bool) -> bool:
    starts = form.startswith((part + " ", part + "s ") if is_name else part + "s ")
    ends = form.endswith((" " + part, " " + part + "s"))
    return (starts or ends) and len(part) >= MIN_SHARE * len(form)
