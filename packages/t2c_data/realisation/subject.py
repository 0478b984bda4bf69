"""Says the root of a filled pattern: its noun, its number, what narrows it; anew in each wording.

Keeps account of whether a wording has said all that narrows the root. Holds nothing of what is returned (see `asked`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.realisation.conditions import pick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import QueryNode, QueryRelationship
    from t2c_data.realisation.noun_phrases import NounPhraseRealiser

SINGULAR = 0.18
"""How often a root that may be several is spoken of as one: "the case reported by a consumer"."""
PEOPLE = 0.2
_ARTICLES = ("", "", "the ", "all ", "all the ", "our ")


class RootRealiser:
    """Says the root.

    Args:
        speaker: says trees.
        node: the tree.
        apart: views of the tree if its conditions are said in two places: the first and the rest.
        several_only: whether the question is about several in any case, as figures are.
    """

    def __init__(
        self,
        speaker: NounPhraseRealiser,
        node: QueryNode,
        apart: Sequence[QueryNode],
        *,
        plural_only: bool = False,
    ) -> None:
        self._speaker = speaker
        self._world = speaker.world
        self._rng = speaker.rng
        self.node = node
        self._first = apart[0] if apart else node
        self._rest = apart[1] if apart else node
        self._narrowed = bool(node.conditions or node.degrees or self._open_links())
        self._nouns: tuple[Noun, ...] = ()
        self._many = False
        """Whether the root was last spoken of in the plural."""
        self.plural_only = plural_only
        self.singular = False
        self.told = False
        """Whether the wording has said all that narrows the root."""
        self.people = False

    def begin(self) -> None:
        """Begin a wording: choose number and nouns anew."""
        self._speaker.phraser.reset()
        self.told = not self._narrowed
        words = self._world.lexicon.labels[self.node.label]
        named = bool(self._speaker.proper_name(self._first))
        single = self._world.is_uniquely_identified(self.node) or named
        self.singular = single or (self._narrowed and not self.plural_only and self._rng.random() < SINGULAR)
        self.people = bool(words.people) and self._rng.random() < PEOPLE
        self._nouns = () if self.people else (self._rng.choice(words.nouns),)

    def noun(self, *, plural: bool) -> str:
        """Say the root's noun."""
        return self._rng.choice(self._nouns or self._world.lexicon.labels[self.node.label].people)[plural]

    def plural_np(self) -> str:
        """Say the root with its conditions: `cases that resulted in death`."""
        self.told = self._many = True
        return self._speaker.noun_phrase(self._first, plural=True, nouns=self._nouns, people=self.people)

    def singular_np(self) -> str:
        """Say the root in the singular."""
        self.told, self._many = True, False
        return self._speaker.noun_phrase(self._first, plural=False, nouns=self._nouns, people=self.people)

    def definite_np(self, *, whole: bool = True) -> str:
        """Say the root with its article: `the case with primary ID 5`, `all cases that ...`.

        Args:
            whole: whether "all" may stand before it; behind a verb that would mean each of them.
        """
        if self.singular:
            called = self._speaker.proper_name(self._first)
            self.told, self._many = True, False
            return called or "the " + self.singular_np()
        return self._rng.choice(_ARTICLES if whole else _ARTICLES[:3]) + self.plural_np()

    def possessive_pronoun(self) -> str:
        """Say whose: `its`, or `their` of several and of people."""
        people = self._world.lexicon.labels[self.node.label].people
        return "their" if self._many or people else "its"

    def finite_clause(self, *, plural: bool) -> str:
        """Say what narrows the root as a finite clause: `resulted in death`."""
        self.told, self._many = True, plural
        return self._speaker.finite_clause(self._first, plural=plural, people=self.people)

    def conditions(self) -> str:
        """Say what narrows the root as what follows "where": `the outcome is death`."""
        self.told = self._many = True
        return self._speaker.where_clause(self._first)

    def separate_clause(self) -> str:
        """Say the conditions that are said apart as a finite clause."""
        return self._speaker.finite_clause(self._rest, plural=self._many, people=self.people)

    def separate_where(self) -> str:
        """Say the conditions that are said apart as what follows "where"."""
        return self._speaker.where_clause(self._rest)

    def interrogative_who(self) -> str:
        """Ask for people."""
        if not self._world.lexicon.labels[self.node.label].people:
            raise UnfitError("no people")
        return "who"

    def preposition(self) -> str:
        """Say how something belongs to it: `for` people, `in` all else."""
        return "for" if self._world.lexicon.labels[self.node.label].people else "in"

    def amount(self) -> str:
        """Say how many neighbours a condition wants."""
        self.told = self.told or not (self.node.conditions or self._open_links())
        said = self._speaker.links.count_phrases(self.node.degrees[0])
        return pick(
            [each.removeprefix("having ") for each in said if each.startswith("having ")][:1], self._rng
        )

    def coordinated_names(self) -> str:
        """Say the two neighbours of the same kind by their names: `COPD and asthma`."""
        for link in self._first.links:
            first = link.node.conditions[0] if link.node.conditions else None
            if first is not None and first.conjoined_value is not None:
                self.told = self.told or not (self.node.conditions or len(self._open_links()) > 1)
                return f"{first.mentions[0].sentinel} and {first.conjoined_value.sentinel}"
        raise UnfitError("no two neighbours")

    def _open_links(self) -> list[QueryRelationship]:
        return [each for each in self.node.links if not each.is_unverbalised]

    def with_noun(self, behind: str) -> str:
        """Say the root with something right behind its noun: `cases they registered that resulted in death`."""
        self.told = self._many = True
        singular_np, many = self._speaker.nouns.label_noun(self.node.label)
        return self._speaker.noun_phrase(
            self._first, plural=True, nouns=((f"{singular_np} {behind}", f"{many} {behind}"),)
        )

    def demonstrative_np(self) -> str:
        """Say the root again: `these cases`."""
        return self._rng.choice(("these ", "those ", "such ")) + self.noun(plural=True)


SUBJECT_HOLES: dict[str, Callable[[RootRealiser], str]] = {
    "np": RootRealiser.plural_np,
    "np1": RootRealiser.singular_np,
    "the np": RootRealiser.definite_np,
    "noun": lambda subject: subject.noun(plural=False),
    "nouns": lambda subject: subject.noun(plural=True),
    "clause": lambda subject: subject.finite_clause(plural=True),
    "clause1": lambda subject: subject.finite_clause(plural=False),
    "where": RootRealiser.conditions,
    "rest": RootRealiser.separate_clause,
    "rest.that": lambda subject: "that " + subject.separate_clause(),
    "rest.where": RootRealiser.separate_where,
    "amount": RootRealiser.amount,
    "twins": RootRealiser.coordinated_names,
    "who": RootRealiser.interrogative_who,
    "was": lambda subject: "was" if subject.singular else "were",
    "is": lambda subject: "is" if subject.singular else "are",
    "does": lambda subject: "does" if subject.singular else "do",
    "its": RootRealiser.possessive_pronoun,
    "in": RootRealiser.preposition,
}
