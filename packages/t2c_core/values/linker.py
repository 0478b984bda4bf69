"""Where a question names values of the graph, numbers, dates or quoted text.

A linked mention leaves the text and becomes a parameter, so that a model never copies a literal. The places
where the value occurs are all kept: which of them is meant, the query decides. Holds no prompt format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from t2c_core.values.mentions import MentionFinder

if TYPE_CHECKING:
    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_core.values.index import ValueIndex
    from t2c_core.values.mention_candidates import MentionCandidate
    from t2c_core.values.sqlite_store import IndexedValue, OwnerKind

LinkKind = Literal["value", "number", "date", "year", "month", "text"]

MAX_PLACES = 16
MAX_VARIANTS = 4
"""How many spellings of one value in one property are kept."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A property that holds a value."""

    owner: str
    """Node label or relationship type."""
    property: str
    kind: OwnerKind
    value: Scalar
    """The value as the graph has it there."""


@dataclass(frozen=True, slots=True)
class LinkedMention:
    """A mention in a question."""

    name: str
    """`v1`, `v2`, … in order of occurrence."""
    start: int
    end: int
    text: str
    """`question[start:end]`, quotes included."""
    kind: LinkKind
    """How it reads. A number, year, month or date may occur in the graph too: it then has places."""
    occurrences: tuple[Occurrence, ...]
    """Where such a value occurs in the graph, best first."""
    value: Scalar
    """What the question says: a number, an ISO date, a month 1 to 12, else the text without quotes."""

    @property
    def is_proper_name(self) -> bool:
        """Whether it can hardly be an ordinary word: a text that is quoted, of several words, or capitalised within."""
        if self.kind != "value" or not isinstance(self.value, str):
            return False
        said = self.text[1:] if self.start == 0 else self.text
        return self.text != self.value or " " in self.text or not said.islower()


@dataclass(frozen=True, slots=True)
class LinkedQuestion:
    """A question and what it names, in order and without overlap."""

    question: str
    links: tuple[LinkedMention, ...]

    def parameters(self) -> dict[str, Scalar]:
        """Give each link its default value: the graph's spelling for values, else what the question says."""
        return {
            each.name: each.occurrences[0].value if each.kind == "value" and each.occurrences else each.value
            for each in self.links
        }


class Linker:
    """Links questions to one graph; safe to share between threads.

    Args:
        index: the graph's values.
        schema: the graph's schema; its words are not taken for values.
    """

    def __init__(self, index: ValueIndex, schema: GraphSchema) -> None:
        self._finder = MentionFinder(index, schema)

    def link(self, question: str) -> LinkedQuestion:
        """Find what a question names.

        Args:
            question: one question, in plain words.
        """
        chosen: list[MentionCandidate] = []
        taken = bytearray(len(question))
        for mention in sorted(self._finder.find(question), key=_preference):
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
                occurrences=_places(each.candidates),
                value=each.value,
            )
            for number, each in enumerate(chosen, start=1)
        )
        return LinkedQuestion(question, tuple(links))


def _preference(mention: MentionCandidate) -> tuple[bool, int, bool, bool, int]:
    """Put quoted mentions first, then longer ones, then sure ones, then values before numbers."""
    return (
        not mention.quoted,
        mention.start - mention.end,
        not mention.is_exact,
        mention.kind in {"value", "text"} and not mention.candidates,
        mention.start,
    )


def _places(hits: tuple[IndexedValue, ...]) -> tuple[Occurrence, ...]:
    seen: dict[tuple[str, str], int] = {}
    occurrences: list[Occurrence] = []
    for hit in hits:
        holder = (hit.owner, hit.property)
        seen[holder] = seen.get(holder, 0) + 1
        if seen[holder] <= MAX_VARIANTS:
            occurrences.append(Occurrence(hit.owner, hit.property, hit.kind, hit.value))
    return tuple(occurrences[:MAX_PLACES])
