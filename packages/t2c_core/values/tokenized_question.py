"""A question cut into words, its quoted parts, and what stands around a run of words.

Holds no values: `mentions` looks runs up.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from t2c_core.values.literals import Quotation, find_quotations
from t2c_core.values.normalization import Word, words
from t2c_core.values.stopwords import FUNCTION_WORDS, stem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEAR_WORDS = 3


class TokenSpan(NamedTuple):
    """Words first..last of a sentence, and their folded form."""

    first: int
    last: int
    form: str


@dataclass(frozen=True)
class TokenizedQuestion:
    """A question with what its words, quotes and capitals tell.

    Args:
        text: the question as written.
    """

    text: str

    @cached_property
    def words(self) -> list[Word]:
        """Its words in order."""
        return words(self.text)

    @cached_property
    def stems(self) -> list[str]:
        """Stems of its words."""
        return [stem(each.folded) for each in self.words]

    @cached_property
    def cased(self) -> bool:
        """Whether capitals mean something: some letters are capital, some small."""
        return not self.text.islower() and not self.text.isupper()

    def quoted(self, choose: Callable[[list[Quotation]], Quotation]) -> list[Quotation]:
        """Find its quoted parts, of each the end that `choose` prefers."""
        found: list[Quotation] = []
        for ends in find_quotations(self.text):
            if not found or ends[0].start >= found[-1].end:
                found.append(choose(ends))
        return found

    def run(self, start: int, end: int) -> TokenSpan | None:
        """Give the words that begin in `text[start:end]`, if there are any."""
        first = bisect_left(self.words, start, key=attrgetter("start"))
        after = bisect_left(self.words, end, lo=first, key=attrgetter("start"))
        inside = self.words[first:after]
        return TokenSpan(first, after - 1, " ".join(each.folded for each in inside)) if inside else None

    def unquoted_positions(self, quoted: list[Quotation]) -> list[int]:
        """Give the positions of the words outside quotes."""
        taken = {
            position
            for each in quoted
            if (run := self.run(each.start, each.end))
            for position in range(run.first, run.last + 1)
        }
        return [position for position in range(len(self.words)) if position not in taken]

    def spans(self, unquoted_positions: list[int], reach: Callable[[str], int]) -> Iterator[TokenSpan]:
        """Give every run of these words that is not longer than its first word allows.

        Args:
            free: positions of the words that may be in runs.
            reach: how many words a run may have that begins with a folded word.
        """
        allowed = set(unquoted_positions)
        for first in unquoted_positions:
            form = self.words[first].folded
            yield TokenSpan(first, first, form)
            for last in range(first + 1, first + reach(form)):
                if last not in allowed:
                    break
                form = f"{form} {self.words[last].folded}"
                yield TokenSpan(first, last, form)

    def surface_text(self, run: TokenSpan) -> str:
        """Give a run as it is written."""
        return self.text[self.words[run.first].start : self.words[run.last].end]

    def context_stems(self, run: TokenSpan) -> set[str]:
        """Give the stems of the words around a run, and of neighbours written together."""
        before = self.stems[max(0, run.first - NEAR_WORDS) : run.first]
        after = self.stems[run.last + 1 : run.last + 1 + NEAR_WORDS]
        joined = [left + right for side in (before, after) for left, right in pairwise(side)]
        return {*before, *after, *joined}

    def follows(self, run: TokenSpan, word: str) -> bool:
        """Tell whether a run stands right after a word."""
        return run.first > 0 and self.words[run.first - 1].folded == word

    def head_stems(self, run: TokenSpan) -> set[str]:
        """Give the stems that say what a run is: `route` of "the route is X" or "X as the route"."""
        ways = [range(run.first - 1, -1, -1)]
        if [each.folded for each in self.words[run.last + 1 : run.last + 2]] == ["as"]:
            ways.append(range(run.last + 1, len(self.words)))
        found = (next((i for i in way if self.words[i].folded not in FUNCTION_WORDS), None) for way in ways)
        return {self.stems[position] for position in found if position is not None}
