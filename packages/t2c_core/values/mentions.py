"""All that a question may name: quoted parts, numbers and dates, values as they are or misspelt.

Mentions may overlap here; `link` chooses among them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from t2c_core.values.context_cues import numeric_role_before, part_words
from t2c_core.values.literals import find_literals
from t2c_core.values.mention_candidates import MentionCandidate, holder_stems, rank_candidates
from t2c_core.values.normalization import fold
from t2c_core.values.partial_matches import MAX_WORDS, PartFinder
from t2c_core.values.quotations import QuotationReader
from t2c_core.values.spelling import SpellingCorrector
from t2c_core.values.stopwords import (
    DEGREE_ADVERBS,
    DESCRIBING_WORDS,
    STOPWORDS,
    SchemaWords,
    name_stems,
    near_common,
)
from t2c_core.values.tokenized_question import TokenizedQuestion
from t2c_core.values.word_forms import GENDERS, other_endings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from t2c_core.schema.model import GraphSchema
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.linker import LinkKind
    from t2c_core.values.literals import LiteralMention
    from t2c_core.values.sqlite_store import IndexedValue
    from t2c_core.values.tokenized_question import TokenSpan

MAX_CODE_LETTERS = 2
MIN_MISSPELT_ALONE = 6
LONG_DIGITS = 5

_PRONOUNS = frozenset({"us", "it", "who", "them"})
"""Words that are names after "the", in small letters as well."""
_GENDER_STEMS = {"gender", "sex"}
UNITS = frozenset({"unit"})


class MentionFinder:
    """Finds mentions with an index and a schema.

    Args:
        index: the graph's values.
        schema: the graph's schema.
    """

    def __init__(self, index: ValueIndex, schema: GraphSchema) -> None:
        self._index = index
        self._schema_words = SchemaWords(schema)
        self._corrector = SpellingCorrector(index, self._schema_words)
        self._parts = PartFinder(index, self._schema_words)
        self._holder_stems = _neighbour_stems(schema)
        self._quotations = QuotationReader(index, self._schema_words, self._corrector, self._literal)

    def find(self, question: str) -> Iterator[MentionCandidate]:
        """Find all mentions that may be linked, overlapping ones included."""
        sentence = TokenizedQuestion(question)
        quoted = sentence.quoted(self._quotations.choose)
        for quotation in quoted:
            yield from self._quotations.read(sentence, quotation)
        for reading in find_literals(question):
            yield self._literal(sentence, reading)
        free = sentence.unquoted_positions(quoted)
        wrong = self._corrector.wrong_words(sentence.words[position].folded for position in free)
        runs = list(sentence.spans(free, self._reach(sentence, free, wrong)))
        named = [*self._values(sentence, runs), *self._misspelt(sentence, runs, wrong)]
        yield from named
        parts = [
            MentionCandidate(*found.span("word"), "text", found["word"], is_exact=False)
            for found in part_words(question, self._schema_words)
        ]
        yield from parts
        yield from self._by_part(sentence, runs, [*named, *parts])

    def _by_part(
        self, sentence: TokenizedQuestion, runs: list[TokenSpan], named: list[MentionCandidate]
    ) -> Iterator[MentionCandidate]:
        """Find values by a part of their name, among words that nothing else explains."""
        explained = (sentence.run(each.start, each.end) for each in named)
        taken = frozenset(position for run in explained if run for position in range(run.first, run.last + 1))
        free = sorted({run.first for run in runs} - taken)
        few = list(sentence.spans(free, lambda _: MAX_WORDS))
        for run, hits in self._parts.find(sentence, few, taken):
            yield replace(_mention(sentence, run, hits), is_exact=False)

    def _reach(
        self, sentence: TokenizedQuestion, free: list[int], wrong: Mapping[str, list[str]]
    ) -> Callable[[str], int]:
        """Tell how long a value may be that begins with a word, or with what it may be a misspelling of."""
        words = {sentence.words[position].folded for position in free}
        openings = self._index.prefix_lengths({*words, *(each for some in wrong.values() for each in some)})

        def reach(word: str) -> int:
            if word.isdigit():
                return self._index.max_words
            return max(openings.get(each, 0) for each in (word, *wrong.get(word, ())))

        return reach

    def _literal(self, sentence: TokenizedQuestion, reading: LiteralMention) -> MentionCandidate:
        forms = list(dict.fromkeys(fold(each) for each in _spellings(sentence, reading)))
        known = self._index.forms(forms)
        found = [hit for form in forms for hit in known.get(form, ())]
        kind: LinkKind = reading.kind
        bound = numeric_role_before(sentence.text, reading.start)
        if bound == "limit":
            kind = "number" if kind == "year" else kind
            found = []
        elif bound and kind == "number":
            found = [hit for hit in found if isinstance(hit.value, (int, float))]
        hits = rank_candidates(sentence, reading.start, reading.end, found)
        run = sentence.run(reading.start, reading.end)
        if kind == "number" and hits and run and not bound:
            near = sentence.context_stems(run)
            pointed = any(near & name_stems(hit.property) for hit in hits)
            kind = "value" if pointed or len(str(reading.value)) >= LONG_DIGITS else kind
        return MentionCandidate(reading.start, reading.end, kind, reading.value, hits)

    def _values(self, sentence: TokenizedQuestion, runs: list[TokenSpan]) -> Iterator[MentionCandidate]:
        others = {run.form: other_endings(run.form) for run in runs}
        known = self._index.forms([*others, *(each for some in others.values() for each in some)])
        for run in runs:
            hits = known.get(run.form) or tuple(
                hit for each in others[run.form] for hit in known.get(each, ()) if _may_vary(run.form, hit)
            )
            if hits and self._is_named(sentence, run, hits, varied=run.form not in known):
                yield _mention(sentence, run, hits)

    def _is_named(
        self, sentence: TokenizedQuestion, run: TokenSpan, hits: tuple[IndexedValue, ...], *, varied: bool
    ) -> bool:
        """Judge whether words that equal a value name it, or are just words."""
        inside = run.form.split()
        written = sentence.surface_text(run)
        if all(each.isdigit() for each in inside):
            return len(inside) > 1 and any(hit.value == written for hit in hits)
        capital = sentence.cased and run.first and written not in {"A", "I"} and not written.islower()
        if capital and any(hit.value == written for hit in hits):
            return True
        if run.form in _PRONOUNS and sentence.follows(run, "the"):
            return True
        if self._is_plain(inside) or sentence.follows(run, "how"):
            pointers = sentence.head_stems(run)
            pointed = any(pointers & holder_stems(hit) for hit in hits)
            return not varied and (pointed or self._describes(sentence, run, hits))
        return len("".join(inside)) > MAX_CODE_LETTERS or _is_code(sentence, run, hits)

    def _describes(self, sentence: TokenizedQuestion, run: TokenSpan, hits: tuple[IndexedValue, ...]) -> bool:
        """Tell whether a plain adjective stands before the name of what has it as a value."""
        if run.form not in DESCRIBING_WORDS or any(sentence.follows(run, word) for word in DEGREE_ADVERBS):
            return False
        after = set(sentence.stems[run.last + 1 : run.last + 3])
        return any(after & self._holder_stems.get(hit.owner, frozenset()) for hit in hits)

    def _is_plain(self, inside: list[str]) -> bool:
        """Tell whether words are but plain English or names; several words of names may be a value."""
        if not all(each in STOPWORDS or self._schema_words.holds(each) for each in inside):
            return False
        several = len(inside) > 1 and not all(each in STOPWORDS for each in inside)
        return not several or self._schema_words.is_phrase(inside)

    def _misspelt(
        self, sentence: TokenizedQuestion, runs: list[TokenSpan], wrong: Mapping[str, list[str]]
    ) -> Iterator[MentionCandidate]:
        corrected = self._corrector.correct(runs, wrong)
        found: dict[TokenSpan, tuple[IndexedValue, ...]] = {}
        for form, hits in self._index.forms(corrected).items():
            found[corrected[form]] = found.get(corrected[form], ()) + hits
        for run, hits in found.items():
            if run.first != run.last or self._is_slip(sentence, run, hits):
                yield replace(_mention(sentence, run, hits), is_exact=False)

    def _is_slip(self, sentence: TokenizedQuestion, run: TokenSpan, hits: tuple[IndexedValue, ...]) -> bool:
        """Judge whether a single word is a misspelt value: long, or near a word of its property."""
        if self._schema_words.near(run.form):
            return any(sentence.head_stems(run) & holder_stems(hit) for hit in hits)
        near = sentence.context_stems(run)
        long = len(run.form) >= MIN_MISSPELT_ALONE and not near_common(run.form)
        return long or any(near & holder_stems(hit) for hit in hits)


def _is_code(sentence: TokenizedQuestion, run: TokenSpan, hits: tuple[IndexedValue, ...]) -> bool:
    """Tell whether one or two letters are a value: after "the", near its property's name, or a unit."""
    near = sentence.context_stems(run)
    if sentence.follows(run, "the") or any(near & name_stems(hit.property) for hit in hits):
        return True
    before = sentence.words[run.first - 1].folded if run.first else ""
    written = sentence.surface_text(run)
    measured = before == "in" or before[:1].isdigit()
    return measured and any(hit.value == written and name_stems(hit.property) & UNITS for hit in hits)


def _neighbour_stems(schema: GraphSchema) -> dict[str, frozenset[str]]:
    """Give the stems of the names of labels and types, of types those of the labels at their ends too."""
    stems = {each.name: name_stems(each.name) for each in schema.labels}
    stems |= {each.name: name_stems(each.name) for each in schema.types}
    for triple in schema.triples:
        ends = name_stems(triple.source) | name_stems(triple.target)
        stems[triple.type] = stems.get(triple.type, frozenset()) | ends
    return stems


def _mention(sentence: TokenizedQuestion, run: TokenSpan, hits: tuple[IndexedValue, ...]) -> MentionCandidate:
    start, end = sentence.words[run.first].start, sentence.words[run.last].end
    signed = sentence.text[start : end + 1]
    if any(hit.value == signed for hit in hits) and not sentence.text[end + 1 : end + 2].isalnum():
        end += 1
    return MentionCandidate(
        start, end, "value", sentence.text[start:end], rank_candidates(sentence, start, end, hits)
    )


def _may_vary(form: str, hit: IndexedValue) -> bool:
    return form not in GENDERS or bool(name_stems(hit.property) & _GENDER_STEMS)


def _spellings(sentence: TokenizedQuestion, reading: LiteralMention) -> list[str]:
    value = reading.value
    written = sentence.text[reading.start : reading.end].strip("'\"")
    if reading.kind == "month":
        return [written]
    if isinstance(value, float):
        return [written, repr(value)] + ([str(int(value))] if value.is_integer() else [])
    return [written, str(value)] + ([f"{value}.0"] if isinstance(value, int) else [])
