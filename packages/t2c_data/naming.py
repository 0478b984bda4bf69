"""Names what a pattern returns, and the root, in the words of the lexicon.

Each hole of a wording has a mode: `{a}` one, `{a+}` many, `{a!}` the property alone, `{a@}` joined to the root,
`{a.role}` what it is called seen from the root. Holds no query and makes no choice of what is returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError, UnfitError
from t2c_data.inflection import agreed, article, inflect, numbered
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
LONG_WAY = 0.8
"""How often the node between is named where it could be left out."""
TYPE_NAMED = 0.05
"""How often a link's property is said to be "in the HAS_REACTION relationship"."""
_CLAUSES = ("where ", "who ", "in which ", "whose ", "pre:")
_ARTICLES = ("", "", "the ", "all ", "all the ", "our ")
_LONG = re.compile(r" (that|used|listed|in|of|for|to|on|by|with) ")
_MANY = ("these ", "those ", "the ones", "such ", "them")
_WORDS = {"high": ("highest", "largest", "greatest"), "low": ("lowest", "smallest")}
_DOWN = (
    ("descending", "in descending order", "from high to low"),
    ("descending", "in descending order", "latest first", "from newest to oldest"),
)
_UP = (
    ("in ascending order", "ascending", "from low to high", ""),
    ("in ascending order", "earliest first", ""),
)
_DAYS = {"high": ("latest", "most recent"), "low": ("earliest",)}


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
        self._narrowed = bool(root.conditions or root.degrees or any(not each.silent for each in root.links))
        self._nouns: tuple[Noun, ...] = ()
        self.singular = False
        self.told = False
        """Whether the wording has said all that narrows the root."""
        self._many = False
        """Whether the root was last spoken of in the plural."""
        self.several_only = False
        """Whether the question is about several in any case, as figures are."""
        self.people = False
        self.stranger: Noun | None = None
        """A noun that takes the place of what slot `a` is called, for questions that have no answer."""

    def begin(self) -> None:
        """Begin a wording: choose number and nouns anew."""
        self._speaker.phraser.begin()
        self.told = not self._narrowed
        words = self._world.lexicon.labels[self._root.label]
        named = bool(self._speaker.called(self._first))
        single = self._world.unique(self._root) or named
        self.singular = single or (self._narrowed and not self.several_only and self._rng.random() < SINGULAR)
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

    def _possessive(self) -> str:
        """Say whose: `its`, or `their` of several and of people."""
        people = self._world.lexicon.labels[self._root.label].people
        return "their" if self._many or people else "its"

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

    def amount(self) -> str:
        """Say how many neighbours a condition wants."""
        self.told = self.told or not (self._root.conditions or self._open_links())
        said = self._speaker.amounts(self._root.degrees[0])
        return next(each.removeprefix("having ") for each in said if each.startswith("having "))

    def twins(self) -> str:
        """Say the two neighbours of the same kind by their names: `COPD and asthma`."""
        for link in self._first.links:
            first = link.node.conditions[0] if link.node.conditions else None
            if first is not None and first.also is not None:
                self.told = self.told or not (self._root.conditions or len(self._open_links()) > 1)
                return f"{first.mentions[0].mark} and {first.also.mark}"
        raise UnfitError("no two neighbours")

    def _open_links(self) -> list[Link]:
        return [each for each in self._root.links if not each.silent]

    def _with_noun(self, behind: str) -> str:
        self.told = self._many = True
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
        return self._role(slot)[plural]

    def _role(self, slot: Slot, *, certain: bool = False) -> Noun:
        if slot.part is self._root:
            return self.noun(plural=False), self.noun(plural=True)
        link = slot.path[-1]
        if len(slot.path) > 1 and (not self._short(slot) or self._rng.random() < LONG_WAY):
            first = slot.path[0]
            middle, noun = self._speaker.role(first)[1], self._speaker.noun(link.node.label)
            state = self._rng.getstate()
            singular = f"{noun[0]} {self._backward(link, middle, False)}"
            self._rng.setstate(state)
            return singular, f"{noun[1]} {self._backward(link, middle, True)}"
        return self._speaker.role(link, certain=certain or slot.present)

    def _short(self, slot: Slot) -> bool:
        """Tell whether a slot two steps away may be named without the node between."""
        return self._world.only_way(self._root.label, slot.path[-1].node.label)

    def _link_property(self, slot: Slot, plural: bool) -> str:
        noun = self.property(slot, plural)
        link = slot.path[0]
        if self._rng.random() < TYPE_NAMED:
            kind = self._rng.choice((link.triple.type, f"'{link.triple.type}'"))
            used = self._rng.choice(("used in", "in", "values in", "values for", "properties for"))
            many = self._rng.choice(("relationship", "relationships"))
            return f"{noun} {used} {self._rng.choice(('the ', ''))}{kind} {many}"
        alone = slot.present or " of the " in noun or self._alone(slot)
        if alone and (slot.present or not link.forward or " of the " in noun or self._rng.random() < 0.6):
            return noun
        if not link.forward:
            nouns = self._world.lexicon.labels[self._root.label].nouns
            roles = [each[0] for each in self._world.link_words(link).target if each not in nouns]
            return f"{noun} as {article(self._speaker.pick(roles))}"
        return f"{noun} {self._rng.choice(('of', 'for'))} the {self.role(slot, self._rng.random() < 0.5)}"

    def _neighbour(self, slot: Slot, plural: bool, *, head: bool) -> str:
        roles = self._role(slot, certain=head)
        if head and " that " in roles[0]:
            roles = self._speaker.noun(self._world.owner(slot.part))
        noun, role = self.property(slot, plural), roles[0]
        words = self._world.lexicon.labels[self._world.owner(slot.part)]
        naming = slot.name == words.key or slot.name in words.name[:1]
        owned = naming and noun.partition(" ")[0].removesuffix("'s") in role.split(" ")
        doubled = owned or noun.lower() == role.lower() or role.endswith(noun) or noun.startswith(role)
        if naming and (doubled or self._rng.random() < 0.5):
            return roles[plural]
        if doubled:
            return noun
        if len(slot.path) > 1 and not self._short(slot):
            return f"{noun} of the {roles[1]}"
        if head or self._rng.random() < 0.5 or _LONG.search(role):
            return f"{noun} of the {roles[plural or (head and self.several_only)]}"
        return f"{role}'s {noun}" if slot.present and self._rng.random() < 0.4 else f"{role} {noun}"

    def _alone(self, slot: Slot) -> bool:
        """Tell whether a link's property can be named without saying which link."""
        owner = self._world.owner(slot.part)
        noun = self.property(slot, False)
        others = {
            key[0]
            for key, words in self._world.lexicon.properties.items()
            if key[0] != owner and (noun == key[1] or any(noun == one for one, _ in words.nouns))
        }
        return not others or self._world.lexicon.link(slot.path[0].triple).assumed

    def _backward(
        self, link: Link, thing: str, plural: bool, *, one: bool = False, last: bool = False
    ) -> str:
        """Say the way back over a link; `one`: the thing there is one; `last`: it ends the phrase."""
        said = self._speaker.bare(link, backward=True)
        phrase = self._speaker.pick([each for each in said if not last or each.endswith("{}")])
        phrase = phrase if one else agreed(phrase)
        return numbered(phrase, plural=plural).replace("{}", thing)

    def join(self, slot: Slot, plural: bool, thing: str, *, role: bool = False) -> str:
        """Join what a slot returns to the root: `reactions reported in the case with primary ID 5`.

        Args:
            slot: what is returned.
            plural: its number.
            thing: the root.
            role: whether the thing itself is named and not its property.
        """
        short = self._rng.choice(("in", "for", "of"))
        one = self.singular and not thing.startswith(_MANY)
        far = len(slot.path) > 1
        if far and not self._short(slot) and (role or self._rng.random() < 0.3):
            return f"{self.role(slot, plural) if role else self.name(slot, plural)} {short} {thing}"
        head = self._far_head(slot, plural, role=role) if far else self._near_head(slot, plural, role=role)
        if not slot.path:
            return f"{head} of {thing}"
        if isinstance(slot.part, Link):
            return f"{head} {short} {thing}"
        if len(slot.path) == 1:
            number = plural or (self.several_only and " of the " in head)
            return f"{head} {self._backward(slot.path[0], thing, number, one=one)}"
        first, second = slot.path[0], slot.path[-1]
        if self._short(slot) and self._rng.random() > LONG_WAY:
            return f"{head} {short} {thing}"
        many = self._speaker.noun(first.node.label)[1]
        middle = self._rng.choice((many, f"the {many}"))
        near = self._backward(second, middle, plural, last=True)
        return f"{head} {near} {self._backward(first, thing, True, one=one)}"

    def joined(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to the root."""
        return self.join(slot, plural, self.the(whole=False))

    def joined_to_these(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "these cases"."""
        return self.join(slot, plural, self._these())

    def joined_to_them(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "them"."""
        return self.join(slot, plural, "them")

    def _near_head(self, slot: Slot, plural: bool, *, role: bool) -> str:
        return self.role(slot, plural) if role else self._head(slot, plural)

    def _far_head(self, slot: Slot, plural: bool, *, role: bool) -> str:
        """Name what is two steps away where the way to it is said behind."""
        words = self._world.lexicon.labels[self._world.owner(slot.part)]
        noun = self._speaker.role(slot.path[-1], certain=True)[plural]
        return noun if role or slot.name == words.key else f"{self.property(slot, plural)} of the {noun}"

    def _head(self, slot: Slot, plural: bool) -> str:
        if slot.part is self._root or isinstance(slot.part, Link):
            return self.name(slot, plural)
        return self._neighbour(slot, plural, head=True)

    def _these(self) -> str:
        return self._rng.choice(("these ", "those ", "such ")) + self.noun(plural=True)

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
        group = f"each {self._speaker.noun(link.node.label)[0]}"
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

    def _had(self, slot: Slot, plural: bool) -> str:
        """Name what the root has: something of its own or that its own link leads to."""
        if slot.path and not slot.path[0].forward:
            raise UnfitError("it belongs to the other end")
        return self.name(slot, plural)

    def _which(self, slot: Slot, plural: bool) -> str:
        """Name a neighbour where its name is what is returned."""
        link = self._one_step(slot)
        if isinstance(slot.part, Link) or slot.name != self._world.lexicon.labels[slot.part.label].key:
            raise UnfitError("not a neighbour that has a name")
        return self._speaker.noun(link.node.label)[plural]

    def is_plural(self, name: str) -> bool:
        """Tell whether a slot's noun has no singular: `languages`."""
        slot = self._slots.get(name)
        if slot is None or slot.mention is not None or not slot.name:
            return False
        one = self.property(slot, False)
        return one.endswith("s") and one == self.property(slot, True)

    def _is_date(self, slot: Slot) -> bool:
        return self._world.kind(self._world.owner(slot.part), slot.name) == "date"

    def _extreme(self, slot: Slot, end: str) -> str:
        """Say which end of an order is meant: `highest` of a number, `latest` of a date."""
        return self._rng.choice((_DAYS if self._is_date(slot) else _WORDS)[end])

    def _figure(self, slot: Slot) -> str:
        """Name what is not a date."""
        if self._is_date(slot):
            raise UnfitError("a date")
        return self.name(slot, False)

    def _type(self, slot: Slot) -> str:
        """Name what has kinds: `reporter occupation`, but no names."""
        if self._world.kind(self._world.owner(slot.part), slot.name) != "category":
            raise UnfitError("not a kind of something")
        return self.name(slot, False)

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
        link = self._one_step(slot)
        if not link.forward or slot.name != self._world.lexicon.labels[link.node.label].key:
            raise UnfitError("an adjective of something else")
        said = [each.removeprefix("pre:") for each in self._apart(slot) if each.startswith("pre:")]
        return self._speaker.pick(said)

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
    "clause": lambda namer: namer.clause(plural=True),
    "where": Namer.conditions,
    "rest": Namer.rest,
    "rest.that": lambda namer: "that " + namer.rest(),
    "rest.where": lambda namer: namer._speaker.where(namer._rest),
    "amount": Namer.amount,
    "twins": Namer.twins,
    "clause1": lambda namer: namer.clause(plural=False),
    "who": Namer.who,
    "was": lambda namer: "was" if namer.singular else "were",
    "is": lambda namer: "is" if namer.singular else "are",
    "its": lambda namer: namer._possessive(),
    "in": lambda namer: "for" if namer._world.lexicon.labels[namer._root.label].people else "in",
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
    ".role@": lambda namer, slot, plural: namer.join(slot, plural, namer.the(whole=False), role=True),
    ".role@these": lambda namer, slot, plural: namer.join(slot, plural, namer._these(), role=True),
    ".role.a": lambda namer, slot, _: article(namer.role(slot, False)),
    ".of": lambda namer, slot, plural: namer._backward(
        slot.path[0], namer.the(whole=False), plural, one=namer.singular
    ),
    ".high": lambda namer, slot, _: namer._extreme(slot, "high"),
    ".low": lambda namer, slot, _: namer._extreme(slot, "low"),
    ".top": lambda namer, slot, _: "latest" if namer._is_date(slot) else "top",
    ".bottom": lambda namer, slot, _: "earliest" if namer._is_date(slot) else "bottom",
    ".descending": lambda namer, slot, _: namer._rng.choice(_DOWN[namer._is_date(slot)]),
    ".ascending": lambda namer, slot, _: namer._rng.choice(_UP[namer._is_date(slot)]),
    ".amount": lambda namer, slot, _: namer._figure(slot),
    ".type": lambda namer, slot, _: namer._type(slot),
    ".had": lambda namer, slot, plural: namer._had(slot, plural),
    ".which": lambda namer, slot, plural: namer._which(slot, plural),
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
    ".shared": lambda namer, slot, _: namer._speaker.role(slot.path[0])[0],
    ".end": lambda namer, slot, _: namer._speaker.thing(slot.path[0], one=True),
}
