"""Misspelt values: which words of a question may be slips, and what they may have meant.

Holds no judgement on whether a corrected run names a value (see `mentions`).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from t2c_core.values.stopwords import STOPWORDS, SchemaWords

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from t2c_core.values.index import ValueIndex
    from t2c_core.values.tokenized_question import TokenSpan

MAX_WRONG_WORDS = 3


class SpellingCorrector:
    """Corrects words of a question to words of values.

    Args:
        index: the graph's values.
        schema_words: words that are spelt as meant.
    """

    def __init__(self, index: ValueIndex, schema_words: SchemaWords) -> None:
        self._index = index
        self._schema_words = schema_words

    def wrong_words(self, words: Iterable[str], *, quoted: bool = False) -> dict[str, list[str]]:
        """Find spellings for words that no value has and that are neither plain English nor of the schema.

        Args:
            words: folded words.
            quoted: they are surely meant as a value, so that plain words may be slips as well.
        """
        asked = dict.fromkeys(word for word in words if any(each.isalpha() for each in word))
        known = self._index.prefix_lengths(form for word in asked for form in (word, *_endings(word)))
        wrong: dict[str, list[str]] = {}
        for word in asked:
            meant = not quoted and (word in STOPWORDS or self._schema_words.holds(word))
            if meant or any(form in known for form in (word, *_endings(word))):
                continue
            if spellings := self._index.spelling_candidates(word):
                wrong[word] = spellings
        return wrong

    def correct(self, runs: Iterable[TokenSpan], wrong: Mapping[str, list[str]]) -> dict[str, TokenSpan]:
        """Give the folded forms of runs with their misspelt words corrected in every way.

        Args:
            runs: runs of words of one question.
            wrong: as `wrong_words` gives them.
        """
        corrected: dict[str, TokenSpan] = {}
        for run in runs if wrong else ():
            cut = run.form.split()
            slips = [position for position, word in enumerate(cut) if word in wrong][:MAX_WRONG_WORDS]
            for spellings in product(*(wrong[cut[position]] for position in slips)) if slips else ():
                right = list(cut)
                for position, spelling in zip(slips, spellings, strict=True):
                    right[position] = spelling
                corrected.setdefault(" ".join(right), run)
        return corrected


def _endings(word: str) -> tuple[str, ...]:
    return (word + "s", *(word.removesuffix(each) for each in ("s", "es", "ly")))
