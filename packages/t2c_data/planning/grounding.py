"""Binds trees to the graph: walks a path of the sample and makes conditions that it meets.

Every value is read off that path, so that the answer is not empty. Holds no wording and no returned properties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import CountPredicate, PropertyPredicate, QueryNode, QueryRelationship
from t2c_data.planning.value_sampling import KIND_WEIGHTS, OPERATORS, ConditionMaker

if TYPE_CHECKING:
    from random import Random

    from t2c_core.schema.model import Scalar
    from t2c_data.graph.context import GraphContext, Hop
    from t2c_data.planning.query_tree import ValueMention


class Grounder:
    """Makes trees whose conditions one path of the sample meets.

    Args:
        world: the graph.
        rng: every choice comes from it.
    """

    def __init__(self, world: GraphContext, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self._maker = ConditionMaker(world, rng)
        self.instances: dict[int, int] = {}
        """Position in the sample of each node of the tree, by identity of the node."""
        self.edges: dict[int, dict[str, Any]] = {}

    def mention(self, value: Scalar, kind: str) -> ValueMention:
        """Make a mention of a value."""
        return self._maker.mention(value, kind)

    @property
    def mentions(self) -> dict[int, ValueMention]:
        """Every mention made so far, by number."""
        return self._maker.made

    def root(self, label: str) -> QueryNode:
        """Begin a tree at some node of a label."""
        node = QueryNode(label)
        self.instances[id(node)] = self.rng.choice(self.world.sample.by_label[label])
        return node

    def properties(self, part: QueryNode | QueryRelationship) -> dict[str, Any]:
        """Read the properties of the node or relationship of the sample that stands for a part of the tree."""
        if isinstance(part, QueryNode):
            return self.world.sample.nodes[self.instances[id(part)]].properties
        return self.edges[id(part)]

    def follow(self, node: QueryNode, hop: Hop, *, avoid: frozenset[int] = frozenset()) -> QueryRelationship:
        """Follow a hop from a node to some neighbour; the link is not yet part of the tree.

        Raises:
            UnfitError: there is no neighbour.
        """
        found = self.world.sample.nodes[self.instances[id(node)]].links.get((hop.number, hop.forward), [])
        choices = [each for each in found if each[1] not in avoid]
        if not choices:
            raise UnfitError("no neighbour")
        properties, position = self.rng.choice(choices)
        child = QueryNode(hop.end_label)
        link = QueryRelationship(hop.triple, hop.forward, child, types=hop.types)
        self.instances[id(child)] = position
        self.edges[id(link)] = properties
        return link

    def hops(self, node: QueryNode) -> list[Hop]:
        """List the hops that the node's place in the sample can take."""
        links = self.world.sample.nodes[self.instances[id(node)]].links
        return [hop for hop in self.world.hops.get(node.label, []) if (hop.number, hop.forward) in links]

    def choose_hop(self, node: QueryNode, used: set[str]) -> Hop:
        """Choose a hop whose triple the tree does not use yet.

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
        """Make a condition that the part's place in the sample meets.

        Args:
            part: node or link.
            operators: operators to choose from.

        Raises:
            UnfitError: no property offers one.
        """
        owner = self.world.owner(part)
        taken = {each.name for each in part.conditions}
        choices = [name for name in self.world.properties_of(owner) if name not in taken]
        weights = []
        for name in choices:
            kind = self.world.semantic_type(owner, name)
            offered = OPERATORS.get(kind, {})
            fits = operators is None or operators & set(offered)
            weights.append(KIND_WEIGHTS.get(kind, 0.0) if fits else 0.0)
        if not any(weights):
            raise UnfitError("no property")
        name = self.rng.choices(choices, weights)[0]
        return self.compare(part, name, operators)

    def compare(
        self, part: QueryNode | QueryRelationship, name: str, operators: frozenset[str] | None = None
    ) -> PropertyPredicate:
        """Make a condition on a given property.

        Raises:
            UnfitError: the place in the sample does not have it or no operator fits.
        """
        return self._maker.make(self.world.owner(part), name, self.properties(part).get(name), operators)

    def spreads(self, node: QueryNode, *, grouped: bool = True) -> bool:
        """Tell whether conditions can be met in several ways by one node, so that rows repeat.

        Args:
            node: the node.
            grouped: whether one of several types counts as several ways, even to one thing.
        """
        return any(
            self._spreads(link, grouped=grouped)
            for link in node.links
            if not link.is_unverbalised and not link.is_negated
        )

    def _spreads(self, link: QueryRelationship, *, grouped: bool) -> bool:
        pinned = self.world.is_named(link.node)
        if link.types and (grouped or not pinned):
            return True
        if pinned:
            return False
        return self.world.is_to_many(link) or self.spreads(link.node, grouped=grouped)

    def add_identifying_condition(self, node: QueryNode) -> None:
        """Put a condition on a node that only it meets, or nearly so.

        Raises:
            UnfitError: nothing tells it from others.
        """
        words = self.world.lexicon.labels[node.label]
        names = [
            name
            for name in self.world.properties_of(node.label)
            if self.world.semantic_type(node.label, name) == "id"
        ]
        names += words.name[:1]
        if words.key and words.key not in names and self.world.words(node.label, words.key):
            names.append(words.key)
        names = [name for name in names if name not in {each.name for each in node.conditions}]
        if not names:
            raise UnfitError("nothing singles it out")
        node.conditions.append(self.compare(node, self.rng.choice(names), frozenset({"eq", "on"})))

    def perturb_value(self, node: QueryNode) -> None:
        """Exchange the value of one condition for another that occurs, so that the path may not meet it."""
        places = [(node.label, each) for each in node.conditions]
        places += [
            (link.node.label, each)
            for link in node.links
            if not link.is_negated
            for each in link.node.conditions
        ]
        places = [each for each in places if each[1].operator == "eq" and each[1].mentions]
        if not places:
            raise UnfitError("nothing to falsify")
        owner, condition = self.rng.choice(places)
        value = self.rng.choice(self.world.sample.values[owner, condition.name])
        condition.mentions = (self.mention(value, condition.mentions[0].kind),)

    def count_predicate(self, node: QueryNode, used: set[str]) -> CountPredicate:
        """Make a condition on how many neighbours there are over a hop.

        Raises:
            UnfitError: there is no hop with several neighbours.
        """
        hop = self.choose_hop(node, used)
        links = self.world.sample.nodes[self.instances[id(node)]].links
        names = set(hop.types or (hop.triple.type,))
        total = sum(
            len(found)
            for (number, forward), found in links.items()
            if forward == hop.forward and self.world.schema.triples[number].type in names
            and {self.world.schema.triples[number].source, self.world.schema.triples[number].target}
            == {hop.triple.source, hop.triple.target}
        )  # fmt: skip
        link = self.follow(node, hop)
        operator = self.rng.choice(("gt", "gt", "gt", "ge", "ge", "ge", "lt", "eq", "le"))
        limit = {
            "gt": self.rng.randint(max(1, total // 2), total - 1) if total > 1 else 0,
            "ge": self.rng.randint(max(2, total // 2), total) if total > 1 else 0,
            "lt": total + self.rng.randint(1, 3), "le": total + self.rng.randint(0, 2), "eq": total,
        }[operator]  # fmt: skip
        if limit < 1:
            raise UnfitError("too few")
        return CountPredicate(link, operator, self.mention(limit, "number"))  # type: ignore[arg-type]

    def negated_relationship(self, node: QueryNode, used: set[str]) -> QueryRelationship:
        """Make a link that the node's place in the sample does not have.

        Raises:
            UnfitError: it has all.
        """
        free = [
            hop
            for hop in self.world.hops.get(node.label, [])
            if not hop.types and hop.triple.type not in used
        ]
        if not free:
            raise UnfitError("no hop")
        links = self.world.sample.nodes[self.instances[id(node)]].links
        lacking = [hop for hop in free if (hop.number, hop.forward) not in links]
        hop = self.rng.choice(lacking if lacking and self.rng.random() < 0.6 else free)
        child = QueryNode(hop.end_label)
        link = QueryRelationship(hop.triple, hop.forward, child, is_negated=True)
        names = self.world.lexicon.labels[hop.end_label].name
        found = links.get((hop.number, hop.forward), [])
        if found and not names:
            raise UnfitError("has it")
        if names and (found or self.rng.random() < 0.3):
            held_values = [
                self.world.sample.nodes[position].properties.get(names[0]) for _, position in found
            ]
            others = [
                each for each in self.world.sample.values[hop.end_label, names[0]] if each not in held_values
            ]
            if not others:
                raise UnfitError("has all")
            child.conditions.append(
                PropertyPredicate(names[0], "eq", (self.mention(self.rng.choice(others), "string"),))
            )
        return link
