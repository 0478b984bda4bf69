"""Puts trees into words: noun phrases with what narrows them, and what the ends of links are called.

Every choice comes from a generator. Conditions on properties are said by `phrasing`, what is returned by `naming`.
Holds no query.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from t2c_data.errors import UnfitError
from t2c_data.inflection import (
    INTROS,
    SUBJECT,
    agreed,
    article,
    denies,
    either,
    inflect,
    negated,
    numbered,
    opened,
)
from t2c_data.phrasing import Phraser
from t2c_data.tree import MARK_OPEN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from t2c_data.lexicon import Noun
    from t2c_data.tree import Condition, Degree, Link, Node
    from t2c_data.world import World

_ORDER = {"": 0, "that": 1, "who": 1, "whose": 2, "where": 3, "in which": 3}
_AMOUNTS = {
    "gt": ("more than {}", "over {}", "more than {}"),
    "ge": ("at least {}", "at least {}", "no fewer than {}", "{} or more"),
    "lt": ("fewer than {}", "less than {}", "under {}"),
    "le": ("at most {}", "no more than {}", "up to {}"),
    "eq": ("exactly {}", "exactly {}", "precisely {}"),
}
THROUGH = 0.3
"""How often a node between, of which nothing is said, is left out."""
ADJECTIVES = 0.5
"""How often a condition on a link that can be said as an adjective is said so."""
_NO_NAME = ("pre:", "who ", "that ")
_PLAIN = re.compile(r"(on|under|\w+ by) \{\}")
"""A phrase that says no more of what stands before it than that it belongs there."""


class Modifier(NamedTuple):
    """What narrows a noun: its introduction (`that`, `where`, `pre` or none), its text."""

    intro: str
    body: str
    deep: bool = False
    """Whether it speaks of something that is narrowed itself, so that what follows could mean that."""
    turned: bool = False
    """Whether its subject is not the noun: `that the patient takes`."""


class Speaker:
    """Says trees.

    Args:
        world: the graph and its lexicon.
        rng: every choice comes from it.
    """

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.phraser = Phraser(world, rng)

    def pick(self, choices: Sequence[str]) -> str:
        """Choose a text.

        Raises:
            UnfitError: there is none.
        """
        if not choices:
            raise UnfitError("no words")
        return self.rng.choice(choices)

    # nouns

    def noun(self, label: str) -> Noun:
        """Choose a label's noun."""
        return self.rng.choice(self.world.lexicon.labels[label].nouns)

    def role(self, link: Link, *, certain: bool = False) -> Noun:
        """Choose what the far end of a link is called, seen from its holder.

        Args:
            link: the link.
            certain: whether the label's own noun would do, since the tree has the link already.
        """
        words = self.world.link_words(link)
        roles = list(words.target if link.forward else words.source)
        nouns = self.world.lexicon.labels[link.node.label].nouns
        plain = certain or not self.world.confused(link) or (words.assumed and self.rng.random() < 0.1)
        if not plain and not words.assumed:
            roles = [each for each in roles if each not in nouns]
            if not roles:
                raise UnfitError("no name that tells it from what other links lead to")
        if not roles or (plain and self.rng.random() < 0.5):
            return self.rng.choice([*roles, self.rng.choice(nouns), self.rng.choice(nouns)])
        return self.rng.choice(roles)

    # noun phrases

    def phrase(
        self, node: Node, *, plural: bool, nouns: Sequence[Noun] = (), people: bool | None = None
    ) -> str:
        """Say a node with all that narrows it: `cases that resulted in death`.

        Args:
            node: what to say.
            plural: number.
            nouns: nouns to choose from instead of the label's.
            people: whether a noun for people is wanted; chosen when absent.
        """
        words = self.world.lexicon.labels[node.label]
        wanted = self.rng.random() < 0.3 if people is None else people
        is_people = bool(words.people) and wanted and not nouns
        noun = self.rng.choice(nouns or (words.people if is_people else words.nouns))[plural]
        return self.assemble(noun, self.modifiers(node, plural=plural, people=is_people))

    def modifiers(self, node: Node, *, plural: bool, people: bool, only: str = "") -> list[Modifier]:
        """Say each condition and link of a node.

        Args:
            node: whose conditions.
            plural: number of the noun in front.
            people: whether that noun names people.
            only: the group that all must belong to, `that` or `where`.

        Raises:
            UnfitError: one cannot be said so.
        """
        jobs = self._offers(node)
        self.rng.shuffle(jobs)
        intros = {"that": ("that ", "who "), "where": ("where ", "in which "), "": ("",)}[only]
        chosen = []
        for job, link in jobs:
            fitting = [
                each
                for each in job
                if each.startswith(intros)
                and (people or not each.startswith("who "))
                and not (only == "that" and _turned(each))
            ]
            phrase = self.pick(fitting)
            turned = _turned(phrase)
            if link and not only and (adjective := self._adjective(link, far=False)):
                chosen.append(Modifier("pre", adjective))
                phrase = phrase.replace("{}", self.thing(link, one=turned))
            elif link:
                phrase = self.finished(phrase, link)
            if self.world.lexicon.labels[node.label].people:
                phrase = phrase.replace("[its|their]", "their")
            intro, body = opened(numbered(phrase, plural=plural))
            intro = "who" if people and intro == "that" and self.rng.random() < 0.8 else intro
            chosen.append(Modifier(intro, body, link is not None and self._is_deep(link), turned))
        return chosen

    def _offers(self, node: Node) -> list[tuple[list[str], Link | None]]:
        """List what is to be said of a node, each in all ways, with the link that it is about."""
        offers: list[tuple[list[str], Link | None]] = []
        if node.either and len(node.conditions) > 1:
            offers.append((self._alternatives(node), None))
        else:
            offers += [(self._said(node, each), None) for each in node.conditions]
        offers += [(self.amounts(each), None) for each in node.degrees]
        for link in node.links:
            if not link.silent:
                second = self._through(link)
                short = self._short(node, second) if second else []
                offers.append((short, second) if short else (self.linked(link), link))
        return offers

    def _is_deep(self, link: Link) -> bool:
        node = link.node
        return bool(node.links or node.degrees or link.conditions) or not (
            self.value(node) or not node.conditions
        )

    def assemble(self, noun: str, modifiers: list[Modifier]) -> str:
        """Put a noun and what narrows it together; what is narrowed itself comes last."""
        before = [each.body for each in modifiers if each.intro == "pre"]
        rest = [each for each in modifiers if each.intro != "pre"]
        rest.sort(key=lambda each: (each.deep, _ORDER[each.intro]))
        text = " ".join([*before, noun])
        for place, each in enumerate(rest):
            last = rest[place - 1] if place else None
            alike = last is not None and _ORDER[last.intro] == _ORDER[each.intro] and each.intro != "whose"
            apart = last is not None and (last.deep or last.turned or each.turned)
            if last is None:
                joint = " "
            elif apart:
                joint = self.rng.choice((" and ", ", and ")) if not last.deep else ", and "
            elif alike:
                joint = " and " if place == len(rest) - 1 or self.rng.random() < 0.5 else ", "
            else:
                joint = self.rng.choice((" ", " and ", ", ") if each.intro else (" and ", ", and "))
            told = bool(each.intro) and (apart or not (alike and self.rng.random() < 0.75))
            text += joint + (f"{each.intro} " if told else "") + each.body
        return text

    def clause(self, node: Node, *, plural: bool, people: bool = False) -> str:
        """Say all conditions as one finite clause: `resulted in death and were reported by a consumer`."""
        return self._joined(self.modifiers(node, plural=plural, people=people, only="that"))

    def where(self, node: Node) -> str:
        """Say all conditions as what follows "where": `the outcome is death and the age is over 60`."""
        return self._joined(self.modifiers(node, plural=False, people=False, only="where"))

    def _joined(self, parts: list[Modifier]) -> str:
        if not parts:
            raise UnfitError("nothing to say")
        parts = sorted(parts, key=lambda each: each.deep)
        text = parts[0].body
        for last, each in pairwise(parts):
            text += (", and " if last.deep else " and ") + each.body
        return text

    def _said(self, node: Node, condition: Condition) -> list[str]:
        return self.phraser.say(node.label, condition, whose=self.noun(node.label)[0])

    def _alternatives(self, node: Node) -> list[str]:
        texts = []
        for each in node.conditions:
            wheres = [one for one in self._said(node, each) if one.startswith("where ")]
            texts.append(self.pick(wheres).removeprefix("where "))
        return ["where " + self.rng.choice(("", "either ")) + " or ".join(texts)]

    # links

    def linked(self, link: Link) -> list[str]:
        """List phrases for a link in which `{}` still stands for its far end."""
        words = self.world.link_words(link)
        if link.absent:
            return self._absent(link)
        value = self.value(link.node)
        twins = bool(link.node.conditions) and link.node.conditions[0].also is not None
        said = []
        for each in words.forward if link.forward else words.backward:
            if "{value}" not in each:
                said.append(agreed(each) if twins else each)
            elif value and (kept := self.phraser.fits(each, link.node.conditions[0])):
                kept = agreed(kept) if twins else kept
                said.append(kept.replace("{value}", value))
        if twins:
            said += [f"shared by {value}", f"common to {value}", f"that {value} have in common"]
        return said + self._general(link, value)

    def _absent(self, link: Link) -> list[str]:
        """List phrases that say there is no such link: `that treat no disease`, `not taken by any patient`."""
        words = self.world.link_words(link)
        said = list(words.without) if link.forward else []
        named = bool(link.node.conditions)
        role = self.role(link, certain=True)[self.rng.random() < 0.5]
        if not named:
            said += [
                f"without any {role}",
                f"without {role}",
                f"with no {role}",
                f"that [has|have] no {role}",
            ]
        for each in self.bare(link):
            if denies(each):
                continue
            if not named:
                said.append(each.replace("{}", f"no {self.noun(link.node.label)[0]}"))
            if turned := negated(each):
                said.append(turned)
        return said

    def bare(self, link: Link, *, backward: bool = False) -> list[str]:
        """List phrases for a link, or for its way back, that take the other end as it is."""
        words = self.world.link_words(link)
        said = words.forward if link.forward != backward else words.backward
        return [
            each
            for each in said
            if "{value}" not in each and not each.startswith(("where ", "in which ", "who "))
        ]

    def _through(self, link: Link) -> Link | None:
        """Find the link that may be said as if there were nothing between: `patients seen by Dr X`."""
        node = link.node
        plain = not (node.conditions or node.degrees or link.conditions or link.types or link.absent)
        if not plain or len(node.links) != 1 or node.links[0].silent or node.links[0].absent:
            return None
        second = node.links[0]
        start = link.triple.source if link.forward else link.triple.target
        if second.node.label == start or self.rng.random() > THROUGH:
            return None
        return second if self.world.only_way(start, second.node.label) else None

    def _short(self, node: Node, link: Link) -> list[str]:
        """List phrases of a link that are as true of what stands one step further: `on the ward X`, `seen by Dr X`."""
        labels = self.world.lexicon.labels
        acts = bool(labels[node.label].people and labels[link.node.label].people)
        return [
            each
            for each in self.linked(link)
            if (found := _PLAIN.fullmatch(each)) and (acts or not found[1].endswith(" by"))
        ]

    def finished(self, phrase: str, link: Link) -> str:
        """Put the far end into a phrase, and what else the link must meet behind it or before the far end."""
        thing = self.thing(link, one=bool(SUBJECT.match(phrase))) if "{}" in phrase else ""
        if thing and (adjective := self._adjective(link, far=True)):
            head = re.match(r"(?:(?:the|an?) )?", thing)
            place = head.end() if head else 0
            return phrase.replace("{}", f"{thing[:place]}{adjective} {thing[place:]}")
        text = phrase.replace("{}", thing)
        return self._with_edge(text, link) if link.conditions else text

    def _adjective(self, link: Link, *, far: bool) -> str:
        """Say the one condition of a link as an adjective of one of its ends: `severe asthma`, `first-line drugs`.

        A flag belongs to what the relationship starts from, any other value to what it leads to.
        """
        if len(link.conditions) != 1 or self.rng.random() > ADJECTIVES:
            return ""
        condition = link.conditions[0]
        flag = condition.operator in {"true", "false"}
        if far != (link.forward != flag):
            return ""
        said = [each for each in self.phraser.say(link.triple.type, condition) if each.startswith("pre:")]
        return self.rng.choice(said).removeprefix("pre:") if said else ""

    def _general(self, link: Link, value: str) -> list[str]:
        words = self.world.link_words(link)
        roles = list(words.target if link.forward else words.source)
        if self.world.confused(link) and not words.assumed:
            roles = [each for each in roles if each not in self.world.lexicon.labels[link.node.label].nouns]
        role = self.rng.choice(roles)[0] if roles else ""
        if not value or not role or len(role.split(" ")) > 4:
            return []
        return [
            f"where the {role} is {value}", f"with {role} {value}", f"with the {role} {value}",
            f"with {value} as the {role}", f"where {value} is the {role}", f"where the {role} was {value}",
        ]  # fmt: skip

    def _with_edge(self, text: str, link: Link) -> str:
        clause = text.startswith(("where ", "in which "))
        for each in link.conditions:
            said = self.phraser.say(link.triple.type, each)
            plain = [one for one in said if not one.startswith((*INTROS, "pre:"))]
            wheres = [one for one in said if one.startswith("where ")]
            if clause and wheres and (not plain or self.rng.random() < 0.5):
                text += " and " + self.pick(wheres).removeprefix("where ")
            elif plain:
                text += self.rng.choice((" ", " ", " and ")) + self.pick(plain)
            else:
                text += " " + opened(self.pick(said))[1]
        return text

    def amounts(self, degree: Degree) -> list[str]:
        """Say how many neighbours there are: `with more than 3 reactions`."""
        number = self.rng.choice(_AMOUNTS[degree.operator]).replace("{}", degree.mention.mark)
        plain = f"{number} {self.noun(degree.link.node.label)[1]}"
        said = [
            agreed(each).replace("{}", plain) for each in self.bare(degree.link) if each.startswith("that ")
        ]
        try:
            amount = f"{number} {self.role(degree.link, certain=not self.world.confused(degree.link))[1]}"
        except UnfitError:
            return said
        return [*said, f"with {amount}", f"that [has|have] {amount}", f"having {amount}"]

    # the far end of a link

    def value(self, node: Node) -> str:
        """Say only the value by which a node is named; empty if it is not named so."""
        if len(node.conditions) != 1 or node.links or node.degrees:
            return ""
        condition = node.conditions[0]
        if not condition.mentions or not self._is_plain(node.label, condition):
            return ""
        marks = [each.mark for each in condition.mentions]
        if condition.operator == "eq" and condition.also is not None:
            return self.rng.choice(("both ", "both ", "")) + f"{marks[0]} and {condition.also.mark}"
        if condition.operator == "in":
            return self.rng.choice(("", "either ")) + either(marks)
        return marks[0] if condition.operator == "eq" else ""

    def _is_plain(self, label: str, condition: Condition) -> bool:
        """Tell whether a bare value can only mean this property."""
        for name in self.world.lexicon.labels[label].name:
            if name == condition.name:
                return True
            other = self.world.sample.folded.get((label, name), frozenset())
            if any(str(each.value).lower() in other for each in condition.mentions):
                return False
        return False

    def thing(self, link: Link, *, one: bool = False) -> str:
        """Say the far end of a link: `the drug 'ASPIRIN'`, `a therapy`, `cases reported by ...`.

        Args:
            link: the link.
            one: whether it must be in the singular, since a verb follows.
        """
        node, rng = link.node, self.rng
        if value := self.value(node):
            return self._called(node, value)
        if not node.conditions and not node.links and not node.degrees:
            noun, many = self.noun(node.label)
            if link.absent:
                return rng.choice((f"any {noun}", f"any {noun if one else many}", article(noun)))
            some = (article(noun), f"any {noun}", article(noun), f"at least one {noun}", f"some {noun}")
            return rng.choice(some if one else (*some, many))
        if both := self._called_and_more(node):
            return both
        if self.world.unique(node):
            return ("the " if rng.random() < 0.8 else "") + self.phrase(node, plural=False)
        plural = not one and rng.random() < 0.5
        text = self.phrase(node, plural=plural)
        return rng.choice(("", "", "the ", "any ")) + text if plural else article(text)

    def called(self, node: Node) -> str:
        """Say a single node by its name or identifier, often bare: `warfarin`, `case 17`; empty if it has none."""
        value = self.value(node) or self._identifier(node)
        if not value or node.conditions[0].operator != "eq" or node.conditions[0].also is not None:
            return ""
        one = self.noun(node.label)[0]
        bare = value if self.value(node) else f"{one} {value}"
        long = "the " + self.assemble(one, self.modifiers(node, plural=False, people=False))
        return self.rng.choice((bare, bare, bare, f"the {one} {value}", f"{one} {value}", long, long))

    def _identifier(self, node: Node) -> str:
        if len(node.conditions) != 1 or node.links or node.degrees or not node.conditions[0].mentions:
            return ""
        condition = node.conditions[0]
        named = condition.name == self.world.lexicon.labels[node.label].key
        is_id = self.world.kind(node.label, condition.name) == "id"
        return condition.mentions[0].mark if named and is_id and self.rng.random() < 0.15 else ""

    def _called(self, node: Node, value: str) -> str:
        one, many = self.noun(node.label)
        condition = node.conditions[0]
        if condition.also is not None:
            return self.rng.choice((value, f"the {many} {value}", value))
        if condition.operator == "in":
            return self.rng.choice((value, f"{one} {value}", f"the {many} {value}"))
        said = [each for each in self._said(node, condition) if not each.startswith(("pre:", "who "))]
        more = inflect(self.pick(said), plural=False)
        texts = [
            value,
            f"the {one} {value}",
            f"{one} {value}",
            article(f"{one} {more}"),
            f"the {one} {more}",
        ]
        return self.rng.choices(texts, (6, 3, 1.5, 1, 1))[0]

    def _called_and_more(self, node: Node) -> str:
        """Say a node by its name and one more condition: `the drug X with the primary substance Y`."""
        names = self.world.lexicon.labels[node.label].name[:1]
        if len(node.conditions) != 2 or node.links or node.degrees:
            return ""
        first, second = node.conditions
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return ""
        said = [each for each in self._said(node, second) if not each.startswith(_NO_NAME)]
        one, mark = self.noun(node.label)[0], first.mentions[0].mark
        start = self.rng.choice((mark, f"the {one} {mark}", f"{one} {mark}"))
        more = inflect(self.pick(said), plural=False)
        apart = more.startswith(("where ", "whose ")) or self.rng.random() < 0.2
        return f"{start}, {more}," if apart else f"{start} {more}"


def _turned(phrase: str) -> bool:
    """Tell whether a phrase has another subject than the noun in front of it: `that {} takes`."""
    return bool(re.match(f"(?:that|who) (?:both )?(?:\\{{|{MARK_OPEN})", phrase))
