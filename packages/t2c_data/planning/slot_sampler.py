"""What fills a slot: properties and relationships of a grounded tree that no condition and no other slot uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from t2c_data.graph.context import Hop
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import Operator, PropertyPredicate, QueryNode, QueryRelationship, Slot
    from t2c_data.templates.model import QuestionTemplate

FIXING: frozenset[Operator] = frozenset({"eq", "true", "false", "null", "on"})
"""Operators that leave a property one value."""
DISPLAY_PROPERTY_RATE = 0.75
"""How often a neighbour is returned by its display property rather than by another."""


class SlotSampler:
    """Chooses among the properties and relationships that no condition and no other slot uses.

    Args:
        template: template with the slots.
        grounder: grounder of the tree, whose generator is the source of all random choices.
        root: root of the tree.
    """

    def __init__(self, template: QuestionTemplate, grounder: Grounder, root: QueryNode) -> None:
        self.template = template
        self.grounder = grounder
        self.root = root
        self.context = grounder.context
        self.rng = grounder.rng
        self.slots: dict[str, Slot] = {}
        """Slots filled so far, by name."""

    def key(self) -> str:
        """Return the display property of the root.

        Raises:
            UnfitError: it has none that questions may mention.
        """
        key = self.context.lexicon.labels[self.root.label].display_property
        if not key or self.context.words(self.root.label, key) is None:
            raise UnfitError("no display property")
        return key

    def root_property(self, *types: str, without: Collection[str] = ()) -> str:
        """Choose a property of the root that no other slot has.

        Args:
            types: semantic types to choose from; any if none is given.
            without: properties to exclude.
        """
        used = self.used_properties(self.root).union(without)
        return self.choose([name for name in self.names(self.root.label, types) if name not in used])

    def names(self, label_or_type: str, types: Collection[str] = ()) -> list[str]:
        """List the properties of a label or type, of some semantic types or of all."""
        names = self.context.properties_of(label_or_type)
        return [
            name for name in names if not types or self.context.semantic_type(label_or_type, name) in types
        ]

    def used_properties(self, part: QueryNode | QueryRelationship) -> set[str]:
        """Return the properties of a part that other slots have."""
        return {slot.name for slot in self.slots.values() if slot.part is part}

    def fixed_properties(self) -> set[str]:
        """Return the properties of the root that conditions fix or other slots have."""
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

    def returned_property(self, label: str) -> str:
        """Choose the property by which a neighbour is returned."""
        names = self.context.properties_of(label)
        key = self.context.lexicon.labels[label].display_property
        return key if key in names and self.rng.random() < DISPLAY_PROPERTY_RATE else self.choose(names)

    def check_type(self, slot: Slot, types: Collection[str]) -> None:
        """Check that the property of a slot is of none of some semantic types.

        Raises:
            UnfitError: it is.
        """
        if slot.name and self.context.semantic_type(slot.part.label_or_type, slot.name) in types:
            raise UnfitError("no sensible group")

    def add_separate_condition(self, slot: Slot, rel: QueryRelationship) -> None:
        """Add a condition on a relationship that the question verbalises separately."""
        slot.separate_condition = self.grounder.condition(rel, operators=frozenset({"eq"}))
        rel.conditions.append(slot.separate_condition)

    def hops(self, *, grouped: bool = True) -> list[Hop]:
        """List the hops from the root over types that the tree does not use yet.

        Args:
            grouped: whether to include hops over several alternative types.
        """
        used = self.used_types()
        hops = [hop for hop in self.grounder.hops(self.root) if not used & hop.type_names]
        return hops if grouped else [hop for hop in hops if not hop.types]

    def has_several(self, hop: Hop) -> bool:
        """Return whether a node has several neighbours over a hop."""
        return self.context.max_degree(hop.number, hop.forward) > 1

    def used_types(self) -> set[str]:
        """Return the types of the root's relationships."""
        return {name for rel in self.root.relationships for name in rel.types or (rel.triple.type,)}

    def choose_hop(self, hops: Sequence[Hop]) -> Hop:
        """Choose a hop.

        Raises:
            UnfitError: there is none.
        """
        if not hops:
            raise UnfitError("no relationship to return")
        return self.rng.choices(hops, [hop.weight for hop in hops])[0]

    def extend(self, hops: Sequence[Hop]) -> QueryRelationship:
        """Add an unverbalised relationship to the root, over one of the hops."""
        rel = self.grounder.follow(self.root, self.choose_hop(hops))
        rel.is_unverbalised = True
        self.root.relationships.append(rel)
        return rel

    def naming_property(self, label: str) -> str:
        """Return the first naming property of a label; empty if it has none."""
        return next(iter(self.context.lexicon.labels[label].naming_properties), "")

    def name_far_end(self, rel: QueryRelationship) -> PropertyPredicate:
        """Add the condition that names the far end of a relationship.

        Raises:
            UnfitError: it has no name.
        """
        name = self.naming_property(rel.node.label)
        if not name:
            raise UnfitError("the far end has no name")
        condition = self.grounder.compare(rel.node, name, frozenset({"eq"}))
        rel.node.conditions.append(condition)
        return condition
