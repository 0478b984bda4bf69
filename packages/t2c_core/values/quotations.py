"""Quoted parts of a question: a value, a misspelt value, several values, a number or date, or just text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from t2c_core.values.context_cues import is_substring_cue
from t2c_core.values.literals import find_literals
from t2c_core.values.mention_candidates import MentionCandidate, rank_candidates
from t2c_core.values.normalization import fold
from t2c_core.values.tokenized_question import TokenSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from t2c_core.values.index import ValueIndex
    from t2c_core.values.literals import LiteralMention, Quotation
    from t2c_core.values.spelling import SpellingCorrector
    from t2c_core.values.sqlite_store import IndexedValue
    from t2c_core.values.stopwords import SchemaWords
    from t2c_core.values.tokenized_question import TokenizedQuestion

MIN_SIMILAR = 84.0


class QuotationReader:
    """Reads quoted parts with an index and a schema.

    Args:
        index: the graph's values.
        schema_words: names of the schema are quoted, too, and are no values.
        corrector: for misspelt words.
        literal: reads a number or date of a sentence.
    """

    def __init__(
        self,
        index: ValueIndex,
        schema_words: SchemaWords,
        corrector: SpellingCorrector,
        literal: Callable[[TokenizedQuestion, LiteralMention], MentionCandidate],
    ) -> None:
        self._index = index
        self._schema_words = schema_words
        self._corrector = corrector
        self._literal = literal

    def choose(self, ends: list[Quotation]) -> Quotation:
        """Choose among the possible ends of a quotation: the farthest that makes a value, then a name."""
        if len(ends) == 1:
            return ends[0]
        known = self._index.forms([fold(each.content) for each in ends])
        values = [each for each in ends if fold(each.content) in known]
        names = [each for each in ends if self._schema_words.is_name(each.content)]
        plain = [each for each in ends if not each.inside_word]
        return (values[-1:] or names[:1] or plain[:1] or ends[:1])[0]

    def read(self, sentence: TokenizedQuestion, quotation: Quotation) -> Iterator[MentionCandidate]:
        """Read one quoted part; nothing comes of a name of the schema."""
        start, end, content = quotation.start, quotation.end, quotation.content
        hits = self._index.forms([fold(content)]).get(fold(content), ())
        inner = [each for each in find_literals(content) if (each.start, each.end) == (0, len(content))]
        found = MentionCandidate(start, end, "text", content, quoted=True)
        if is_substring_cue(sentence.text, start, end):
            exact = tuple(hit for hit in hits if hit.value == content)
            yield replace(found, kind="value" if exact else "text", candidates=exact)
        elif hits and not (inner and inner[0].kind in {"date", "year"}):
            yield replace(found, kind="value", candidates=rank_candidates(sentence, start, end, hits))
        elif inner:
            yield replace(self._literal(sentence, replace(inner[0], start=start, end=end)), quoted=True)
        elif not self._schema_words.is_name(content):
            yield from self._inexact(sentence, found)

    def _inexact(self, sentence: TokenizedQuestion, found: MentionCandidate) -> Iterator[MentionCandidate]:
        run = sentence.run(found.start, found.end)
        hits = self._corrected(run) if run else ()
        several = self._several(sentence, run) if run and not hits else []
        if several:
            yield from several
            return
        if not hits:
            near = [each.folded for each in self._index.fuzzy(str(found.value), cutoff=MIN_SIMILAR)]
            known = self._index.forms(near)
            hits = tuple(hit for form in near for hit in known[form])
        yield replace(found, kind="value" if hits else "text", candidates=hits, is_exact=False)

    def _corrected(self, run: TokenSpan) -> tuple[IndexedValue, ...]:
        wrong = self._corrector.wrong_words(run.form.split(), quoted=True)
        corrected = self._corrector.correct([run], wrong)
        return tuple(hit for hits in self._index.forms(corrected).values() for hit in hits)

    def _several(self, sentence: TokenizedQuestion, run: TokenSpan) -> list[MentionCandidate]:
        """Take `'House Frey'` as `Frey`, `'Tom Hanks'` as two values, if that leaves nothing but names."""
        found: list[MentionCandidate] = []
        words = run.form.split()
        first = 0
        while first < len(words):
            forms = {" ".join(words[first:last]): last for last in range(first + 1, len(words) + 1)}
            known = self._index.forms(forms)
            longest = max(known, key=len, default=None)
            if longest is None:
                if not self._schema_words.holds(words[first]):
                    return []
                first += 1
                continue
            part = TokenSpan(run.first + first, run.first + forms[longest] - 1, longest)
            start, end = sentence.words[part.first].start, sentence.words[part.last].end
            hits = rank_candidates(sentence, start, end, known[longest])
            found.append(MentionCandidate(start, end, "value", sentence.text[start:end], hits, quoted=True))
            first = forms[longest]
        return found
