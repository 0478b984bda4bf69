"""Entity linking: where a question names values of the graph, numbers, dates or quoted text.

A linked mention becomes a query parameter, so that a model never copies a literal. All occurrences of the value are
kept; the query decides which of them is meant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.values.mention_candidates import LinkKind, MentionFinder

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.locales import Locale
    from t2c_core.values.mention_candidates import MentionCandidate
    from t2c_core.values.sqlite_store import EntityType, IndexedValue


MAX_OCCURRENCES = 16
MAX_SPELLINGS = 4
"""Maximum number of spellings of a value in one property."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A property in which a value occurs."""

    label_or_type: str
    """Node label or relationship type."""
    property: str
    entity_type: EntityType
    value: Scalar
    """Value as stored in the graph."""


@dataclass(frozen=True, slots=True)
class LinkedMention:
    """A resolved mention in a question."""

    name: str
    """`v1`, `v2`, … in order of occurrence."""
    start: int
    end: int
    text: str
    """`question[start:end]`, quotes included."""
    kind: LinkKind
    """Kind of the mention. A number, year, month or date that occurs in the graph has occurrences too."""
    occurrences: tuple[Occurrence, ...]
    """Properties in which the value occurs, best first."""
    value: Scalar
    """Value in the question: a number, an ISO date, a month from 1 to 12, or the text without quotes."""

    @property
    def may_occur_elsewhere(self) -> bool:
        """Whether there may be more occurrences than `occurrences`, which has a maximum length."""
        return self.kind == "value" and not 0 < len(self.occurrences) < MAX_OCCURRENCES

    @property
    def is_proper_name(self) -> bool:
        """Whether it is unlikely to be an ordinary word: quoted, of several words, or with capitals inside."""
        if self.kind != "value" or not isinstance(self.value, str):
            return False
        inside = self.text[1:] if self.start == 0 else self.text
        return self.text != self.value or " " in self.text or not inside.islower()


@dataclass(frozen=True, slots=True)
class LinkedQuestion:
    """A question and its linked mentions, in order and without overlap."""

    question: str
    links: tuple[LinkedMention, ...]
    locale: Locale = "en"
    """How numbers and dates are written in the question."""

    def parameters(self) -> dict[str, Scalar]:
        """Return the default value of each link: the graph's spelling of a value, else the value in the question."""
        return {
            each.name: each.occurrences[0].value if each.kind == "value" and each.occurrences else each.value
            for each in self.links
        }


class Linker:
    """Links questions to one graph; safe to share between threads.

    Args:
        index: value index of the graph.
        schema: schema of the graph, whose words are not linked as values.
        locale: how numbers and dates are written in questions.
    """

    def __init__(self, index: ValueIndex, schema: GraphSchema, *, locale: Locale = "en") -> None:
        self._finder = MentionFinder(index, schema, locale=locale)
        self._locale: Locale = locale

    def link(self, question: str) -> LinkedQuestion:
        """Return a question with its linked mentions."""
        chosen: list[MentionCandidate] = []
        taken = bytearray(len(question))
        for mention in sorted(self._finder.find(question), key=_priority):
            if not any(taken[mention.start : mention.end]):
                taken[mention.start : mention.end] = b"x" * (mention.end - mention.start)
                chosen.append(mention)
        chosen.sort(key=lambda each: each.start)
        links = (
            LinkedMention(
                name=f"v{number}",
                start=each.start,
                end=each.end,
                text=question[each.start : each.end],
                kind=each.kind,
                occurrences=_occurrences(each.candidates),
                value=each.value,
            )
            for number, each in enumerate(chosen, start=1)
        )
        return LinkedQuestion(question, tuple(links), self._locale)


def _priority(mention: MentionCandidate) -> tuple[bool, int, bool, bool, int]:
    """Return a sort key: quoted mentions first, then longer ones, then exact ones, then values before numbers."""
    return (
        not mention.quoted,
        mention.start - mention.end,
        not mention.is_exact,
        mention.kind in {"value", "text"} and not mention.candidates,
        mention.start,
    )


def _occurrences(values: tuple[IndexedValue, ...]) -> tuple[Occurrence, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    occurrences: list[Occurrence] = []
    for each in values:
        counts[each.label_or_type, each.property] += 1
        if counts[each.label_or_type, each.property] <= MAX_SPELLINGS:
            occurrences.append(Occurrence(each.label_or_type, each.property, each.entity_type, each.value))
    return tuple(occurrences[:MAX_OCCURRENCES])
