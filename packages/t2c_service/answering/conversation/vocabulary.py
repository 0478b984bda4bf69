"""Words of a graph by which a follow-up names properties, labels and relationship types.

They are the words of the lexicon and of the names in the schema, as stems.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.interpretation.words import split_identifier
from t2c_core.values.normalization import fold, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType

Stems = tuple[str, ...]

LIGHT = frozenset(
    """a an the that this those these who whom which is are was were be been being do does did has have had of their its
    his her it they he she them there please ones one and but so then now also too just only as well me us""".split()
)
"""Words without a meaning of their own; phrases are compared without them."""
MAX_CATEGORIES = 12
"""Maximum number of values of a property whose values are learnt as words."""
_AGREEMENT = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")
_MARKUP = re.compile(r"\{\w+\}|!unless .*|\bpre:")
_SLOT = "{}"
_DEGREE = re.compile(r"(?P<base>\w{2,}?)(?:i?est)")
_TRUE, _FALSE = "true", "false"


@dataclass(frozen=True, slots=True)
class PropertyOf:
    """A property of a label or relationship type."""

    owner: str
    key: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a phrase says: of which property, and how it is compared or ordered."""

    of: PropertyOf
    value: bool | str | None = None
    """The truth or category that the phrase stands for."""
    operator: str = ""
    """Operator of a comparison with the number or date behind the phrase."""
    is_high: bool | None = None
    """Whether a superlative means the high end."""


class Vocabulary:
    """Phrases of one graph, each with its meanings.

    Args:
        schema: names and types of the graph.
        lexicon: content of its lexicon file.
    """

    def __init__(self, schema: GraphSchema, lexicon: Mapping[str, Any] | None = None) -> None:
        self.schema = schema
        content = lexicon or {}
        self.nouns: dict[Stems, set[PropertyOf]] = defaultdict(set)
        self.verbs: dict[str, set[PropertyOf]] = defaultdict(set)
        """Properties by the words of their phrases, such as `hired` or `weighing`."""
        self.truths: dict[Stems, set[Meaning]] = defaultdict(set)
        self.extremes: dict[Stems, set[Meaning]] = defaultdict(set)
        self.comparisons: dict[Stems, set[Meaning]] = defaultdict(set)
        self.bare_dates: set[PropertyOf] = set()
        """Dates that a bare `in 2024` may mean."""
        self.label_nouns: dict[Stems, set[str]] = defaultdict(set)
        self.types: dict[str, set[str]] = defaultdict(set)
        """Relationship types by the words of their phrases."""
        properties = content.get("properties") or {}
        owners: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        for owner in owners:
            for each in owner.properties:
                self._learn_property(
                    PropertyOf(owner.name, each.name),
                    each,
                    (properties.get(owner.name) or {}).get(each.name) or {},
                )
        self._naming: dict[str, tuple[str, ...]] = {}
        labels = content.get("labels") or {}
        for label in schema.labels:
            self._learn_label(label, labels.get(label.name) or {})
        types = content.get("types") or {}
        for kind in schema.types:
            entries = [entry for key, entry in types.items() if key == kind.name or f"-{kind.name}->" in key]
            for text in (split_identifier(kind.name), *_texts(entries)):
                for word in _stems(_plain(text)):
                    self.types[word].add(kind.name)
        self.longest = max(
            (len(each) for each in (*self.nouns, *self.truths, *self.extremes, *self.comparisons)), default=1
        )

    def naming_property(self, label: str) -> str | None:
        """Return the property by whose value a node of a label is named, if there is one."""
        held = self.schema.label_by_name.get(label)
        known = [each.name for each in held.properties] if held else []
        return next(
            (each for each in self._naming.get(label, ()) if each in known), known[0] if known else None
        )

    def value_type(self, of: PropertyOf) -> str:
        """Return the type of what a property holds."""
        found = self.schema.property_of(of.owner, of.key)
        return found.value_type if found else ""

    def is_list(self, of: PropertyOf) -> bool:
        """Return whether a property holds lists."""
        return self.value_type(of).startswith("LIST")

    def is_number(self, of: PropertyOf) -> bool:
        """Return whether a property holds numbers."""
        return self.value_type(of) in {"INTEGER", "FLOAT"}

    def is_date(self, of: PropertyOf) -> bool:
        """Return whether a property holds dates."""
        return self.value_type(of) in {"DATE", "LOCAL DATETIME", "ZONED DATETIME"}

    def _learn_property(self, of: PropertyOf, held: Property, entry: Mapping[str, Any]) -> None:
        nouns = _list(entry.get("nouns"))
        for text in (split_identifier(of.key), of.key, *_alternatives(nouns)):
            self.nouns[_stems(text)].add(of)
        self._learn_truths(of, held, entry)
        self._learn_extremes(of, entry)
        for field, operator in (("greater_than", ">"), ("less_than", "<"), ("equals_phrases", "=")):
            for text in _list(entry.get(field)):
                self._learn_comparison(of, text, operator)
        for text in _list(entry.get("temporal_phrases")):
            if text.strip() == _SLOT:
                self.bare_dates.add(of)
            for word in _stems(_plain(text)):
                self.verbs[word].add(of)

    def _learn_truths(self, of: PropertyOf, held: Property, entry: Mapping[str, Any]) -> None:
        for field, value in (("true_phrases", True), ("false_phrases", False)):
            for text in _list(entry.get(field)):
                self._add(self.truths, text, Meaning(of, value))
        values = entry.get("values")
        for value, texts in (values if isinstance(values, dict) else {}).items():
            known = {_TRUE: True, _FALSE: False}.get(str(value), str(value))
            for text in _list(texts):
                self._add(self.truths, text, Meaning(of, known))
        if held.value_type == "STRING" and 0 < held.distinct <= MAX_CATEGORIES:
            for example in held.examples:
                self._add(self.truths, str(example), Meaning(of, str(example)))
        if held.value_type == "BOOLEAN":
            self._add(self.truths, split_identifier(of.key), Meaning(of, value=True))

    def _learn_extremes(self, of: PropertyOf, entry: Mapping[str, Any]) -> None:
        for field, is_high in (("superlative_max", True), ("superlative_min", False)):
            for text in _list(entry.get(field)):
                self._add(self.extremes, text, Meaning(of, is_high=is_high))
                if len(found := _words(text)) == 1 and (degree := _DEGREE.fullmatch(found[0])):
                    self.verbs[stem(degree["base"])].add(of)  # how tall, how old

    def _learn_comparison(self, of: PropertyOf, text: str, operator: str) -> None:
        before, slot, after = _plain(text, keep_slot=True).partition(_SLOT)
        if not slot:
            return
        if operator != "=":
            self.comparisons[(*_stems(before), _SLOT, *_stems(after))].add(Meaning(of, operator=operator))
        for word in (*_stems(before), *_stems(after)):
            if len(word) > 3:
                self.verbs[word].add(of)

    def _learn_label(self, label: NodeLabel, entry: Mapping[str, Any]) -> None:
        named_by = (entry.get("display_property"), *_list(entry.get("naming_properties")))
        self._naming[label.name] = tuple(str(key) for key in named_by if key) or ("name", "title")
        nouns = [*_list(entry.get("nouns")), *_list(entry.get("animate_nouns"))]
        for text in (split_identifier(label.name), *_alternatives(nouns)):
            self.label_nouns[_stems(text)].add(label.name)

    def _add(self, table: dict[Stems, set[Meaning]], text: str, meaning: Meaning) -> None:
        key = _stems(_plain(text))
        if key:
            table[key].add(meaning)


def content_stem(word: str) -> str:
    """Return the stem under which a word of a follow-up is looked up."""
    return word if word == _SLOT else stem(fold(word).replace(" ", ""))


def content_key(tokens: Iterable[str]) -> Stems:
    """Return the stems of words, without those that have no meaning of their own."""
    return tuple(content_stem(each) for each in tokens if each not in LIGHT)


def spans(tokens: list[str], longest: int, *, with_values: bool = False) -> Iterator[tuple[int, int, Stems]]:
    """Yield the spans of a text with their stems, the longest first; `{}` stands for a value.

    Args:
        tokens: words, and `#0`, `#1` for values.
        longest: maximum number of words with a meaning.
        with_values: whether spans with values are wanted.
    """
    for length in range(min(len(tokens), longest + 3), 0, -1):
        for start in range(len(tokens) - length + 1):
            span = tokens[start : start + length]
            has_value = any(each.startswith("#") for each in span)
            if span[0] in LIGHT or span[-1] in LIGHT or (has_value and not with_values):
                continue
            yield start, start + length, content_key("{}" if each.startswith("#") else each for each in span)


def _stems(text: str) -> Stems:
    return tuple(content_stem(each) for each in _words(text) if each not in LIGHT)


def _words(text: str) -> list[str]:
    return [each.folded for each in words(text)]


def _plain(text: str, *, keep_slot: bool = False) -> str:
    plain = _AGREEMENT.sub(r"\2", text)
    plain = _MARKUP.sub(" ", plain)
    return plain if keep_slot else plain.replace(_SLOT, " ")


def _list(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(each) for each in content or ()]


def _alternatives(nouns: Iterable[str]) -> Iterator[str]:
    for each in nouns:
        yield from each.split("|")


def _texts(content: Any) -> Iterator[str]:
    match content:
        case str():
            yield from content.split("|") if "[" not in content else (content,)
        case dict():
            for each in content.values():
                yield from _texts(each)
        case list():
            for each in content:
                yield from _texts(each)
