"""Candidate mentions of a question: values as written or inexactly, quoted text, numbers and dates.

Candidates may overlap; `linker` selects among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from t2c_core.values.inexact_matches import MAX_PART_WORDS, PartialMatcher, SpellingCorrector
from t2c_core.values.literals import find_literals
from t2c_core.values.normalization import GENDERS, fold, is_unspaced, word_forms
from t2c_core.values.stopwords import (
    DEGREE_ADVERBS,
    DESCRIBING_WORDS,
    STOPWORDS,
    SchemaWords,
    name_stems,
    resembles_stopword,
)
from t2c_core.values.tokenized_question import (
    TokenizedQuestion,
    TokenSpan,
    is_substring_cue,
    numeric_role_before,
    substring_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.index import IndexedValue, ValueIndex
    from t2c_core.values.literals import LiteralMention, Quotation
    from t2c_core.values.locales import Locale

MAX_CODE_LETTERS = 2
MIN_MISSPELLED_LETTERS = 6
"""Minimum length of a single misspelled word that is linked without evidence from its context."""
MIN_ID_DIGITS = 5
"""Minimum length of a number that is linked to a value without evidence from its context."""
MIN_FUZZY_SCORE = 84.0

_PRONOUNS = frozenset({"us", "it", "who", "them"})
"""Words that are names after "the", even in lower case."""
_GENDER_STEMS = {"gender", "sex"}
_UNIT_STEMS = frozenset({"unit"})

LinkKind = Literal["value", "number", "date", "year", "month", "text"]


@dataclass(frozen=True, slots=True)
class MentionCandidate:
    """A span `question[start:end]`, its value, and the values of the graph that it may stand for."""

    start: int
    end: int
    kind: LinkKind
    value: Scalar
    candidates: tuple[IndexedValue, ...] = ()
    """Best first."""
    quoted: bool = False
    is_exact: bool = True
    """Whether it is written like the value, except for case, inflection and the like."""


class MentionFinder:
    """Finds candidate mentions.

    Args:
        index: value index of the graph.
        schema: schema of the graph.
        locale: how numbers and dates are written.
    """

    def __init__(self, index: ValueIndex, schema: GraphSchema, *, locale: Locale = "en") -> None:
        self._index = index
        self._locale: Locale = locale
        self._schema_words = SchemaWords(schema)
        self._corrector = SpellingCorrector(index, self._schema_words)
        self._partial_matcher = PartialMatcher(index, self._schema_words)
        self._neighbour_stems = _neighbour_stems(schema)
        self._quotations = QuotationReader(index, self._schema_words, self._corrector, locale=locale)

    def find(self, text: str) -> Iterator[MentionCandidate]:
        """Yield all mentions that may be linked, including overlapping ones."""
        question = TokenizedQuestion(text)
        quotations = question.quotations(self._quotations.choose)
        for quotation in quotations:
            yield from self._quotations.read(question, quotation)
        for literal in find_literals(text, self._locale):
            yield _literal_candidate(self._index, question, literal)
        positions = question.unquoted_positions(quotations)
        corrections = self._corrector.corrections(question.words[each].folded for each in positions)
        spans = list(question.spans(positions, self._max_words(question, positions, corrections)))
        values = [*self._values(question, spans), *self._misspelled(question, spans, corrections)]
        yield from values
        substrings = [
            MentionCandidate(*found.span("word"), "text", found["word"], is_exact=False)
            for found in substring_words(text, self._schema_words)
        ]
        yield from substrings
        yield from self._partial(question, spans, [*values, *substrings])

    def _partial(
        self, question: TokenizedQuestion, spans: list[TokenSpan], mentions: list[MentionCandidate]
    ) -> Iterator[MentionCandidate]:
        """Yield values named by a part, among words that belong to no other mention."""
        mentioned = (question.span(each.start, each.end) for each in mentions)
        taken = frozenset(
            position for span in mentioned if span for position in range(span.first, span.last + 1)
        )
        positions = sorted({span.first for span in spans} - taken)
        short = list(question.spans(positions, lambda _: MAX_PART_WORDS))
        for span, hits in self._partial_matcher.find(question, short, taken):
            yield replace(_value_candidate(question, span, hits), is_exact=False)

    def _max_words(
        self, question: TokenizedQuestion, positions: list[int], corrections: Mapping[str, list[str]]
    ) -> Callable[[str], int]:
        """Return a function for the maximum length of a value that begins with a word or its corrections."""
        words = {question.words[position].folded for position in positions}
        lengths = self._index.prefix_lengths(
            {*words, *(each for some in corrections.values() for each in some)}
        )

        def max_words(word: str) -> int:
            if word.isdigit():
                return self._index.max_words
            return max(lengths.get(each, 0) for each in (word, *corrections.get(word, ())))

        return max_words

    def _values(self, question: TokenizedQuestion, spans: list[TokenSpan]) -> Iterator[MentionCandidate]:
        variants = {span.form: word_forms(span.form) for span in spans}
        known = self._index.forms([*variants, *(each for some in variants.values() for each in some)])
        for span in spans:
            hits = known.get(span.form) or tuple(
                hit
                for each in variants[span.form]
                for hit in known.get(each, ())
                if span.form not in GENDERS or name_stems(hit.property) & _GENDER_STEMS
            )
            if hits and self._is_mention(question, span, hits, inflected=span.form not in known):
                yield _value_candidate(question, span, hits)

    def _is_mention(
        self, question: TokenizedQuestion, span: TokenSpan, hits: tuple[IndexedValue, ...], *, inflected: bool
    ) -> bool:
        """Return whether words that equal a value name this value rather than being ordinary words."""
        words = span.form.split()
        written = question.surface_text(span)
        if all(each.isdigit() for each in words):
            return len(words) > 1 and any(hit.value == written for hit in hits)
        capitalized = question.is_cased and span.first and written not in {"A", "I"} and not written.islower()
        if capitalized and any(hit.value == written for hit in hits):
            return True
        if span.form in _PRONOUNS and question.follows(span, "the"):
            return True
        if self._is_plain(words) or question.follows(span, "how"):
            heads = question.head_stems(span)
            is_headed = any(heads & _property_stems(hit) for hit in hits)
            return not inflected and (is_headed or self._describes(question, span, hits))
        if len(words) > 1 and is_unspaced(words):
            return True
        return len("".join(words)) > MAX_CODE_LETTERS or _is_code(question, span, hits)

    def _describes(
        self, question: TokenizedQuestion, span: TokenSpan, hits: tuple[IndexedValue, ...]
    ) -> bool:
        """Return whether a describing word precedes the name of a label or type that has it as a value."""
        if span.form not in DESCRIBING_WORDS or any(question.follows(span, word) for word in DEGREE_ADVERBS):
            return False
        after = set(question.stems[span.last + 1 : span.last + 3])
        return any(after & self._neighbour_stems.get(hit.label_or_type, frozenset()) for hit in hits)

    def _is_plain(self, words: list[str]) -> bool:
        """Return whether words are stop words or one name of the schema; words of several names may be a value."""
        if not all(each in STOPWORDS or self._schema_words.has(each) for each in words):
            return False
        several = len(words) > 1 and not all(each in STOPWORDS for each in words)
        return not several or self._schema_words.is_phrase(words)

    def _misspelled(
        self, question: TokenizedQuestion, spans: list[TokenSpan], corrections: Mapping[str, list[str]]
    ) -> Iterator[MentionCandidate]:
        corrected = self._corrector.correct(spans, corrections)
        found: dict[TokenSpan, tuple[IndexedValue, ...]] = {}
        for form, hits in self._index.forms(corrected).items():
            found[corrected[form]] = found.get(corrected[form], ()) + hits
        for span, hits in found.items():
            if span.first != span.last or self._is_misspelled_value(question, span, hits):
                yield replace(_value_candidate(question, span, hits), is_exact=False)

    def _is_misspelled_value(
        self, question: TokenizedQuestion, span: TokenSpan, hits: tuple[IndexedValue, ...]
    ) -> bool:
        """Return whether a single word is a misspelled value: it is long, or its context names the property."""
        if self._schema_words.resembles(span.form):
            return any(question.head_stems(span) & _property_stems(hit) for hit in hits)
        context = question.context_stems(span)
        is_long = len(span.form) >= MIN_MISSPELLED_LETTERS and not resembles_stopword(span.form)
        return is_long or any(context & _property_stems(hit) for hit in hits)


class QuotationReader:
    """Interprets quoted parts: a value, a misspelled value, several values, a number or date, or text.

    Args:
        index: value index of the graph.
        schema_words: words of the schema, which are no values when quoted.
        corrector: corrector of misspelled words.
        locale: how numbers and dates are written.
    """

    def __init__(
        self,
        index: ValueIndex,
        schema_words: SchemaWords,
        corrector: SpellingCorrector,
        *,
        locale: Locale = "en",
    ) -> None:
        self._locale: Locale = locale
        self._index = index
        self._schema_words = schema_words
        self._corrector = corrector

    def choose(self, ends: list[Quotation]) -> Quotation:
        """Return the end of a quotation at which it is a value, else a name of the schema, else plain text."""
        if len(ends) == 1:
            return ends[0]
        known = self._index.forms([fold(each.content) for each in ends])
        values = [each for each in ends if fold(each.content) in known]
        names = [each for each in ends if self._schema_words.is_name(each.content)]
        plain = [each for each in ends if not each.inside_word]
        return (values[-1:] or names[:1] or plain[:1] or ends[:1])[0]

    def read(self, question: TokenizedQuestion, quotation: Quotation) -> Iterator[MentionCandidate]:
        """Yield the candidates for a quoted part; a name of the schema has none."""
        start, end, content = quotation.start, quotation.end, quotation.content
        hits = self._index.forms([fold(content)]).get(fold(content), ())
        literals = [
            each
            for each in find_literals(content, self._locale)
            if (each.start, each.end) == (0, len(content))
        ]
        found = MentionCandidate(start, end, "text", content, quoted=True)
        if is_substring_cue(question.text, start, end):
            exact = tuple(hit for hit in hits if hit.value == content)
            yield replace(found, kind="value" if exact else "text", candidates=exact)
        elif hits and not (literals and literals[0].kind in {"date", "year"}):
            yield replace(found, kind="value", candidates=rank_candidates(question, start, end, hits))
        elif literals:
            literal = replace(literals[0], start=start, end=end)
            yield replace(_literal_candidate(self._index, question, literal), quoted=True)
        elif not self._schema_words.is_name(content):
            yield from self._inexact(question, found)

    def _inexact(self, question: TokenizedQuestion, found: MentionCandidate) -> Iterator[MentionCandidate]:
        span = question.span(found.start, found.end)
        hits = self._corrected(span) if span else ()
        several = self._several(question, span) if span and not hits else []
        if several:
            yield from several
            return
        if not hits:
            near = [each.folded for each in self._index.fuzzy(str(found.value), cutoff=MIN_FUZZY_SCORE)]
            known = self._index.forms(near)
            hits = tuple(hit for form in near for hit in known[form])
        yield replace(found, kind="value" if hits else "text", candidates=hits, is_exact=False)

    def _corrected(self, span: TokenSpan) -> tuple[IndexedValue, ...]:
        corrections = self._corrector.corrections(span.form.split(), quoted=True)
        corrected = self._corrector.correct([span], corrections)
        return tuple(hit for hits in self._index.forms(corrected).values() for hit in hits)

    def _several(self, question: TokenizedQuestion, span: TokenSpan) -> list[MentionCandidate]:
        """Split `'House Frey'` into a name of the schema and `Frey`, or a quotation into several values."""
        found: list[MentionCandidate] = []
        words = span.form.split()
        first = 0
        while first < len(words):
            forms = {" ".join(words[first:last]): last for last in range(first + 1, len(words) + 1)}
            known = self._index.forms(forms)
            longest = max(known, key=len, default=None)
            if longest is None:
                if not self._schema_words.has(words[first]):
                    return []
                first += 1
                continue
            part = TokenSpan(span.first + first, span.first + forms[longest] - 1, longest)
            start, end = question.words[part.first].start, question.words[part.last].end
            hits = rank_candidates(question, start, end, known[longest])
            found.append(MentionCandidate(start, end, "value", question.text[start:end], hits, quoted=True))
            first = forms[longest]
        return found


def rank_candidates(
    question: TokenizedQuestion, start: int, end: int, candidates: Iterable[IndexedValue]
) -> tuple[IndexedValue, ...]:
    """Sort values: those spelled as in the question first, then by named properties, then by count."""
    span = question.span(start, end)
    context = question.context_stems(span) if span else set()
    written = question.text[start:end].strip("'\"`‘’“”«»")

    def order(hit: IndexedValue) -> tuple[bool, int, int, str, str, str]:
        named = len(context & name_stems(hit.property)) + len(context & name_stems(hit.label_or_type))
        return (
            str(hit.value) != written,
            -named,
            -hit.count,
            hit.label_or_type,
            hit.property,
            str(hit.value),
        )

    return tuple(sorted(candidates, key=order))


def _value_candidate(
    question: TokenizedQuestion, span: TokenSpan, hits: tuple[IndexedValue, ...]
) -> MentionCandidate:
    start, end = question.words[span.first].start, question.words[span.last].end
    with_sign = question.text[start : end + 1]
    if any(hit.value == with_sign for hit in hits) and not question.text[end + 1 : end + 2].isalnum():
        end += 1
    return MentionCandidate(
        start, end, "value", question.text[start:end], rank_candidates(question, start, end, hits)
    )


def _literal_candidate(
    index: ValueIndex, question: TokenizedQuestion, literal: LiteralMention
) -> MentionCandidate:
    forms = list(dict.fromkeys(fold(each) for each in _spellings(question, literal)))
    known = index.forms(forms)
    found = [hit for form in forms for hit in known.get(form, ())]
    kind: LinkKind = literal.kind
    role = numeric_role_before(question.text, literal.start)
    if role == "limit":
        kind = "number" if kind == "year" else kind
        found = []
    elif role and kind == "number":
        found = [hit for hit in found if isinstance(hit.value, (int, float))]
    hits = rank_candidates(question, literal.start, literal.end, found)
    span = question.span(literal.start, literal.end)
    if kind == "number" and hits and span and not role:
        context = question.context_stems(span)
        is_named = any(context & name_stems(hit.property) for hit in hits)
        kind = "value" if is_named or len(str(literal.value)) >= MIN_ID_DIGITS else kind
    return MentionCandidate(literal.start, literal.end, kind, literal.value, hits)


def _spellings(question: TokenizedQuestion, literal: LiteralMention) -> list[str]:
    """Return the texts under which the value of a literal may be in the index."""
    value = literal.value
    written = question.text[literal.start : literal.end].strip("'\"")
    if literal.kind == "month":
        return [written]
    if isinstance(value, float):
        return [written, repr(value)] + ([str(int(value))] if value.is_integer() else [])
    return [written, str(value)] + ([f"{value}.0"] if isinstance(value, int) else [])


def _is_code(question: TokenizedQuestion, span: TokenSpan, hits: tuple[IndexedValue, ...]) -> bool:
    """Return whether one or two letters are a value: after "the", near the name of the property, or as a unit."""
    context = question.context_stems(span)
    if question.follows(span, "the") or any(context & name_stems(hit.property) for hit in hits):
        return True
    before = question.words[span.first - 1].folded if span.first else ""
    written = question.surface_text(span)
    is_measure = before == "in" or before[:1].isdigit()
    return is_measure and any(hit.value == written and name_stems(hit.property) & _UNIT_STEMS for hit in hits)


def _property_stems(hit: IndexedValue) -> frozenset[str]:
    """Return the stems of the names of a value's property and of its label or type."""
    return name_stems(hit.label_or_type) | name_stems(hit.property)


def _neighbour_stems(schema: GraphSchema) -> dict[str, frozenset[str]]:
    """Return the stems of each label's name, and of each type's name and the labels at its ends."""
    stems = {each: name_stems(each) for each in (*schema.label_by_name, *schema.type_by_name)}
    for triple in schema.triples:
        ends = name_stems(triple.source) | name_stems(triple.target)
        stems[triple.type] = stems.get(triple.type, frozenset()) | ends
    return stems
