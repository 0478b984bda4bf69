"""Narrows the root of a question: conditions of its own, on what it is joined to, and on how many there are.

How many and of what sort is up to the pattern; `binding` makes each so that the answer is not empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship

if TYPE_CHECKING:
    from t2c_data.graph.context import Hop
    from t2c_data.planning.grounding import Grounder
    from t2c_data.templates.model import QuestionTemplate

NUMBERS_OF_CONDITIONS = (1, 1, 1, 2, 2, 2, 3)
_SECOND = frozenset({"eq", "gt", "lt", "on", "true", "false"})
"""Operators of a condition beside the name of a neighbour."""


class ConditionSampler:
    """Puts conditions on roots as patterns want them.

    Args:
        binder: makes conditions that the place in the sample meets; its generator makes every choice.
    """

    def __init__(self, binder: Grounder) -> None:
        self._world = binder.world
        self._binder = binder
        self._rng = binder.rng
        self._used: set[str] = set()

    def add_conditions(self, root: QueryNode, pattern: QuestionTemplate) -> list[QueryNode]:
        """Put conditions on a root.

        Returns:
            Two views of it if some conditions are to be said apart, else none.

        Raises:
            UnfitError: the place in the sample does not offer what the pattern wants.
        """
        rng, binder = self._rng, self._binder
        low, high = pattern.conditions
        offered = (
            range(low, high + 1)
            if high < 3
            else [each for each in NUMBERS_OF_CONDITIONS if low <= each <= high]
        )
        count = rng.choice(offered)
        if pattern.named or (count and rng.random() < pattern.unique):
            binder.add_identifying_condition(root)
            count = count - 1 if pattern.split or rng.random() < 0.15 else 0
        for _ in range(count):
            self._condition(root, 0)
        if pattern.twin:
            self._name_two_neighbours(root)
        root.degrees += [binder.count_predicate(root, self._used) for _ in range(pattern.degree)]
        root.links += [binder.negated_relationship(root, self._used) for _ in range(pattern.absent)]
        if pattern.untrue and not pattern.named and rng.random() < pattern.untrue:
            binder.perturb_value(root)
        if pattern.split:
            return self._split(root)
        alone = len(root.conditions) == 2 and not root.links and not root.degrees
        root.is_disjunction = alone and rng.random() < 0.06
        return []

    def _split(self, root: QueryNode) -> list[QueryNode]:
        parts: list[PropertyPredicate | QueryRelationship] = [
            *root.conditions,
            *(link for link in root.links if not link.is_unverbalised),
        ]
        if len(parts) < 2:
            raise UnfitError("nothing to split")
        if self._rng.random() < 0.7:
            self._rng.shuffle(parts)
        views = []
        for chunk in (parts[:-1], parts[-1:]):
            conditions = [each for each in chunk if isinstance(each, PropertyPredicate)]
            views.append(
                QueryNode(
                    root.label, conditions, [each for each in chunk if isinstance(each, QueryRelationship)]
                )
            )
        return views

    def _condition(self, node: QueryNode, depth: int) -> None:
        """Put one condition on a node: on a property of its own or on something it is joined to."""
        hops = self._binder.hops(node)
        own = len(self._world.properties_of(node.label))
        types = {hop.triple.type for hop in hops}
        if not hops or self._rng.random() < own / (own + 1.3 * len(types)):
            try:
                node.conditions.append(self._binder.condition(node))
            except UnfitError:
                if not hops:
                    raise
            else:
                return
        hop = self._binder.choose_hop(node, self._used)
        link = self._binder.follow(node, hop)
        self._used |= hop.type_names
        self._describe(link, depth)
        node.links.append(link)
        if self._rng.random() < 0.09 and not link.types:
            self._add_coordinated_neighbour(node, link, hop)

    def _describe(self, link: QueryRelationship, depth: int) -> None:
        """Say of a neighbour what it is called, what the link is like, or what it is joined to itself."""
        child, rng, binder = link.node, self._rng, self._binder
        names = self._world.lexicon.labels[child.label].name
        edge = bool(self._world.properties_of(link.triple.type))
        roll = rng.random()
        if names and roll < 0.66:
            name = names[0] if len(names) == 1 or rng.random() < 0.75 else rng.choice(names[1:])
            operators = {"eq"} if rng.random() < 0.9 else {"in", "starts", "contains", "ne"}
            child.conditions.append(binder.compare(child, name, frozenset(operators)))
            if edge and rng.random() < 0.24:
                link.conditions.append(binder.condition(link))
            if rng.random() < 0.06 and len(self._world.properties_of(child.label)) > 1:
                child.conditions.append(binder.condition(child, operators=_SECOND))
        elif edge and roll < 0.78:
            link.conditions += [binder.condition(link)]
            if rng.random() < 0.12:
                link.conditions += [binder.condition(link)]
        elif (
            depth == 0
            and len(binder.hops(child)) > 1
            and (roll < 0.9 or not self._world.properties_of(child.label))
        ):
            self._deeper(link, depth)
        elif roll < 0.94:
            child.conditions.append(binder.condition(child))

    def _deeper(self, link: QueryRelationship, depth: int) -> None:
        others = [hop for hop in self._binder.hops(link.node) if not self._used & hop.type_names]
        if not others:
            raise UnfitError("no second hop")
        hop = self._rng.choices(others, [hop.weight for hop in others])[0]
        second = self._binder.follow(link.node, hop, avoid=frozenset(self._binder.instances.values()))
        self._used |= hop.type_names
        self._describe(second, depth + 1)
        link.node.links.append(second)

    def _name_two_neighbours(self, root: QueryNode) -> None:
        """Name two neighbours of the same kind: `that COPD and asthma have in common`."""
        hop = self._binder.choose_hop(root, self._used)
        names = self._world.lexicon.labels[hop.end_label].name
        if not names or hop.types:
            raise UnfitError("no names")
        link = self._binder.follow(root, hop)
        link.node.conditions.append(self._binder.compare(link.node, names[0], frozenset({"eq"})))
        root.links.append(link)
        self._add_coordinated_neighbour(root, link, hop)
        if link.node.conditions[0].conjoined_value is None:
            raise UnfitError("no second neighbour")
        self._used |= hop.type_names

    def _add_coordinated_neighbour(self, node: QueryNode, link: QueryRelationship, hop: Hop) -> None:
        """Ask for a second neighbour of the same kind if there is one: `with both nausea and headache`."""
        conditions = link.node.conditions
        names = self._world.lexicon.labels[link.node.label].name[:1]
        if link.conditions or link.node.links or len(conditions) != 1:
            return
        first = conditions[0]
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return
        try:
            twin = self._binder.follow(node, hop, avoid=frozenset({self._binder.instances[id(link.node)]}))
        except UnfitError:
            return
        value = self._binder.properties(twin.node).get(first.name)
        if not isinstance(value, str) or value == first.mentions[0].value:
            return
        first.conjoined_value = self._binder.mention(value, "string")
        twin.node.conditions.append(PropertyPredicate(first.name, "eq", (first.conjoined_value,)))
        twin.is_unverbalised = True
        node.links.append(twin)
