"""Candidate mentions in a question, each with the values it may stand for and how much it counts.

Mentions may overlap here; `link` chooses among them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from t2c_core.values.literals import Quotation, Reading, quotations, readings
from t2c_core.values.vocabulary import COMMON_WORDS, SchemaWords, name_stems, stem
from t2c_core.values.words import Word, fold, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.link import LinkKind
    from t2c_core.values.storage import IndexedValue

QUOTED, PLAIN, MISSPELT = 3.0, 2.0, 1.0
SIMILAR_QUOTED = 84.0
CONTEXT_BEFORE, CONTEXT_AFTER = 3, 3
MAX_CODE_LETTERS = 2
MAX_MISSPELT_WORDS = 3
MIN_MISSPELT_ALONE = 5
LONG_DIGITS = 5

_PART_OF = re.compile(
    r"\b(?:contain(?:s|ing|ed)?|includ(?:es|ing)|like|match(?:es|ing)?"
    r"|(?:start|begin|end|prefix|suffix)(?:s|ed|ing|ning)?\s+(?:with|in|by))"
    r"(?:\s+the)?(?:\s+(?:letters?|words?|text|string|phrase|substring|prefix|suffix))?\s*$",
    re.IGNORECASE,
)
_LIMIT_OR_BOUND = re.compile(
    r"\b(?:top|first|last|bottom|best|limit|than|least|most|over|under|above|below|exceed(?:s|ing)?|between|up\s+to"
    r"|older|younger|aged?|maximum|minimum|only|exactly|from|within)(?:\s+(?:of|is|the))?\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """`question[start:end]`, read as `value`, which may stand for any of `hits`."""

    start: int
    end: int
    kind: LinkKind
    value: Scalar
    hits: tuple[IndexedValue, ...] = ()
    """Best first."""
    weight: float = PLAIN
    """Mentions of greater weight are chosen first, longer ones before shorter ones."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A question cut into words, and what its letters' case tells."""

    text: str
    words: list[Word]
    stems: list[str]
    cased: bool
    """Whether capitals mean something: some letters are capital, some small."""

    @classmethod
    def of(cls, text: str) -> _Sentence:
        cut = words(text)
        cased = any(each.islower() for each in text) and any(each.isupper() for each in text)
        return cls(text, cut, [stem(each.folded) for each in cut], cased)

    def around(self, first: int, last: int) -> set[str]:
        """Stems near the words first..last."""
        before = self.stems[max(0, first - CONTEXT_BEFORE) : first]
        return {*before, *self.stems[last + 1 : last + 1 + CONTEXT_AFTER]}

    def written(self, first: int, last: int) -> str:
        return self.text[self.words[first].start : self.words[last].end]


class MentionFinder:
    """Finds mentions with an index and a schema.

    Args:
        index: the graph's values.
        schema: the graph's schema.
    """

    def __init__(self, index: ValueIndex, schema: GraphSchema) -> None:
        self._index = index
        self._schema_words = SchemaWords(schema)

    def find(self, question: str) -> Iterator[Mention]:
        """Find all mentions that may be linked, overlapping ones included."""
        sentence = _Sentence.of(question)
        quoted = [self._choose(each) for each in quotations(question)]
        for each in quoted:
            yield from self._quoted(sentence, each)
        free = _unquoted(sentence, quoted)
        yield from self._literal(sentence, free)
        yield from self._values(sentence, free)
        yield from self._letters(sentence)

    def _choose(self, ends: list[Quotation]) -> Quotation:
        """Choose among the possible ends of a quotation: the longest that is a value, else the nearest."""
        if len(ends) == 1:
            return ends[0]
        known = self._index.forms([fold(each.content) for each in ends])
        return next((each for each in reversed(ends) if fold(each.content) in known), ends[0])

    def _quoted(self, sentence: _Sentence, quotation: Quotation) -> Iterator[Mention]:
        content = quotation.content
        found = Mention(quotation.start, quotation.end, "value", content, weight=QUOTED)
        part = _PART_OF.search(sentence.text, 0, quotation.start)
        hits = self._index.folded(content)
        inner = readings(content)
        if hits and (not part or any(hit.value == content for hit in hits)):
            yield replace(found, hits=self._ranked(hits, content, self._context(sentence, quotation)))
        elif len(inner) == 1 and (inner[0].start, inner[0].end) == (0, len(content)):
            yield from self._read(
                sentence, replace(inner[0], start=quotation.start, end=quotation.end), QUOTED
            )
        elif self._schema_words.is_name(content) and not part:
            return
        else:
            near = () if part else self._similar(content)
            yield replace(found, kind="value" if near else "text", hits=near)

    def _similar(self, text: str) -> tuple[IndexedValue, ...]:
        similar = self._index.similar(text, cutoff=SIMILAR_QUOTED)
        known = self._index.forms([each.folded for each in similar])
        return tuple(hit for each in similar for hit in known[each.folded])

    def _context(self, sentence: _Sentence, quotation: Quotation) -> set[str]:
        inside = [i for i, word in enumerate(sentence.words) if quotation.start <= word.start < quotation.end]
        return sentence.around(inside[0], inside[-1]) if inside else set()

    def _ranked(self, hits: Iterable[IndexedValue], written: str, near: set[str]) -> tuple[IndexedValue, ...]:
        """Put values cased as written first, then those whose property is named nearby, then frequent."""

        def order(hit: IndexedValue) -> tuple[bool, int, int, str, str, str]:
            pointed = len(near & name_stems(hit.property)) + len(near & name_stems(hit.owner))
            return (hit.value != written, -pointed, -hit.count, hit.owner, hit.property, str(hit.value))

        return tuple(sorted(hits, key=order))

    def _literal(self, sentence: _Sentence, free: list[bool]) -> Iterator[Mention]:
        for reading in readings(sentence.text):
            inside = [i for i, word in enumerate(sentence.words) if reading.start <= word.start < reading.end]
            if all(free[i] for i in inside):
                yield from self._read(sentence, reading, PLAIN)

    def _read(self, sentence: _Sentence, reading: Reading, weight: float) -> Iterator[Mention]:
        written = sentence.text[reading.start : reading.end]
        forms = [fold(each) for each in ([written] if reading.kind == "month" else _spellings(reading))]
        known = self._index.forms(forms)
        inside = [i for i, word in enumerate(sentence.words) if reading.start <= word.start < reading.end]
        near = sentence.around(inside[0], inside[-1]) if inside else set()
        hits = self._ranked((hit for form in forms for hit in known.get(form, ())), written, near)
        kind: LinkKind = reading.kind
        bound = _LIMIT_OR_BOUND.search(sentence.text, 0, reading.start)
        if bound and kind == "year" and bound[0].lower().startswith(("top", "first", "limit")):
            kind = "number"
        if kind == "number" and hits and not bound and _is_meant(hits, written, near):
            kind = "value"
        yield Mention(reading.start, reading.end, kind, reading.value, hits, weight)

    def _values(self, sentence: _Sentence, free: list[bool]) -> Iterator[Mention]:
        runs = list(_runs(sentence, free, self._index.max_words))
        forms = dict(runs)
        variants = {span: _variants(form) for span, form in runs}
        known = self._index.forms([*forms.values(), *(each for some in variants.values() for each in some)])
        for (first, last), form in runs:
            hits = known.get(form) or tuple(
                hit for each in variants[first, last] for hit in known.get(each, ())
            )
            if hits and self._is_named(sentence, first, last, hits):
                yield self._mention(sentence, first, last, hits, PLAIN)
        yield from self._misspelt(sentence, runs)

    def _mention(
        self, sentence: _Sentence, first: int, last: int, hits: tuple[IndexedValue, ...], weight: float
    ) -> Mention:
        written = sentence.written(first, last)
        ranked = self._ranked(hits, written, sentence.around(first, last))
        return Mention(
            sentence.words[first].start, sentence.words[last].end, "value", written, ranked, weight
        )

    def _is_named(self, sentence: _Sentence, first: int, last: int, hits: tuple[IndexedValue, ...]) -> bool:
        """Judge whether words that equal a value name it, or are just words."""
        written = sentence.written(first, last)
        near = sentence.around(first, last)
        inside = [word.folded for word in sentence.words[first : last + 1]]
        if all(each.isdigit() for each in inside):
            return False
        exact = any(hit.value == written for hit in hits)
        pointed = any(near & name_stems(hit.property) for hit in hits)
        capital = sentence.cased and any(each.isupper() for each in written)
        if exact and capital and first > 0 and written not in {"A", "I"}:
            return True
        if len("".join(inside)) <= MAX_CODE_LETTERS:
            return pointed and not COMMON_WORDS.intersection(inside)
        plain = all(each in COMMON_WORDS or self._schema_words.holds(each) for each in inside)
        return not plain

    def _misspelt(self, sentence: _Sentence, runs: list[tuple[tuple[int, int], str]]) -> Iterator[Mention]:
        corrections = self._corrections([(first, form) for (first, last), form in runs if first == last])
        tried: dict[str, tuple[int, int]] = {}
        for (first, last), form in runs:
            wrong = sorted(corrections.keys() & range(first, last + 1))[:MAX_MISSPELT_WORDS]
            for spellings in product(*(corrections[position] for position in wrong)) if wrong else ():
                cut = form.split()
                for position, spelling in zip(wrong, spellings, strict=True):
                    cut[position - first] = spelling
                tried.setdefault(" ".join(cut), (first, last))
        for form, hits in self._index.forms(tried).items():
            first, last = tried[form]
            if first != last or len(form) >= MIN_MISSPELT_ALONE:
                yield self._mention(sentence, first, last, hits, MISSPELT)

    def _corrections(self, single: list[tuple[int, str]]) -> dict[int, list[str]]:
        """Find words of values for words that are neither such, nor plain English, nor of the schema."""
        known = self._index.known_words(each for _, form in single for each in (form, *_variants(form)))
        corrections: dict[int, list[str]] = {}
        for position, form in single:
            plain = form in COMMON_WORDS or not form.isalpha() or self._schema_words.holds(form)
            if plain or known.intersection((form, *_variants(form))) or self._schema_words.near(form):
                continue
            if spellings := self._index.spellings(form):
                corrections[position] = spellings
        return corrections

    def _letters(self, sentence: _Sentence) -> Iterator[Mention]:
        """Take the word after "starts with", "containing" and the like as text."""
        for word in sentence.words:
            if _PART_OF.search(sentence.text, 0, word.start) and word.folded not in COMMON_WORDS - {"a"}:
                yield Mention(
                    word.start, word.end, "text", sentence.text[word.start : word.end], (), MISSPELT
                )


def _unquoted(sentence: _Sentence, quoted: list[Quotation]) -> list[bool]:
    return [not any(each.start <= word.start < each.end for each in quoted) for word in sentence.words]


def _runs(sentence: _Sentence, free: list[bool], longest: int) -> Iterator[tuple[tuple[int, int], str]]:
    for first in range(len(sentence.words)):
        form = ""
        for last in range(first, min(first + longest, len(sentence.words))):
            if not free[last]:
                break
            form = f"{form} {sentence.words[last].folded}" if form else sentence.words[last].folded
            yield (first, last), form


def _variants(form: str) -> list[str]:
    """Other numbers of the last word: plural for singular and the reverse; adverb to adjective."""
    if len(form) < 4 or not form[-1].isalpha():
        return []
    if form.endswith("ies"):
        return [form[:-3] + "y", form[:-1]]
    if form.endswith("es"):
        return [form[:-1], form[:-2]]
    if form.endswith("s"):
        return [form[:-1], form + "es"]
    if form.endswith("ly"):
        return [form[:-2]]
    return [form + "s", form + "es"]


def _spellings(reading: Reading) -> list[str]:
    value = reading.value
    if isinstance(value, float):
        return [repr(value)] + ([str(int(value))] if value.is_integer() else [])
    return [str(value)] + ([f"{value}.0"] if isinstance(value, int) else [])


def _is_meant(hits: tuple[IndexedValue, ...], written: str, near: set[str]) -> bool:
    return len(written) >= LONG_DIGITS or any(near & name_stems(hit.property) for hit in hits)
