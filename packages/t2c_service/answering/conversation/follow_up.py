"""The edits of the query before that a follow-up asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from t2c_core.values.linker import LinkedMention
    from t2c_service.answering.conversation.vocabulary import Meaning, PropertyOf

Function = Literal["count", "avg", "sum", "min", "max"]


@dataclass
class Sorting:
    """An order of the rows."""

    of: frozenset[PropertyOf] = frozenset()
    """Properties that may be meant; empty for the order or measure that the query has."""
    descending: bool | None = None
    """None if the words do not say it."""
    by_name: bool = False
    flips: bool = False
    needs_limit: bool = False
    """Whether only the first row is asked for unless the query has a limit: `and the fewest?`."""
    is_age: bool = False
    """Whether the order is by age, the reverse of that by date of birth."""


@dataclass
class FollowUp:
    """The edits that a follow-up asks for."""

    values: list[tuple[LinkedMention, str, bool]] = field(default_factory=list)
    """Values, numbers and dates, each with an operator if the words give one, and whether it is excluded."""
    truths: list[tuple[frozenset[Meaning], bool]] = field(default_factory=list)
    """Meanings of a phrase for a truth or category, and whether it is negated."""
    comparisons: list[tuple[LinkedMention, frozenset[Meaning]]] = field(default_factory=list)
    columns: list[frozenset[PropertyOf]] = field(default_factory=list)
    labels: list[frozenset[str]] = field(default_factory=list)
    """Labels whose nouns occur."""
    words: list[tuple[frozenset[str], frozenset[PropertyOf]]] = field(default_factory=list)
    """For each other word that is one of the graph's, the relationship types and properties it may belong to."""
    groups: list[frozenset[PropertyOf | str]] = field(default_factory=list)
    """Properties and labels that the result is grouped by."""
    sorting: Sorting | None = None
    limit: int | None = None
    drops_limit: bool = False
    function: Function | None = None
    lists: bool = False
    """Whether the things themselves are asked for instead of a number."""
    negates: bool = False
    """Whether the last condition is turned: `and which are not?`."""
    replaces: bool = False
    """Whether a value takes the place of one that the query has: `and lithium?`."""
    is_singular: bool = False
    """Whether it speaks of one thing: `it`, `she`."""
    extremes: list[frozenset[Meaning]] = field(default_factory=list)
    """Superlatives that name a property: `and the youngest?`."""
    unread: tuple[str, ...] = ()
    """Words of content that no rule took."""

    @property
    def types(self) -> set[str]:
        """Relationship types that words may belong to."""
        return {kind for types, _ in self.words for kind in types}

    @property
    def hints(self) -> set[PropertyOf]:
        """Properties that words may belong to, which a number or date may be about."""
        return {of for _, held in self.words for of in held}

    @property
    def has_conditions(self) -> bool:
        """Whether conditions are added or replaced."""
        return bool(self.values or self.comparisons or self.truths or self.negates)
