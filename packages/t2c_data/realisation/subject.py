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
    from t2c_data.planning.query_tree import Link, Node
    from t2c_data.realisation.noun_phrases import Speaker

SINGULAR = 0.18
"""How often a root that may be several is spoken of as one: "the case reported by a consumer"."""
PEOPLE = 0.2
_ARTICLES = ("", "", "the ", "all ", "all the ", "our ")


class Subject:
    """Says the root.

    Args:
        speaker: says trees.
        node: the tree.
        apart: views of the tree if its conditions are said in two places: the first and the rest.
        several_only: whether the question is about several in any case, as figures are.
    """

    def __init__(
        self, speaker: Speaker, node: Node, apart: Sequence[Node], *, several_only: bool = False
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
        self.several_only = several_only
        self.singular = False
        self.told = False
        """Whether the wording has said all that narrows the root."""
        self.people = False

    def begin(self) -> None:
        """Begin a wording: choose number and nouns anew."""
        self._speaker.phraser.begin()
        self.told = not self._narrowed
        words = self._world.lexicon.labels[self.node.label]
        named = bool(self._speaker.called(self._first))
        single = self._world.unique(self.node) or named
        self.singular = single or (self._narrowed and not self.several_only and self._rng.random() < SINGULAR)
        self.people = bool(words.people) and self._rng.random() < PEOPLE
        self._nouns = () if self.people else (self._rng.choice(words.nouns),)

    def noun(self, *, plural: bool) -> str:
        """Say the root's noun."""
        return self._rng.choice(self._nouns or self._world.lexicon.labels[self.node.label].people)[plural]

    def several(self) -> str:
        """Say the root with its conditions: `cases that resulted in death`."""
        self.told = self._many = True
        return self._speaker.phrase(self._first, plural=True, nouns=self._nouns, people=self.people)

    def one(self) -> str:
        """Say the root in the singular."""
        self.told, self._many = True, False
        return self._speaker.phrase(self._first, plural=False, nouns=self._nouns, people=self.people)

    def the(self, *, whole: bool = True) -> str:
        """Say the root with its article: `the case with primary ID 5`, `all cases that ...`.

        Args:
            whole: whether "all" may stand before it; behind a verb that would mean each of them.
        """
        if self.singular:
            called = self._speaker.called(self._first)
            self.told, self._many = True, False
            return called or "the " + self.one()
        return self._rng.choice(_ARTICLES if whole else _ARTICLES[:3]) + self.several()

    def possessive(self) -> str:
        """Say whose: `its`, or `their` of several and of people."""
        people = self._world.lexicon.labels[self.node.label].people
        return "their" if self._many or people else "its"

    def clause(self, *, plural: bool) -> str:
        """Say what narrows the root as a finite clause: `resulted in death`."""
        self.told, self._many = True, plural
        return self._speaker.clause(self._first, plural=plural, people=self.people)

    def conditions(self) -> str:
        """Say what narrows the root as what follows "where": `the outcome is death`."""
        self.told = self._many = True
        return self._speaker.where(self._first)

    def rest(self) -> str:
        """Say the conditions that are said apart as a finite clause."""
        return self._speaker.clause(self._rest, plural=self._many, people=self.people)

    def rest_conditions(self) -> str:
        """Say the conditions that are said apart as what follows "where"."""
        return self._speaker.where(self._rest)

    def who(self) -> str:
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
        said = self._speaker.links.amounts(self.node.degrees[0])
        return pick(
            [each.removeprefix("having ") for each in said if each.startswith("having ")][:1], self._rng
        )

    def twins(self) -> str:
        """Say the two neighbours of the same kind by their names: `COPD and asthma`."""
        for link in self._first.links:
            first = link.node.conditions[0] if link.node.conditions else None
            if first is not None and first.also is not None:
                self.told = self.told or not (self.node.conditions or len(self._open_links()) > 1)
                return f"{first.mentions[0].mark} and {first.also.mark}"
        raise UnfitError("no two neighbours")

    def _open_links(self) -> list[Link]:
        return [each for each in self.node.links if not each.silent]

    def with_noun(self, behind: str) -> str:
        """Say the root with something right behind its noun: `cases they registered that resulted in death`."""
        self.told = self._many = True
        one, many = self._speaker.nouns.of(self.node.label)
        return self._speaker.phrase(
            self._first, plural=True, nouns=((f"{one} {behind}", f"{many} {behind}"),)
        )

    def these(self) -> str:
        """Say the root again: `these cases`."""
        return self._rng.choice(("these ", "those ", "such ")) + self.noun(plural=True)


SUBJECT_HOLES: dict[str, Callable[[Subject], str]] = {
    "np": Subject.several,
    "np1": Subject.one,
    "the np": Subject.the,
    "noun": lambda subject: subject.noun(plural=False),
    "nouns": lambda subject: subject.noun(plural=True),
    "clause": lambda subject: subject.clause(plural=True),
    "clause1": lambda subject: subject.clause(plural=False),
    "where": Subject.conditions,
    "rest": Subject.rest,
    "rest.that": lambda subject: "that " + subject.rest(),
    "rest.where": Subject.rest_conditions,
    "amount": Subject.amount,
    "twins": Subject.twins,
    "who": Subject.who,
    "was": lambda subject: "was" if subject.singular else "were",
    "is": lambda subject: "is" if subject.singular else "are",
    "does": lambda subject: "does" if subject.singular else "do",
    "its": Subject.possessive,
    "in": Subject.preposition,
}
