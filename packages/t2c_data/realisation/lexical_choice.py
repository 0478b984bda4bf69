"""Lexical choice: the noun of a label, the role noun of a neighbour, the value that names a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import join_with_or

if TYPE_CHECKING:
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship


class LexicalChooser:
    """Chooses nouns and names for nodes.

    Args:
        context: graph with its lexicon.
        rng: source of all random choices.
    """

    def __init__(self, context: GraphContext, rng: Random) -> None:
        self._context = context
        self._rng = rng

    def label_noun(self, label: str) -> Noun:
        """Choose a noun of a label."""
        return self._rng.choice(self._context.lexicon.labels[label].nouns)

    def roles(self, rel: QueryRelationship) -> list[Noun]:
        """List the role nouns of a far end, without nouns of its label where these are ambiguous."""
        words = self._context.relationship_entry(rel)
        roles = list(words.target_role if rel.forward else words.source_role)
        if self._context.is_ambiguous(rel) and not words.is_default:
            nouns = self._context.lexicon.labels[rel.node.label].nouns
            roles = [each for each in roles if each not in nouns]
        return roles

    def role_noun(self, rel: QueryRelationship, *, is_certain: bool = False) -> Noun:
        """Choose a noun for the far end of a relationship as seen from its anchor.

        Args:
            rel: relationship.
            is_certain: whether the label's own noun suffices because the question mentions the relationship.

        Raises:
            UnfitError: no noun distinguishes it from the far ends of other relationships.
        """
        words = self._context.relationship_entry(rel)
        nouns = self._context.lexicon.labels[rel.node.label].nouns
        is_plain = (
            is_certain
            or not self._context.is_ambiguous(rel)
            or (words.is_default and self._rng.random() < 0.1)
        )
        if is_plain:
            roles = list(words.target_role if rel.forward else words.source_role)
        elif not (roles := self.roles(rel)) and not words.is_default:
            raise UnfitError("no noun that distinguishes it from the far ends of other relationships")
        if not roles or (is_plain and self._rng.random() < 0.5):
            return self._rng.choice([*roles, self._rng.choice(nouns), self._rng.choice(nouns)])
        return self._rng.choice(roles)

    def value(self, node: QueryNode) -> str:
        """Return only the value by which a node is named; empty if it is not named."""
        verbalised = any(not each.is_unverbalised for each in node.relationships)
        if len(node.conditions) != 1 or verbalised or node.count_predicates:
            return ""
        condition = node.conditions[0]
        if not condition.mentions or not self._is_name(node.label, condition):
            return ""
        sentinels = [each.sentinel for each in condition.mentions]
        if condition.operator == "eq" and condition.conjoined_value is not None:
            both = self._rng.choice(("both ", "both ", ""))
            return f"{both}{sentinels[0]} and {condition.conjoined_value.sentinel}"
        if condition.operator == "in":
            return self._rng.choice(("", "either ")) + join_with_or(sentinels)
        return sentinels[0] if condition.operator == "eq" else ""

    def _is_name(self, label: str, condition: PropertyPredicate) -> bool:
        """Return whether a bare value can only mean this property."""
        for name in self._context.lexicon.labels[label].naming_properties:
            if name == condition.name:
                return True
            other = self._context.sample.folded.get((label, name), frozenset())
            if any(str(each.value).lower() in other for each in condition.mentions):
                return False
        return False
