"""Grounding: trees whose conditions one path of the sample meets, so that the answer is not empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import CountPredicate, PropertyPredicate, QueryNode, QueryRelationship
from t2c_data.planning.value_sampling import OPERATORS, TYPE_WEIGHTS, PredicateSampler

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from random import Random

    from t2c_core.schema.model import Scalar
    from t2c_data.graph.context import GraphContext, Hop
    from t2c_data.graph.sample import SampledNode
    from t2c_data.planning.query_tree import Slot, ValueMention


class Grounder:
    """Builds trees that are grounded in one path of the sample.

    Args:
        context: graph to sample from.
        rng: source of all random choices.
    """

    def __init__(self, context: GraphContext, rng: Random) -> None:
        self.context = context
        self.rng = rng
        self._predicates = PredicateSampler(context, rng)
        self.instances: dict[int, int] = {}
        """Index of the sampled node, by identity of the query node."""
        self._sampled_relationships: dict[int, dict[str, Any]] = {}
        """Properties of the sampled relationship, by identity of the query relationship."""

    def mention(self, value: Scalar, kind: str) -> ValueMention:
        """Create a mention of a value."""
        return self._predicates.mention(value, kind)

    @property
    def mentions(self) -> dict[int, ValueMention]:
        """All mentions created so far, by number."""
        return self._predicates.mentions

    def root(self, label: str) -> QueryNode:
        """Start a tree at a random node of a label."""
        node = QueryNode(label)
        self.instances[id(node)] = self.rng.choice(self.context.sample.by_label[label])
        return node

    def _sampled(self, node: QueryNode) -> SampledNode:
        return self.context.sample.nodes[self.instances[id(node)]]

    def properties(self, part: QueryNode | QueryRelationship) -> dict[str, Any]:
        """Return the properties of the sampled node or relationship behind a part of the tree."""
        if isinstance(part, QueryNode):
            return self._sampled(part).properties
        return self._sampled_relationships[id(part)]

    def follow(self, node: QueryNode, hop: Hop, *, avoid: frozenset[int] = frozenset()) -> QueryRelationship:
        """Follow a hop from a node to a neighbour; the relationship is not added to the tree.

        Args:
            node: start of the hop.
            hop: triple and direction.
            avoid: indices of sampled nodes to exclude.

        Raises:
            UnfitError: there is no neighbour.
        """
        neighbours = self._sampled(node).relationships.get((hop.number, hop.forward), [])
        choices = [each for each in neighbours if each[1] not in avoid]
        if not choices:
            raise UnfitError("no neighbour")
        properties, index = self.rng.choice(choices)
        end = QueryNode(hop.end_label)
        rel = QueryRelationship(hop.triple, hop.forward, end, types=hop.types)
        self.instances[id(end)] = index
        self._sampled_relationships[id(rel)] = properties
        return rel

    def hops(self, node: QueryNode) -> list[Hop]:
        """List the hops for which the sampled node has neighbours."""
        sampled = self._sampled(node).relationships
        return [hop for hop in self.context.hops.get(node.label, []) if (hop.number, hop.forward) in sampled]

    def choose_hop(self, node: QueryNode, used: set[str]) -> Hop:
        """Choose a hop of a type that the tree does not use yet.

        Raises:
            UnfitError: there is none.
        """
        free = [hop for hop in self.hops(node) if not used & hop.type_names]
        if not free:
            raise UnfitError("no hop left")
        return self.rng.choices(free, [hop.weight for hop in free])[0]

    def condition(
        self, part: QueryNode | QueryRelationship, *, operators: frozenset[str] | None = None
    ) -> PropertyPredicate:
        """Create a condition that the sampled node or relationship meets.

        Args:
            part: node or relationship.
            operators: operators to choose from; any when None.

        Raises:
            UnfitError: no property offers one.
        """
        taken = {each.name for each in part.conditions}
        choices = [name for name in self.context.properties_of(part.label_or_type) if name not in taken]
        weights = []
        for name in choices:
            kind = self.context.semantic_type(part.label_or_type, name)
            fits = operators is None or operators & set(OPERATORS.get(kind, {}))
            weights.append(TYPE_WEIGHTS.get(kind, 0.0) if fits else 0.0)
        if not any(weights):
            raise UnfitError("no property")
        return self.compare(part, self.rng.choices(choices, weights)[0], operators)

    def compare(
        self, part: QueryNode | QueryRelationship, name: str, operators: frozenset[str] | None = None
    ) -> PropertyPredicate:
        """Create a condition on a given property.

        Raises:
            UnfitError: the value is absent from the sample, or no operator fits it.
        """
        value = self.properties(part).get(name)
        return self._predicates.sample(part.label_or_type, name, value, operators)

    def multiplies_rows(self, node: QueryNode, *, count_types: bool = True) -> bool:
        """Return whether one node can meet the conditions in several ways, so that rows repeat.

        Args:
            node: root of a tree.
            count_types: whether alternative types to the same node count as several ways.
        """
        return any(
            self._multiplies_rows(rel, count_types=count_types)
            for rel in node.relationships
            if not rel.is_unverbalised and not rel.is_negated
        )

    def _multiplies_rows(self, rel: QueryRelationship, *, count_types: bool) -> bool:
        is_named = self.context.is_named(rel.node)
        if rel.types and (count_types or not is_named):
            return True
        if is_named:
            return self.context.has_parallel_relationships(rel)
        return self.context.is_to_many(rel) or self.multiplies_rows(rel.node, count_types=count_types)

    def repeats_roots(self, slots: Mapping[str, Slot], grouped_by: Collection[str]) -> bool:
        """Return whether what slots add to the tree makes a root repeat in a group.

        Args:
            slots: slots by name.
            grouped_by: names of the slots that rows are grouped by.
        """
        return any(
            self._repeats_root(slot, is_group=name in grouped_by)
            for name, slot in slots.items()
            if slot.path and slot.path[0].is_unverbalised
        )

    def _repeats_root(self, slot: Slot, *, is_group: bool) -> bool:
        if not any(rel.types or self.context.is_to_many(rel) for rel in slot.path):
            return False
        rel = slot.path[0]
        if not is_group or len(slot.path) > 1 or slot.part is rel:
            return True
        identifies = self.context.is_identifying(rel.node.label, slot.name)
        return not identifies or bool(rel.types) or self.context.has_parallel_relationships(rel)

    def add_identifying_condition(self, node: QueryNode) -> None:
        """Add a condition that singles out the node, or nearly so.

        Raises:
            UnfitError: no property identifies it.
        """
        words = self.context.lexicon.labels[node.label]
        key = words.display_property
        names = [
            name
            for name in self.context.properties_of(node.label)
            if self.context.semantic_type(node.label, name) == "id"
        ]
        names += words.naming_properties[:1]
        if key and key not in names and self.context.words(node.label, key):
            names.append(key)
        taken = {each.name for each in node.conditions}
        names = [name for name in names if name not in taken]
        if not names:
            raise UnfitError("no identifying property")
        node.conditions.append(self.compare(node, self.rng.choice(names), frozenset({"eq", "on"})))

    def perturb_value(self, node: QueryNode) -> None:
        """Replace the value of one equality condition by another that occurs, so that the path may not meet it.

        Raises:
            UnfitError: there is no equality condition.
        """
        candidates = [(node.label, each) for each in node.conditions]
        for rel in node.relationships:
            if not rel.is_negated:
                candidates += [(rel.node.label, each) for each in rel.node.conditions]
        candidates = [each for each in candidates if each[1].operator == "eq" and each[1].mentions]
        if not candidates:
            raise UnfitError("nothing to perturb")
        label, condition = self.rng.choice(candidates)
        value = self.rng.choice(self.context.sample.values[label, condition.name])
        condition.mentions = (self.mention(value, condition.mentions[0].kind),)

    def count_predicate(self, node: QueryNode, used: set[str]) -> CountPredicate:
        """Create a condition on the number of neighbours over a hop.

        Raises:
            UnfitError: no hop has enough neighbours.
        """
        hop = self.choose_hop(node, used)
        triples = self.context.schema.triples
        ends = {hop.triple.source, hop.triple.target}
        total = sum(
            len(neighbours)
            for (number, forward), neighbours in self._sampled(node).relationships.items()
            if forward == hop.forward
            and triples[number].type in hop.type_names
            and {triples[number].source, triples[number].target} == ends
        )
        rel = self.follow(node, hop)
        operator = self.rng.choice(("gt", "gt", "gt", "ge", "ge", "ge", "lt", "eq", "le"))
        limit = {
            "gt": self.rng.randint(max(1, total // 2), total - 1) if total > 1 else 0,
            "ge": self.rng.randint(max(2, total // 2), total) if total > 1 else 0,
            "lt": total + self.rng.randint(1, 3), "le": total + self.rng.randint(0, 2), "eq": total,
        }[operator]  # fmt: skip
        if limit < 1:
            raise UnfitError("too few neighbours")
        return CountPredicate(rel, operator, self.mention(limit, "number"))  # type: ignore[arg-type]

    def negated_relationship(self, node: QueryNode, used: set[str]) -> QueryRelationship:
        """Create a relationship that the sampled node does not have.

        Raises:
            UnfitError: it has all.
        """
        free = [
            hop
            for hop in self.context.hops.get(node.label, [])
            if not hop.types and hop.triple.type not in used
        ]
        if not free:
            raise UnfitError("no hop")
        sampled = self._sampled(node).relationships
        lacking = [hop for hop in free if (hop.number, hop.forward) not in sampled]
        hop = self.rng.choice(lacking if lacking and self.rng.random() < 0.6 else free)
        end = QueryNode(hop.end_label)
        rel = QueryRelationship(hop.triple, hop.forward, end, is_negated=True)
        names = self.context.lexicon.labels[hop.end_label].naming_properties
        neighbours = sampled.get((hop.number, hop.forward), [])
        if neighbours and not names:
            raise UnfitError("the relationship exists")
        if names and (neighbours or self.rng.random() < 0.3):
            present = [self.context.sample.nodes[index].properties.get(names[0]) for _, index in neighbours]
            values = self.context.sample.values[hop.end_label, names[0]]
            others = [each for each in values if each not in present]
            if not others:
                raise UnfitError("all relationships exist")
            mention = self.mention(self.rng.choice(others), "string")
            end.conditions.append(PropertyPredicate(names[0], "eq", (mention,)))
        return rel
