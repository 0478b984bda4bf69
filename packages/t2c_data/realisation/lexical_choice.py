"""What a thing is called: its label's noun, what it is to its neighbour, the value that names it.

Every choice comes from a generator. Whole phrases are in `links` and `verbalise`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.realisation.morphology import join_with_or

if TYPE_CHECKING:
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship


class LexicalChooser:
    """Calls nodes by a word or by a value.

    Args:
        world: the graph and its lexicon.
        rng: every choice comes from it.
    """

    def __init__(self, world: GraphContext, rng: Random) -> None:
        self._world = world
        self._rng = rng

    def label_noun(self, label: str) -> Noun:
        """Choose a label's noun."""
        return self._rng.choice(self._world.lexicon.labels[label].nouns)

    def role_noun(self, link: QueryRelationship, *, certain: bool = False) -> Noun:
        """Choose what the far end of a link is called, seen from its holder.

        Args:
            link: the link.
            certain: whether the label's own noun would do, since the tree has the link already.

        Raises:
            UnfitError: no word tells it from what other links lead to.
        """
        words = self._world.link_words(link)
        roles = list(words.target if link.forward else words.source)
        nouns = self._world.lexicon.labels[link.node.label].nouns
        plain = certain or not self._world.is_ambiguous(link) or (words.assumed and self._rng.random() < 0.1)
        if not plain and not words.assumed:
            roles = [each for each in roles if each not in nouns]
            if not roles:
                raise UnfitError("no name that tells it from what other links lead to")
        if not roles or (plain and self._rng.random() < 0.5):
            return self._rng.choice([*roles, self._rng.choice(nouns), self._rng.choice(nouns)])
        return self._rng.choice(roles)

    def value(self, node: QueryNode) -> str:
        """Say only the value by which a node is named; empty if it is not named so."""
        if len(node.conditions) != 1 or node.links or node.degrees:
            return ""
        condition = node.conditions[0]
        if not condition.mentions or not self._is_plain(node.label, condition):
            return ""
        marks = [each.sentinel for each in condition.mentions]
        if condition.operator == "eq" and condition.conjoined_value is not None:
            return (
                self._rng.choice(("both ", "both ", ""))
                + f"{marks[0]} and {condition.conjoined_value.sentinel}"
            )
        if condition.operator == "in":
            return self._rng.choice(("", "either ")) + join_with_or(marks)
        return marks[0] if condition.operator == "eq" else ""

    def _is_plain(self, label: str, condition: PropertyPredicate) -> bool:
        """Tell whether a bare value can only mean this property."""
        for name in self._world.lexicon.labels[label].name:
            if name == condition.name:
                return True
            other = self._world.sample.folded.get((label, name), frozenset())
            if any(str(each.value).lower() in other for each in condition.mentions):
                return False
        return False
