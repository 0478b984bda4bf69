"""Candidate mentions in a question, each with the values it may stand for.

Mentions may overlap here; `link` chooses among them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from t2c_core.values.literals import Quotation, Reading, readings
from t2c_core.values.sentence import Run, Sentence
from t2c_core.values.spelling import SpellingCorrector
from t2c_core.values.vocabulary import COMMON_WORDS, SchemaWords, name_stems, near_common
from t2c_core.values.words import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.link import LinkKind
    from t2c_core.values.storage import IndexedValue

SIMILAR_QUOTED = 84.0
MAX_CODE_LETTERS = 2
MIN_MISSPELT_ALONE = 6
LONG_DIGITS = 5
LEAD = 60
"""Characters before a mention that are looked at for words that tell how it is meant."""
MIN_ENDING = 4

_GENDERS = {
    "male": ("m",), "males": ("m",), "man": ("m", "male"), "men": ("m", "male"),
    "female": ("f",), "females": ("f",), "woman": ("f", "female"), "women": ("f", "female"),
}  # fmt: skip
_ENDINGS = {"ies": ("y", "ie"), "es": ("e", ""), "s": ("", "ses"), "ly": ("",)}
_GENDER_STEMS = {"gender", "sex"}
_PART_OF = (
    r"\b(?:{}contain(?:s|ing|ed)?|(?:start|begin|end|prefix|suffix)(?:s|ed|ing|ning)?\s+(?:with|in|by))"
    r"(?:\s+the)?+(?:\s+(?:letters?|words?|text|string|phrase|substring|prefix|suffix|characters?)\b)?+"
)
_PART_END = re.compile(_PART_OF.format("like|includ(?:es|ing)|matching|") + r"\s*$", re.IGNORECASE)
_PART_WORD = re.compile(
    _PART_OF.format("") + r"\s+(?P<word>[^\s'\"“‘(),;?!]+?)(?=[.,;?!)]*(?:\s|$))", re.IGNORECASE
)
_LIMIT_OR_BOUND = re.compile(
    r"\b(?:top|first|last|bottom|best|limit|than|least|most|over|under|above|below|exceed(?:s|ing)?|between"
    r"|up\s+to|older|younger|aged?|maximum|minimum|only|exactly|from|within)(?:\s+(?:of|is|the))?\s*$",
    re.IGNORECASE,
)
_LIMITS = ("top", "first", "last", "bottom", "best", "limit")


@dataclass(frozen=True, slots=True)
class Mention:
    """`question[start:end]`, read as `value`, which may stand for any of `hits`."""

    start: int
    end: int
    kind: LinkKind
    value: Scalar
    hits: tuple[IndexedValue, ...] = ()
    """Best first."""
    quoted: bool = False
    sure: bool = True
    """Whether it is written like the value, but for case, endings and the like."""


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

    def find(self, question: str) -> Iterator[Mention]:
        """Find all mentions that may be linked, overlapping ones included."""
        sentence = Sentence(question)
        quoted = sentence.quoted(self._choose)
        for quotation in quoted:
            yield from self._quoted(sentence, quotation)
        yield from (self._literal(sentence, each) for each in readings(question))
        free = sentence.free(quoted)
        wrong = self._corrector.wrong_words(sentence.words[position].folded for position in free)
        runs = list(sentence.runs(free, self._reach(sentence, free, wrong)))
        yield from self._values(sentence, runs)
        yield from self._misspelt(sentence, runs, wrong)
        yield from self._texts(sentence)

    def _reach(
        self, sentence: Sentence, free: list[int], wrong: Mapping[str, list[str]]
    ) -> Callable[[str], int]:
        """Tell how long a value may be that begins with a word, or with what it may be a misspelling of."""
        words = {sentence.words[position].folded for position in free}
        openings = self._index.openings({*words, *(each for some in wrong.values() for each in some)})

        def reach(word: str) -> int:
            if word.isdigit():
                return self._index.max_words
            return max(openings.get(each, 0) for each in (word, *wrong.get(word, ())))

        return reach

    def _choose(self, ends: list[Quotation]) -> Quotation:
        """Choose among the possible ends of a quotation: the farthest that makes a value, then a name."""
        if len(ends) == 1:
            return ends[0]
        known = self._index.forms([fold(each.content) for each in ends])
        values = [each for each in ends if fold(each.content) in known]
        names = [each for each in ends if self._schema_words.is_name(each.content)]
        plain = [each for each in ends if not each.inside_word]
        return (values[-1:] or names[:1] or plain[:1] or ends[:1])[0]

    def _quoted(self, sentence: Sentence, quotation: Quotation) -> Iterator[Mention]:
        content = quotation.content
        part = _PART_END.search(sentence.text, max(0, quotation.start - LEAD), quotation.start)
        hits = self._index.forms([fold(content)]).get(fold(content), ())
        inner = [each for each in readings(content) if (each.start, each.end) == (0, len(content))]
        day = inner and inner[0].kind in {"date", "year"}
        found = Mention(quotation.start, quotation.end, "text", content, quoted=True)
        if part:
            exact = tuple(hit for hit in hits if hit.value == content)
            yield replace(found, kind="value" if exact else "text", hits=exact)
        elif hits and not day:
            yield replace(
                found, kind="value", hits=self._ranked(sentence, quotation.start, quotation.end, hits)
            )
        elif inner:
            reading = replace(inner[0], start=quotation.start, end=quotation.end)
            yield replace(self._literal(sentence, reading), quoted=True)
        elif not self._schema_words.is_name(content):
            similar = self._similar(sentence, quotation)
            yield replace(found, kind="value" if similar else "text", hits=similar, sure=False)

    def _similar(self, sentence: Sentence, quotation: Quotation) -> tuple[IndexedValue, ...]:
        run = sentence.run(quotation.start, quotation.end)
        wrong = self._corrector.wrong_words(run.form.split(), quoted=True) if run else {}
        corrected = self._corrector.correct([run] if run else [], wrong)
        hits = [hit for some in self._index.forms(corrected).values() for hit in some]
        if not hits:
            near = [each.folded for each in self._index.similar(quotation.content, cutoff=SIMILAR_QUOTED)]
            known = self._index.forms(near)
            hits = [hit for form in near for hit in known[form]]
        return tuple(hits)

    def _literal(self, sentence: Sentence, reading: Reading) -> Mention:
        forms = list(dict.fromkeys(fold(each) for each in _spellings(sentence, reading)))
        known = self._index.forms(forms)
        found = [hit for form in forms for hit in known.get(form, ())]
        kind: LinkKind = reading.kind
        bound = _LIMIT_OR_BOUND.search(sentence.text, max(0, reading.start - LEAD), reading.start)
        limit = bound is not None and bound[0].lower().startswith(_LIMITS)
        if limit:
            kind = "number" if kind == "year" else kind
            found = []
        elif bound and kind == "number":
            found = [hit for hit in found if isinstance(hit.value, (int, float))]
        hits = self._ranked(sentence, reading.start, reading.end, found)
        run = sentence.run(reading.start, reading.end)
        if kind == "number" and hits and run and not bound:
            near = sentence.near(run)
            pointed = any(near & name_stems(hit.property) for hit in hits)
            kind = "value" if pointed or reading.end - reading.start >= LONG_DIGITS else kind
        return Mention(reading.start, reading.end, kind, reading.value, hits)

    def _values(self, sentence: Sentence, runs: list[Run]) -> Iterator[Mention]:
        others = {run.form: _variants(run.form) for run in runs}
        known = self._index.forms([*others, *(each for some in others.values() for each in some)])
        for run in runs:
            hits = known.get(run.form) or tuple(
                hit for each in others[run.form] for hit in known.get(each, ()) if _may_vary(run.form, hit)
            )
            if hits and self._is_named(sentence, run, hits, varied=run.form not in known):
                yield self._mention(sentence, run, hits)

    def _is_named(
        self, sentence: Sentence, run: Run, hits: tuple[IndexedValue, ...], *, varied: bool
    ) -> bool:
        """Judge whether words that equal a value name it, or are just words."""
        inside = run.form.split()
        written = sentence.written(run)
        if all(each.isdigit() for each in inside):
            return len(inside) > 1 and any(hit.value == written for hit in hits)
        capital = sentence.cased and run.first and written not in {"A", "I"} and not written.islower()
        if capital and any(hit.value == written for hit in hits):
            return True
        if all(each in COMMON_WORDS or self._schema_words.holds(each) for each in inside):
            pointers = sentence.pointers(run)
            return not varied and any(pointers & _stems(hit) for hit in hits)
        if len("".join(inside)) <= MAX_CODE_LETTERS:
            near = sentence.near(run)
            return any(near & name_stems(hit.property) for hit in hits)
        return True

    def _misspelt(
        self, sentence: Sentence, runs: list[Run], wrong: Mapping[str, list[str]]
    ) -> Iterator[Mention]:
        corrected = self._corrector.correct(runs, wrong)
        found: dict[Run, tuple[IndexedValue, ...]] = {}
        for form, hits in self._index.forms(corrected).items():
            found[corrected[form]] = found.get(corrected[form], ()) + hits
        for run, hits in found.items():
            if run.first != run.last or self._is_slip(sentence, run, hits):
                yield replace(self._mention(sentence, run, hits), sure=False)

    def _is_slip(self, sentence: Sentence, run: Run, hits: tuple[IndexedValue, ...]) -> bool:
        """Judge whether a single word is a misspelt value: long, or near a word of its property."""
        if self._schema_words.near(run.form):
            return False
        near = sentence.near(run)
        long = len(run.form) >= MIN_MISSPELT_ALONE and not near_common(run.form)
        return long or any(near & _stems(hit) for hit in hits)

    def _texts(self, sentence: Sentence) -> Iterator[Mention]:
        """Take the word after "starts with", "containing" and the like as text."""
        for found in _PART_WORD.finditer(sentence.text):
            word = found["word"].lower()
            if word == "a" or not (word in COMMON_WORDS or self._schema_words.holds(word)):
                yield Mention(found.start("word"), found.end("word"), "text", found["word"], sure=False)

    def _mention(self, sentence: Sentence, run: Run, hits: tuple[IndexedValue, ...]) -> Mention:
        start, end = sentence.words[run.first].start, sentence.words[run.last].end
        return Mention(
            start, end, "value", sentence.text[start:end], self._ranked(sentence, start, end, hits)
        )

    def _ranked(
        self, sentence: Sentence, start: int, end: int, hits: Iterable[IndexedValue]
    ) -> tuple[IndexedValue, ...]:
        """Put values cased as written first, then those whose property is named nearby, then frequent."""
        run = sentence.run(start, end)
        near = sentence.near(run) if run else set()
        written = sentence.text[start:end].strip("'\"`‘’“”«»")

        def order(hit: IndexedValue) -> tuple[bool, int, int, str, str, str]:
            pointed = len(near & name_stems(hit.property)) + len(near & name_stems(hit.owner))
            return (str(hit.value) != written, -pointed, -hit.count, hit.owner, hit.property, str(hit.value))

        return tuple(sorted(hits, key=order))


def _variants(form: str) -> tuple[str, ...]:
    """Give other endings of the last word: plural, singular, adjective for adverb; letters for genders."""
    start, blank, last = form.rpartition(" ")
    return tuple(f"{start}{blank}{each}" for each in _other_endings(last)) if blank else _other_endings(form)


@lru_cache(maxsize=65_536)
def _other_endings(word: str) -> tuple[str, ...]:
    if word in _GENDERS or len(word) < MIN_ENDING:
        return _GENDERS.get(word, ())
    for ending, others in _ENDINGS.items():
        if word.endswith(ending):
            return tuple(word.removesuffix(ending) + each for each in others)
    return (word + "s", word + "es") if word[-1].isalpha() else ()


def _stems(hit: IndexedValue) -> frozenset[str]:
    return name_stems(hit.owner) | name_stems(hit.property)


def _may_vary(form: str, hit: IndexedValue) -> bool:
    return form not in _GENDERS or bool(name_stems(hit.property) & _GENDER_STEMS)


def _spellings(sentence: Sentence, reading: Reading) -> list[str]:
    value = reading.value
    written = sentence.text[reading.start : reading.end].strip("'\"")
    if reading.kind == "month":
        return [written]
    if isinstance(value, float):
        return [written, repr(value)] + ([str(int(value))] if value.is_integer() else [])
    return [written, str(value)] + ([f"{value}.0"] if isinstance(value, int) else [])
