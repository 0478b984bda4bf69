"""Names what a pattern returns, and the root, in the words of the lexicon.

Each hole of a wording has a mode: `{a}` one, `{a+}` many, `{a!}` the property alone, `{a@}` joined to the root,
`{a.role}` what it is called seen from the root. Holds no query and makes no choice of what is returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.phrasing import article, inflect
from t2c_data.slots import parse_hole
from t2c_data.tree import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_data.lexicon import Noun
    from t2c_data.slots import Slot
    from t2c_data.tree import Node
    from t2c_data.verbalise import Speaker

SINGULAR = 0.18
"""How often a root that may be several is spoken of as one: "the case reported by a consumer"."""
PEOPLE = 0.2
TYPE_NAMED = 0.05
"""How often a link's property is said to be "in the HAS_REACTION relationship"."""
_CLAUSES = ("where ", "who ", "in which ", "whose ", "pre:")


class Namer:
    """Says the root and the slots of one filled pattern, once for each wording.

    Args:
        speaker: says trees.
        slots: what is returned.
        root: the tree.
        apart: views of the tree if its conditions are said in two places: the first and the rest.
    """

    def __init__(self, speaker: Speaker, slots: dict[str, Slot], root: Node, apart: Sequence[Node]) -> None:
        self._speaker = speaker
        self._world = speaker.world
        self._rng = speaker.rng
        self._slots = slots
        self._root = root
        self._first = apart[0] if apart else root
        self._rest = apart[1] if apart else root
        self._narrowed = bool(root.conditions or root.links)
        self._nouns: tuple[Noun, ...] = ()
        self.singular = False
        self.people = False
        self.stranger: Noun | None = None
        """A noun that takes the place of what slot `a` is called, for questions that have no answer."""

    def begin(self) -> None:
        """Begin a wording: choose number and noun anew."""
        words = self._world.lexicon.labels[self._root.label]
        named = bool(self._speaker.called(self._first))
        single = self._world.unique(self._root) or named
        self.singular = single or (self._narrowed and self._rng.random() < SINGULAR)
        self.people = bool(words.people) and self._rng.random() < PEOPLE
        self._nouns = () if self.people else (self._rng.choice(words.nouns),)

    def say(self, hole: str) -> str:
        """Say a hole of a wording.

        Raises:
            UnfitError: the lexicon has no words for it here.
            TemplateError: there is no such hole.
        """
        if hole in _ROOT_HOLES:
            return _ROOT_HOLES[hole](self)
        name, mode, plural = parse_hole(hole)
        slot = self._slots.get(name)
        if slot is None or (slot.mention is None and mode not in _MODES):
            raise TemplateError(f"no hole {{{hole}}}; modes: {', '.join(_MODES)}")
        return slot.mention.mark if slot.mention is not None else _MODES[mode](self, slot, plural)

    # the root

    def noun(self, *, plural: bool) -> str:
        """Say the root's noun."""
        return self._rng.choice(self._nouns or self._world.lexicon.labels[self._root.label].people)[plural]

    def several(self) -> str:
        """Say the root with its conditions: `cases that resulted in death`."""
        return self._speaker.phrase(self._first, plural=True, nouns=self._nouns, people=self.people)

    def one(self) -> str:
        """Say the root in the singular."""
        return self._speaker.phrase(self._first, plural=False, nouns=self._nouns, people=self.people)

    def the(self) -> str:
        """Say the root with its article: `the case with primary ID 5`, `all cases that ...`."""
        if self.singular:
            called = self._speaker.called(self._first)
            return called or ("the " if self._rng.random() < 0.95 else "") + self.one()
        return self._rng.choice(("", "", "the ", "all ", "all the ", "our ")) + self.several()

    def theirs(self) -> str:
        """Say the root as what its group has done: `cases they registered that resulted in death`."""
        link = self._one_step(self._slots["g"])
        if link.forward:
            raise UnfitError("not theirs")
        said = [
            each
            for each in self._speaker.bare(link, backward=True)
            if re.fullmatch(r"that (have )?\w+ed \{\}", each)
        ]
        verb = self._speaker.pick(said).removeprefix("that ").removesuffix(" {}")
        return self._with_noun(f"they {verb}")

    def rest(self) -> str:
        """Say the conditions that are said apart as a finite clause."""
        return self._speaker.clause(self._rest, plural=not self.singular, people=self.people)

    def amount(self) -> str:
        """Say how many neighbours a condition wants."""
        said = self._speaker.amounts(self._root.degrees[0])
        return next(each.removeprefix("having ") for each in said if each.startswith("having "))

    def twins(self) -> str:
        """Say the two neighbours of the same kind by their names: `COPD and asthma`."""
        for link in self._first.links:
            first = link.node.conditions[0] if link.node.conditions else None
            if first is not None and first.also is not None:
                return f"{first.mentions[0].mark} and {first.also.mark}"
        raise UnfitError("no two neighbours")

    def _with_noun(self, behind: str) -> str:
        one, many = self._speaker.noun(self._root.label)
        return self._speaker.phrase(
            self._first, plural=True, nouns=((f"{one} {behind}", f"{many} {behind}"),)
        )

    # slots

    def name(self, slot: Slot, plural: bool) -> str:
        """Name a slot so that it can be told from everything else."""
        if slot.part is self._root or not slot.path:
            return self.property(slot, plural)
        return (
            self._link_property(slot, plural)
            if isinstance(slot.part, Link)
            else self._neighbour(slot, plural, head=False)
        )

    def property(self, slot: Slot, plural: bool) -> str:
        """Name the property alone."""
        if self.stranger is not None and slot is self._slots.get("a"):
            return self.stranger[plural]
        return self._speaker.phraser.noun(self._world.owner(slot.part), slot.name, plural=plural)

    def role(self, slot: Slot, plural: bool) -> str:
        """Say what a slot's node is called, seen from the root."""
        if slot.part is self._root:
            return self.noun(plural=plural)
        link = slot.path[-1]
        if len(slot.path) > 1 and self._rng.random() < 0.4:
            middle = self._speaker.noun(slot.path[0].node.label)[1]
            return f"{self._speaker.noun(link.node.label)[plural]} {self._backward(link, middle, plural)}"
        return self._speaker.role(link, plural=plural, certain=slot.present)

    def _link_property(self, slot: Slot, plural: bool) -> str:
        noun = self.property(slot, plural)
        link = slot.path[0]
        if self._rng.random() < TYPE_NAMED:
            kind = self._rng.choice((link.triple.type, f"'{link.triple.type}'"))
            used = self._rng.choice(("used in", "in", "values in", "values for", "properties for"))
            many = self._rng.choice(("relationship", "relationships"))
            return f"{noun} {used} {self._rng.choice(('the ', ''))}{kind} {many}"
        if slot.present or not link.forward or (self._rng.random() < 0.6 and self._alone(slot)):
            return noun
        return (
            f"{noun} {self._rng.choice(('of', 'for', 'of'))} the {self.role(slot, self._rng.random() < 0.5)}"
        )

    def _neighbour(self, slot: Slot, plural: bool, *, head: bool) -> str:
        noun, role = self.property(slot, plural), self.role(slot, False)
        words = self._world.lexicon.labels[self._world.owner(slot.part)]
        naming = slot.name == words.key or slot.name in words.name[:1]
        doubled = noun.lower() == role.lower() or role.endswith(noun) or noun.startswith(role)
        if naming and (doubled or self._rng.random() < 0.5):
            return self.role(slot, plural)
        if doubled:
            return noun
        if head or self._rng.random() < 0.5 or " that " in role or " listed " in role:
            return f"{noun} of the {self.role(slot, plural)}"
        return f"{role}'s {noun}" if slot.present and self._rng.random() < 0.4 else f"{role} {noun}"

    def _alone(self, slot: Slot) -> bool:
        """Tell whether a link's property can be named without saying which link."""
        owners = {owner for owner, name in self._world.lexicon.properties if name == slot.name}
        return len(owners) == 1 or self._world.lexicon.link(slot.path[0].triple).assumed

    def _backward(self, link: Link, thing: str, plural: bool) -> str:
        phrase = self._speaker.pick(self._speaker.bare(link, backward=True))
        return inflect(phrase.replace("{}", thing), plural=plural)

    def join(self, slot: Slot, head: str, plural: bool, thing: str) -> str:
        """Join what a slot returns to the root: `reactions reported in the case with primary ID 5`."""
        short = self._rng.choice(("in", "for", "of"))
        if not slot.path:
            return f"{head} of {thing}"
        if isinstance(slot.part, Link):
            return f"{head} {short} {thing}"
        if len(slot.path) == 1:
            return f"{head} {self._backward(slot.path[0], thing, plural)}"
        first, second = slot.path[0], slot.path[-1]
        if self._rng.random() < 0.5:
            return f"{head} {short} {thing}"
        one, many = self._speaker.noun(first.node.label)
        if self._rng.random() < 0.5:
            middle = self._rng.choice((many, f"the {many}", article(one)))
            return f"{head} {self._backward(second, middle, plural)} {self._backward(first, thing, True)}"
        return f"{head} {self._backward(second, one, plural)} {short} {thing}"

    def joined(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to the root."""
        return self.join(slot, self._head(slot, plural), plural, self.the())

    def joined_to_these(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "these cases"."""
        return self.join(slot, self._head(slot, plural), plural, self._these())

    def joined_to_them(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "them"."""
        return self.join(slot, self._head(slot, plural), plural, "them")

    def _head(self, slot: Slot, plural: bool) -> str:
        if slot.part is self._root or isinstance(slot.part, Link):
            return self.name(slot, plural)
        return self._neighbour(slot, plural, head=True)

    def _these(self) -> str:
        return self._rng.choice(("these ", "those ", "the ", "such ")) + self.noun(plural=True)

    def _one_step(self, slot: Slot) -> Link:
        if len(slot.path) != 1:
            raise UnfitError("not a neighbour")
        return slot.path[0]

    # further modes

    def each(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the root with its group in its place: `cases registered by each manufacturer that ...`."""
        link = self._one_step(slot)
        if isinstance(slot.part, Link) or slot.name != self._world.lexicon.labels[slot.part.label].key:
            raise UnfitError("not a neighbour that has a name")
        phrases = [
            each
            for each in self._speaker.bare(link)
            if each.endswith(" {}") and not each.startswith("whose ")
        ]
        group = self._rng.choice(("each ", "each ", "every ")) + self._speaker.noun(link.node.label)[0]
        return self._with_noun(inflect(self._speaker.pick(phrases), plural=True).replace("{}", group))

    def thing(self, slot: Slot, plural: bool) -> str:
        """Say the far end of a link, and what it is there if another link would be meant otherwise."""
        link = slot.path[0]
        if self._world.rivals(link) and not self._world.lexicon.link(link.triple).assumed:
            return self.thing_as(slot, plural)
        return self._speaker.thing(link)

    def thing_as(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the far end of a link and what it is there: `'X' as a primary suspect drug`."""
        return f"{self._speaker.thing(slot.path[0])} as {article(self.role(slot, False))}"

    def value(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say again the value that names the far end of a link."""
        conditions = slot.path[0].node.conditions
        if len(conditions) != 1 or conditions[0].operator != "eq" or not conditions[0].mentions:
            raise UnfitError("no value to say again")
        return conditions[0].mentions[0].mark

    def where(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the condition that is said apart as what follows "where": `the route is oral`."""
        said = [each for each in self._apart(slot) if each.startswith("where ")]
        return self._speaker.pick(said).removeprefix("where the ").removeprefix("where ")

    def with_(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the condition that is said apart behind a noun: `with the route 'Oral'`."""
        if slot.counted:
            return self._plainly(slot.path[0], finite=True)
        said = [each for each in self._apart(slot) if not each.startswith((*_CLAUSES, "that "))]
        return inflect(self._speaker.pick(said), plural=False)

    def _apart(self, slot: Slot) -> list[str]:
        if slot.stated is None:
            raise UnfitError("no condition of its own")
        return self._speaker.phraser.say(slot.path[0].triple.type, slot.stated)

    def plain_first(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what is counted first: `reported by 'A'`."""
        return self._plainly(slot.path[0])

    def plain_second(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what is counted second."""
        return self._plainly(slot.path[1])

    def second(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say only the value of what is counted second."""
        return slot.path[1].node.conditions[0].mentions[0].mark

    def _plainly(self, link: Link, *, finite: bool = False) -> str:
        without = _CLAUSES if finite else (*_CLAUSES, "that ")
        phrase = self._speaker.pick(
            [each for each in self._speaker.linked(link) if not each.startswith(without)]
        )
        return inflect(self._speaker.finished(phrase, link), plural=True)

    def most(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the superlative for the greatest: `oldest`."""
        return self._speaker.pick(self._speaker.phraser.words(self._world.owner(slot.part), slot.name).most)

    def least(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the superlative for the least: `youngest`."""
        return self._speaker.pick(self._speaker.phraser.words(self._world.owner(slot.part), slot.name).least)

    def back(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what a neighbour is to the root, behind "is": `listed as a primary suspect in`."""
        phrases = [
            each
            for each in self._speaker.bare(slot.path[0], backward=True)
            if each.startswith("that [is|are]")
        ]
        text = inflect(self._speaker.pick(phrases), plural=False)
        return text.removeprefix("that is ").replace(" {}", "").replace("{} ", "")

    def do(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what the root does, behind "does": `treat`, `belong to`."""
        phrases = [
            each
            for each in self._speaker.bare(slot.path[0])
            if re.fullmatch(r"that \[\w+\|\w+\][^{}]* \{\}", each)
        ]
        phrases = [each for each in phrases if not each.startswith(("that [is|", "that [has|", "that [was|"))]
        return inflect(self._speaker.pick(phrases), plural=True).removeprefix("that ").removesuffix(" {}")

    def be(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what the root is, behind "is": `contraindicated in`."""
        said = [
            each
            for each in self._speaker.bare(slot.path[0])
            if re.fullmatch(r"that \[is\|are\] [^{}]+ \{\}", each)
        ]
        return self._speaker.pick(said).removeprefix("that [is|are] ").removesuffix(" {}")

    def flag(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what a boolean of the root says, behind "is": `prescription-only`."""
        words = self._speaker.phraser.words(self._world.owner(slot.part), slot.name)
        said = [
            each.removeprefix("that [is|are] ") for each in words.yes if each.startswith("that [is|are] ")
        ]
        return self._speaker.pick(said + list(words.values.get("true", ())))

    def when(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say what happened to the root on a date, behind "was": `hired`."""
        words = self._speaker.phraser.words(self._world.owner(slot.part), slot.name)
        return self._speaker.pick(
            [each.removesuffix(" {}") for each in words.when if re.fullmatch(r"\w+(ed|en|n) \{\}", each)]
        )

    def before(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say the condition that is said apart before a noun: `rare`."""
        if slot.stated is None or not slot.stated.mentions or slot.stated.mentions[0].kind != "string":
            raise UnfitError("no adjective")
        return slot.stated.mentions[0].mark

    def who(self) -> str:
        """Ask for people."""
        if not self._world.lexicon.labels[self._root.label].people:
            raise UnfitError("no people")
        return "who"

    def shares(self, slot: Slot, plural: bool) -> str:  # noqa: ARG002
        """Say that others have the same neighbour: `treat the same disease`."""
        link = slot.path[0]
        phrases = [each for each in self._speaker.bare(link) if each.startswith("that ")]
        text = inflect(self._speaker.pick(phrases), plural=True).removeprefix("that ")
        return text.replace("{}", f"the same {self._speaker.noun(link.node.label)[0]}")


_ROOT_HOLES: dict[str, Callable[[Namer], str]] = {
    "np": Namer.several,
    "np1": Namer.one,
    "the np": Namer.the,
    "np they": Namer.theirs,
    "noun": lambda namer: namer.noun(plural=False),
    "nouns": lambda namer: namer.noun(plural=True),
    "clause": lambda namer: namer._speaker.clause(namer._first, plural=True, people=namer.people),
    "where": lambda namer: namer._speaker.where(namer._first),
    "rest": Namer.rest,
    "rest.that": lambda namer: "that " + namer.rest(),
    "rest.where": lambda namer: namer._speaker.where(namer._rest),
    "amount": Namer.amount,
    "twins": Namer.twins,
    "clause1": lambda namer: namer._speaker.clause(namer._first, plural=False, people=namer.people),
    "who": Namer.who,
    "was": lambda namer: "was" if namer.singular else "were",
    "is": lambda namer: "is" if namer.singular else "are",
    "does": lambda namer: "does" if namer.singular else "do",
}
_MODES: dict[str, Callable[[Namer, Slot, bool], str]] = {
    "": Namer.name,
    ".or": lambda namer, slot, plural: "one" if namer._rng.random() < 0.15 else namer.name(slot, plural),
    "!": Namer.property,
    "@": Namer.joined,
    "@these": Namer.joined_to_these,
    "@them": Namer.joined_to_them,
    ".role": Namer.role,
    ".role@": lambda namer, slot, plural: namer.join(slot, namer.role(slot, plural), plural, namer.the()),
    ".role@these": lambda namer, slot, plural: namer.join(
        slot, namer.role(slot, plural), plural, namer._these()
    ),
    ".role.a": lambda namer, slot, _: article(namer.role(slot, False)),
    ".of": lambda namer, slot, plural: namer.join(slot, "", plural, namer.the()).strip(),
    ".noun": lambda namer, slot, plural: namer._speaker.noun(slot.path[0].node.label)[plural],
    ".thing": Namer.thing,
    ".thing.as": Namer.thing_as,
    ".value": Namer.value,
    ".each": Namer.each,
    ".where": Namer.where,
    ".with": Namer.with_,
    ".plain1": Namer.plain_first,
    ".plain2": Namer.plain_second,
    ".value2": Namer.second,
    ".most": Namer.most,
    ".least": Namer.least,
    ".one": lambda _, slot, __: slot.values[0].mark,
    ".two": lambda _, slot, __: slot.values[1].mark,
    ".both": lambda _, slot, __: f"{slot.values[0].mark} and {slot.values[1].mark}",
    ".back": Namer.back,
    ".do": Namer.do,
    ".be": Namer.be,
    ".flag": Namer.flag,
    ".when": Namer.when,
    ".before": Namer.before,
    ".share": Namer.shares,
    ".shared": lambda namer, slot, _: namer._speaker.role(slot.path[0], plural=False),
}
