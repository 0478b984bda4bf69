"""Conditions on the root of a question: on its properties, its neighbours and their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship

if TYPE_CHECKING:
    from t2c_data.graph.context import Hop
    from t2c_data.planning.grounding import Grounder
    from t2c_data.templates.model import QuestionTemplate

CONDITION_COUNTS = (1, 1, 1, 1, 1, 2, 2, 3)
"""Numbers of conditions to draw from; of the questions that people ask most have one."""
EVENT_DATE_RATE = 0.25
"""How often an event is restricted by its date alone."""
_SECOND_CONDITION = frozenset({"eq", "gt", "lt", "on", "true", "false"})
"""Operators of a second condition on a neighbour that is named."""


class ConditionSampler:
    """Adds the conditions of a template to a root.

    Args:
        grounder: grounder of the tree, whose generator is the source of all random choices.
    """

    def __init__(self, grounder: Grounder) -> None:
        self._context = grounder.context
        self._grounder = grounder
        self._rng = grounder.rng
        self._used: set[str] = set()

    def add_conditions(self, root: QueryNode, template: QuestionTemplate) -> list[QueryNode]:
        """Add conditions to a root.

        Returns:
            Two views of the root if the template verbalises one condition separately, else an empty list.

        Raises:
            UnfitError: the sampled node does not offer what the template needs.
        """
        rng, grounder = self._rng, self._grounder
        low, high = template.conditions
        counts = range(low, high + 1)
        count = rng.choice(counts if high < 3 else [each for each in CONDITION_COUNTS if low <= each <= high])
        if template.root_named or (count and rng.random() < template.single_root_rate):
            grounder.add_identifying_condition(root)
            count = count - 1 if template.separate_condition or rng.random() < 0.15 else 0
        for _ in range(count):
            self._add_condition(root, 0)
        if template.coordinated_neighbours:
            self._name_two_neighbours(root)
        for _ in range(template.count_conditions):
            root.count_predicates.append(grounder.count_predicate(root, self._used))
        for _ in range(template.negated_relationships):
            root.relationships.append(grounder.negated_relationship(root, self._used))
        if template.false_rate and not template.root_named and rng.random() < template.false_rate:
            grounder.perturb_value(root)
        if template.separate_condition:
            return self._separate(root)
        alone = len(root.conditions) == 2 and not root.relationships and not root.count_predicates
        root.is_disjunction = alone and rng.random() < 0.06
        return []

    def _separate(self, root: QueryNode) -> list[QueryNode]:
        """Divide the conditions of the root into all but one and that one."""
        parts: list[PropertyPredicate | QueryRelationship] = [
            *root.conditions,
            *(rel for rel in root.relationships if not rel.is_unverbalised),
        ]
        if len(parts) < 2:
            raise UnfitError("nothing to separate")
        if self._rng.random() < 0.7:
            self._rng.shuffle(parts)
        return [
            QueryNode(
                root.label,
                [each for each in view if isinstance(each, PropertyPredicate)],
                [each for each in view if isinstance(each, QueryRelationship)],
            )
            for view in (parts[:-1], parts[-1:])
        ]

    def _add_condition(self, node: QueryNode, depth: int) -> None:
        """Add one condition, on a property of the node or on a neighbour."""
        hops = self._grounder.hops(node)
        own = len(self._context.properties_of(node.label))
        types = {hop.triple.type for hop in hops}
        if not hops or self._rng.random() < own / (own + 1.3 * len(types)):
            try:
                node.conditions.append(self._grounder.condition(node))
            except UnfitError:
                if not hops:
                    raise
            else:
                return
        hop = self._grounder.choose_hop(node, self._used)
        rel = self._grounder.follow(node, hop)
        self._used |= hop.type_names
        self._restrict_neighbour(rel, depth)
        node.relationships.append(rel)
        if self._rng.random() < 0.09 and not rel.types:
            self._add_coordinated_neighbour(node, rel, hop)

    def _restrict_neighbour(self, rel: QueryRelationship, depth: int) -> None:
        """Add conditions to a neighbour (mostly its name), to the relationship or to the neighbour's neighbour."""
        end, rng, grounder = rel.node, self._rng, self._grounder
        names = self._context.lexicon.labels[end.label].naming_properties
        has_properties = bool(self._context.properties_of(rel.triple.type))
        date = self._context.event_date(end.label)
        if date and rng.random() < EVENT_DATE_RATE:
            end.conditions.append(grounder.compare(end, date))
            return
        roll = rng.random()
        if names and roll < 0.66:
            name = names[0] if len(names) == 1 or rng.random() < 0.75 else rng.choice(names[1:])
            operators = {"eq"} if rng.random() < 0.9 else {"in", "starts", "contains", "ne"}
            end.conditions.append(grounder.compare(end, name, frozenset(operators)))
            if has_properties and rng.random() < 0.24:
                rel.conditions.append(grounder.condition(rel))
            if rng.random() < 0.06 and len(self._context.properties_of(end.label)) > 1:
                end.conditions.append(grounder.condition(end, operators=_SECOND_CONDITION))
        elif has_properties and roll < 0.78:
            rel.conditions.append(grounder.condition(rel))
            if rng.random() < 0.12:
                rel.conditions.append(grounder.condition(rel))
        elif (
            depth == 0
            and len(grounder.hops(end)) > 1
            and (roll < 0.9 or not self._context.properties_of(end.label))
        ):
            self._add_second_hop(rel, depth)
        elif roll < 0.94:
            end.conditions.append(grounder.condition(end))

    def _add_second_hop(self, rel: QueryRelationship, depth: int) -> None:
        others = [hop for hop in self._grounder.hops(rel.node) if not self._used & hop.type_names]
        if not others:
            raise UnfitError("no second hop")
        hop = self._rng.choices(others, [hop.weight for hop in others])[0]
        second = self._grounder.follow(rel.node, hop, avoid=frozenset(self._grounder.instances.values()))
        self._used |= hop.type_names
        self._restrict_neighbour(second, depth + 1)
        rel.node.relationships.append(second)

    def _name_two_neighbours(self, root: QueryNode) -> None:
        """Name two neighbours over the same hop: `that COPD and asthma have in common`."""
        hop = self._grounder.choose_hop(root, self._used)
        names = self._context.lexicon.labels[hop.end_label].naming_properties
        if not names or hop.types:
            raise UnfitError("no names")
        rel = self._grounder.follow(root, hop)
        rel.node.conditions.append(self._grounder.compare(rel.node, names[0], frozenset({"eq"})))
        root.relationships.append(rel)
        self._add_coordinated_neighbour(root, rel, hop)
        if rel.node.conditions[0].conjoined_value is None:
            raise UnfitError("no second neighbour")
        self._used |= hop.type_names

    def _add_coordinated_neighbour(self, node: QueryNode, rel: QueryRelationship, hop: Hop) -> None:
        """Require a second named neighbour over the same hop, if there is one: `with both nausea and headache`."""
        conditions = rel.node.conditions
        names = self._context.lexicon.labels[rel.node.label].naming_properties[:1]
        if rel.conditions or rel.node.relationships or len(conditions) != 1:
            return
        first = conditions[0]
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return
        try:
            second = self._grounder.follow(
                node, hop, avoid=frozenset({self._grounder.instances[id(rel.node)]})
            )
        except UnfitError:
            return
        value = self._grounder.properties(second.node).get(first.name)
        if not isinstance(value, str) or value == first.mentions[0].value:
            return
        first.conjoined_value = self._grounder.mention(value, "string")
        second.node.conditions.append(PropertyPredicate(first.name, "eq", (first.conjoined_value,)))
        second.is_unverbalised = True
        node.relationships.append(second)
