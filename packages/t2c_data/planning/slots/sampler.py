"""A slot, and what a tree leaves free to be returned.

The kinds of slots are in `properties` and `neighbours`. Holds no wording (see `asked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from t2c_data.graph.context import Hop
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import (
        Operator,
        PropertyPredicate,
        QueryNode,
        QueryRelationship,
        ValueMention,
    )
    from t2c_data.templates.model import QuestionTemplate

FIXING: frozenset[Operator] = frozenset({"eq", "true", "false", "null", "on"})
"""Comparisons that leave a property one value."""
NO_GROUPS = frozenset({"id", "list", "number", "date", "text"})
"""Kinds of property that nobody groups by."""
SHARE_OF_KEYS = 0.75
"""How often a neighbour is shown by its key rather than by another property."""


@dataclass(slots=True)
class Slot:
    """Something that a question asks for."""

    part: QueryNode | QueryRelationship
    name: str = ""
    """Property; empty for the thing itself."""
    path: tuple[QueryRelationship, ...] = ()
    """Links from the root to it."""
    is_already_mentioned: bool = False
    """Whether a condition speaks of the part already."""
    suffix: str = ""
    """`.year` or `.month`."""
    separate_condition: PropertyPredicate | None = None
    """A condition on the link that the wording speaks of apart."""
    values: tuple[ValueMention, ...] = ()
    """Values that are compared."""
    mention: ValueMention | None = None
    """A number that the question gives."""
    is_conditional_count: bool = False
    """Whether it is counted apart, by an EXISTS."""


class SlotSampler:
    """Chooses among the properties and links that no condition and no other slot has taken.

    Args:
        pattern: what is asked.
        binder: knows what the place in the sample offers; its generator makes every choice.
        root: the tree.
    """

    def __init__(self, pattern: QuestionTemplate, binder: Grounder, root: QueryNode) -> None:
        self.pattern = pattern
        self.binder = binder
        self.root = root
        self.world = binder.world
        self.rng = binder.rng
        self.slots: dict[str, Slot] = {}
        """What is filled so far, by name."""

    def key(self) -> str:
        """Give the property that stands for the root.

        Raises:
            UnfitError: it has none that questions speak of.
        """
        key = self.world.lexicon.labels[self.root.label].key
        if not key or self.world.words(self.root.label, key) is None:
            raise UnfitError("no key")
        return key

    def root_property(self, *kinds: str, without: Collection[str] = ()) -> str:
        """Choose a property of the root that no other slot has.

        Args:
            kinds: its kind; any if none is given.
            without: properties that it must not be.
        """
        used_properties = self.used_properties(self.root).union(without)
        return self.choose(
            [name for name in self.names(self.root.label, kinds) if name not in used_properties]
        )

    def names(self, owner: str, kinds: Collection[str] = ()) -> list[str]:
        """List the properties of a label or type, of some kinds or of all."""
        names = self.world.properties_of(owner)
        return [name for name in names if not kinds or self.world.semantic_type(owner, name) in kinds]

    def used_properties(self, part: QueryNode | QueryRelationship) -> set[str]:
        """Give the properties of a part that other slots have."""
        return {slot.name for slot in self.slots.values() if slot.part is part}

    def fixed_properties(self) -> set[str]:
        """Give the properties of the root that conditions fix or other slots have."""
        fixed = {each.name for each in self.root.conditions if each.operator in FIXING}
        return fixed | self.used_properties(self.root)

    def choose(self, names: Sequence[str]) -> str:
        """Choose a property.

        Raises:
            UnfitError: there is none.
        """
        if not names:
            raise UnfitError("no such property")
        return self.rng.choice(names)

    def display_property(self, label: str) -> str:
        """Choose what a neighbour is shown by."""
        names = self.world.properties_of(label)
        key = self.world.lexicon.labels[label].key
        return key if key in names and self.rng.random() < SHARE_OF_KEYS else self.choose(names)

    def refuse(self, slot: Slot, kinds: Collection[str]) -> None:
        """Refuse a slot whose property is of some kind.

        Raises:
            UnfitError: it is.
        """
        if slot.name and self.world.semantic_type(self.world.owner(slot.part), slot.name) in kinds:
            raise UnfitError("nobody groups by it")

    def add_stated_condition(self, slot: Slot, link: QueryRelationship) -> None:
        """Put a condition on a link that the wording speaks of apart."""
        slot.separate_condition = self.binder.condition(link, operators=frozenset({"eq"}))
        link.conditions.append(slot.separate_condition)

    def hops(self) -> list[Hop]:
        """List the hops from the root over types that the tree does not use yet."""
        used = self.used()
        return [hop for hop in self.binder.hops(self.root) if not used & hop.type_names]

    def used(self) -> set[str]:
        """Give the types of the root's links."""
        return {kind for link in self.root.links for kind in link.types or (link.triple.type,)}

    def hop(self, hops: Sequence[Hop]) -> Hop:
        """Choose a hop.

        Raises:
            UnfitError: there is none.
        """
        if not hops:
            raise UnfitError("no link to return")
        return self.rng.choices(hops, [hop.weight for hop in hops])[0]

    def extend(self, hops: Sequence[Hop]) -> QueryRelationship:
        """Add a silent link to the root, over one of the hops."""
        link = self.binder.follow(self.root, self.hop(hops))
        link.is_unverbalised = True
        self.root.links.append(link)
        return link
