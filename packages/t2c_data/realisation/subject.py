"""The root of a question in words: its noun, its number and its conditions, chosen anew for each question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.realisation.conditions import pick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import QueryNode, QueryRelationship
    from t2c_data.realisation.noun_phrases import NounPhraseRealiser

SINGULAR_RATE = 0.18
"""How often a root that may be several nodes is singular: "the case reported by a consumer"."""
ANIMATE_RATE = 0.2
_DETERMINERS = ("", "", "the ", "all ", "all the ", "our ")


class RootRealiser:
    """Realises the root and records whether the question has verbalised all its conditions.

    Args:
        noun_phrases: realiser of trees.
        node: root of the tree.
        views: two views of the root if one condition is verbalised separately: all others, and that one.
        plural_only: whether the question is about several nodes in any case, as aggregates are.
    """

    def __init__(
        self,
        noun_phrases: NounPhraseRealiser,
        node: QueryNode,
        views: Sequence[QueryNode],
        *,
        plural_only: bool = False,
    ) -> None:
        self._noun_phrases = noun_phrases
        self._context = noun_phrases.context
        self._rng = noun_phrases.rng
        self.node = node
        self._first, self._separate = views or (node, node)
        self._nouns: tuple[Noun, ...] = ()
        self._is_plural = False
        """Whether the last mention of the root was plural."""
        self.plural_only = plural_only
        self.singular = False
        self.is_complete = False
        """Whether the question has verbalised all conditions."""
        self._is_animate = False

    def begin(self) -> None:
        """Start a new question: choose number and noun."""
        self._noun_phrases.predicates.reset()
        is_restricted = bool(self.node.conditions or self.node.count_predicates or self._verbalised())
        self.is_complete = not is_restricted
        words = self._context.lexicon.labels[self.node.label]
        is_named = bool(self._noun_phrases.proper_name(self._first))
        self.singular = (
            self._context.is_uniquely_identified(self.node)
            or is_named
            or (is_restricted and not self.plural_only and self._rng.random() < SINGULAR_RATE)
        )
        self._is_animate = bool(words.animate_nouns) and self._rng.random() < ANIMATE_RATE
        self._nouns = () if self._is_animate else (self._rng.choice(words.nouns),)

    def _mention(self, *, plural: bool) -> None:
        self.is_complete, self._is_plural = True, plural

    def _takes_who(self) -> bool:
        return bool(self._context.lexicon.labels[self.node.label].animate_nouns)

    def noun(self, *, plural: bool) -> str:
        """Return the noun of the root."""
        nouns = self._nouns or self._context.lexicon.labels[self.node.label].animate_nouns
        return self._rng.choice(nouns)[plural]

    def noun_phrase(self, *, plural: bool) -> str:
        """Realise the root with its conditions: `cases that resulted in death`."""
        self._mention(plural=plural)
        return self._noun_phrases.noun_phrase(
            self._first, plural=plural, nouns=self._nouns, animate=self._is_animate
        )

    def definite_np(self, *, allow_all: bool = True) -> str:
        """Realise the root with a determiner: `the case with primary ID 5`, `all cases that ...`.

        Args:
            allow_all: whether "all" is allowed; behind a verb it would mean each of them.
        """
        if self.singular:
            name = self._noun_phrases.proper_name(self._first)
            self._mention(plural=False)
            return name or "the " + self.noun_phrase(plural=False)
        determiners = _DETERMINERS if allow_all else _DETERMINERS[:3]
        return self._rng.choice(determiners) + self.noun_phrase(plural=True)

    def owner(self) -> str:
        """Realise a single root as the owner of something: `warfarin's`.

        Raises:
            UnfitError: the root has no proper name.
        """
        value = self._noun_phrases.nouns.value(self._first)
        if not self.singular or not value:
            raise UnfitError("no proper name")
        self._mention(plural=False)
        return f"{value}'s"

    def possessive_pronoun(self) -> str:
        """Return `its`, or `their` for several nodes and for people."""
        return "their" if self._is_plural or self._takes_who() else "its"

    def finite_clause(self, *, plural: bool) -> str:
        """Realise the conditions as a finite clause: `resulted in death`."""
        self._mention(plural=plural)
        return self._noun_phrases.finite_clause(self._first, plural=plural, animate=self._is_animate)

    def where_clause(self) -> str:
        """Realise the conditions as a clause behind "where": `the outcome is death`."""
        self._mention(plural=True)
        return self._noun_phrases.where_clause(self._first)

    def separate_clause(self) -> str:
        """Realise the separate condition as a finite clause."""
        return self._noun_phrases.finite_clause(
            self._separate, plural=self._is_plural, animate=self._is_animate
        )

    def separate_where(self) -> str:
        """Realise the separate condition as a clause behind "where"."""
        return self._noun_phrases.where_clause(self._separate)

    def interrogative_who(self) -> str:
        """Return `who`.

        Raises:
            UnfitError: the root is not a person.
        """
        if not self._takes_who():
            raise UnfitError("not animate")
        return "who"

    def preposition(self) -> str:
        """Return the preposition of what belongs to the root: `for` people, else `in`."""
        return "for" if self._takes_who() else "in"

    def amount(self) -> str:
        """Realise the number of neighbours that a condition requires: `more than 3 reactions`."""
        self.is_complete = self.is_complete or not (self.node.conditions or self._verbalised())
        phrases = self._noun_phrases.relationships.count_phrases(self.node.count_predicates[0])
        amounts = [each.removeprefix("having ") for each in phrases if each.startswith("having ")]
        return pick(amounts[:1], self._rng)

    def coordinated_names(self) -> str:
        """Realise two coordinated neighbours by their names: `COPD and asthma`.

        Raises:
            UnfitError: the root has none.
        """
        for rel in self._first.relationships:
            first = rel.node.conditions[0] if rel.node.conditions else None
            if first is not None and first.conjoined_value is not None:
                is_only = not self.node.conditions and len(self._verbalised()) < 2
                self.is_complete = self.is_complete or is_only
                return f"{first.mentions[0].sentinel} and {first.conjoined_value.sentinel}"
        raise UnfitError("no coordinated neighbours")

    def _verbalised(self) -> list[QueryRelationship]:
        return [each for each in self.node.relationships if not each.is_unverbalised]

    def with_postmodifier(self, text: str) -> str:
        """Realise the root with a text right behind its noun: `cases they registered that resulted in death`."""
        self._mention(plural=True)
        noun, plural_noun = self._noun_phrases.nouns.label_noun(self.node.label)
        nouns = ((f"{noun} {text}", f"{plural_noun} {text}"),)
        return self._noun_phrases.noun_phrase(self._first, plural=True, nouns=nouns)

    def demonstrative_np(self) -> str:
        """Mention the root again: `these cases`."""
        return self._rng.choice(("these ", "those ", "such ")) + self.noun(plural=True)


ROOT_FORMATS: dict[str, Callable[[RootRealiser], str]] = {
    "np": lambda root: root.noun_phrase(plural=True),
    "np1": lambda root: root.noun_phrase(plural=False),
    "the np": RootRealiser.definite_np,
    "noun": lambda root: root.noun(plural=False),
    "nouns": lambda root: root.noun(plural=True),
    "clause": lambda root: root.finite_clause(plural=True),
    "clause1": lambda root: root.finite_clause(plural=False),
    "where": RootRealiser.where_clause,
    "rest": RootRealiser.separate_clause,
    "rest.that": lambda root: "that " + root.separate_clause(),
    "rest.where": RootRealiser.separate_where,
    "amount": RootRealiser.amount,
    "twins": RootRealiser.coordinated_names,
    "who": RootRealiser.interrogative_who,
    "was": lambda root: "was" if root.singular else "were",
    "is": lambda root: "is" if root.singular else "are",
    "does": lambda root: "does" if root.singular else "do",
    "its": RootRealiser.possessive_pronoun,
    "in": RootRealiser.preposition,
    "owner": RootRealiser.owner,
}
"""Realisations of placeholders for the root."""
