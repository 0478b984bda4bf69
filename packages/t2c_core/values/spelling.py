"""Misspelt values: which words of a question may be slips, and what they may have meant.

Holds no judgement on whether a corrected run names a value (see `mentions`).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from t2c_core.values.vocabulary import COMMON_WORDS, SchemaWords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.values.index import ValueIndex
    from t2c_core.values.sentence import Run

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

    def correct(self, runs: list[Run], *, whole: bool = False) -> dict[str, Run]:
        """Give the corrected folded forms of runs that have misspelt words.

        Args:
            runs: runs of words of one question.
            whole: the run is surely meant as a value, so that plain words may be slips as well.
        """
        wrong = self._wrong_words({word for run in runs for word in run.form.split()}, whole=whole)
        corrected: dict[str, Run] = {}
        for run in runs if wrong else ():
            cut = run.form.split()
            slips = [position for position, word in enumerate(cut) if word in wrong][:MAX_WRONG_WORDS]
            if not slips or (len(cut) == 1 and not whole and self._schema_words.near(run.form)):
                continue
            for spellings in product(*(wrong[cut[position]] for position in slips)):
                for position, spelling in zip(slips, spellings, strict=True):
                    cut[position] = spelling
                corrected.setdefault(" ".join(cut), run)
        known = self._index.forms(corrected)
        return {form: run for form, run in corrected.items() if form in known}

    def _wrong_words(self, asked: Iterable[str], *, whole: bool) -> dict[str, list[str]]:
        """Find spellings for words that no value has and that are neither plain English nor of the schema."""
        asked = sorted(asked)
        known = self._index.known_words({form for word in asked for form in (word, *_endings(word))})
        wrong: dict[str, list[str]] = {}
        for word in asked:
            meant = not whole and (word in COMMON_WORDS or self._schema_words.holds(word))
            if meant or not word.isalpha() or known.intersection((word, *_endings(word))):
                continue
            if spellings := self._index.spellings(word):
                wrong[word] = spellings
        return wrong


def _endings(word: str) -> tuple[str, ...]:
    return (word + "s", *(word.removesuffix(each) for each in ("s", "es", "ly")))
