"""Puts trees into words: noun phrases with what narrows them, and what the ends of links are called.

Every choice comes from a generator. Conditions on properties are said by `phrasing`, what is returned by `naming`.
Holds no query.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.phrasing import INTROS, Phraser, article, either, inflect, negated, opened

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

    def role(self, link: Link, *, plural: bool, certain: bool = False) -> str:
        """Choose what the far end of a link is called, seen from its holder.

        Args:
            link: the link.
            plural: number.
            certain: whether the label's own noun would do, since the tree has the link already.
        """
        words = self.world.link_words(link)
        roles = list(words.target if link.forward else words.source)
        nouns = self.world.lexicon.labels[link.node.label].nouns
        holder = link.triple.source if link.forward else link.triple.target
        rivals = {hop.triple.type for hop in self.world.hops[holder] if hop.end == link.node.label}
        plain = certain or len(rivals) == 1 or (words.assumed and self.rng.random() < 0.1)
        if not roles or (plain and self.rng.random() < 0.5):
            return self.rng.choice([*roles, self.rng.choice(nouns), self.rng.choice(nouns)])[plural]
        return self.rng.choice(roles)[plural]

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

    def modifiers(self, node: Node, *, plural: bool, people: bool, only: str = "") -> list[tuple[str, str]]:
        """Say each condition and link of a node as (introduction, text); `pre` stands before the noun.

        Args:
            node: whose conditions.
            plural: number of the noun in front.
            people: whether that noun names people.
            only: the group that all must belong to, `that` or `where`.

        Raises:
            UnfitError: one cannot be said so.
        """
        jobs: list[tuple[list[str], Link | None]] = []
        if node.either and len(node.conditions) > 1:
            jobs.append((self._alternatives(node), None))
        else:
            jobs += [(self._said(node, each), None) for each in node.conditions]
        jobs += [(self.amounts(each), None) for each in node.degrees]
        links = [self._through(each) or each for each in node.links if not each.silent]
        jobs += [(self.linked(each), each) for each in links]
        self.rng.shuffle(jobs)
        intros = {"that": ("that ", "who "), "where": ("where ", "in which "), "": ("",)}[only]
        chosen = []
        for job, link in jobs:
            fitting = [
                each for each in job if each.startswith(intros) and (people or not each.startswith("who "))
            ]
            phrase = self.pick(fitting)
            if link and not only and (adjective := self._adjective(link, far=False)):
                chosen.append(("pre", adjective))
                phrase = phrase.replace("{}", self.thing(link))
            elif link:
                phrase = self.finished(phrase, link)
            intro, body = opened(inflect(phrase, plural=plural))
            chosen.append(("who" if people and intro == "that" and self.rng.random() < 0.8 else intro, body))
        return chosen

    def assemble(self, noun: str, modifiers: list[tuple[str, str]]) -> str:
        """Put a noun and what narrows it together."""
        before = [text for intro, text in modifiers if intro == "pre"]
        rest = [each for each in modifiers if each[0] != "pre"]
        if self.rng.random() < 0.85:
            rest.sort(key=lambda each: _ORDER[each[0]])
        text = " ".join([*before, noun])
        for place, (intro, body) in enumerate(rest):
            alike = place > 0 and _ORDER[rest[place - 1][0]] == _ORDER[intro] and intro != "whose"
            if place == 0:
                joint = " "
            elif alike:
                joint = " and " if place == len(rest) - 1 or self.rng.random() < 0.5 else ", "
            else:
                joint = self.rng.choice((" ", " ", " and ", ", ") if intro else (" and ", ", and "))
            told = bool(intro) and not (alike and self.rng.random() < 0.75)
            text += joint + (f"{intro} " if told else "") + body
        return text

    def clause(self, node: Node, *, plural: bool, people: bool = False) -> str:
        """Say all conditions as one finite clause: `resulted in death and were reported by a consumer`."""
        return self._joined(self.modifiers(node, plural=plural, people=people, only="that"))

    def where(self, node: Node) -> str:
        """Say all conditions as what follows "where": `the outcome is death and the age is over 60`."""
        return self._joined(self.modifiers(node, plural=False, people=False, only="where"))

    def _joined(self, parts: list[tuple[str, str]]) -> str:
        if not parts:
            raise UnfitError("nothing to say")
        return " and ".join(body for _, body in parts)

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
        said = []
        for each in words.forward if link.forward else words.backward:
            if "{value}" not in each:
                said.append(each)
            elif value and (kept := self.phraser.fits(each, link.node.conditions[0])):
                said.append(kept.replace("{value}", value))
        if link.node.conditions and link.node.conditions[0].also is not None:
            said += [f"shared by {value}", f"common to {value}", f"that {value} have in common"]
        return said + self._general(link, value)

    def _absent(self, link: Link) -> list[str]:
        """List phrases that say there is no such link: `that treat no disease`, `not taken by any patient`."""
        words = self.world.link_words(link)
        said = list(words.without) if link.forward else []
        named = bool(link.node.conditions)
        role = self.role(link, plural=self.rng.random() < 0.5, certain=True)
        if not named:
            said += [
                f"without any {role}",
                f"without {role}",
                f"with no {role}",
                f"that [has|have] no {role}",
            ]
        for each in self.bare(link):
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
        direct = any(hop.end == second.node.label for hop in self.world.hops[start])
        return None if direct or second.node.label == start or self.rng.random() > THROUGH else second

    def finished(self, phrase: str, link: Link) -> str:
        """Put the far end into a phrase, and what else the link must meet behind it or before the far end."""
        thing = self.thing(link) if "{}" in phrase else ""
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
        roles = words.target if link.forward else words.source
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
        noun = self.role(degree.link, plural=True, certain=True)
        amount = f"{self.rng.choice(_AMOUNTS[degree.operator]).replace('{}', degree.mention.mark)} {noun}"
        said = [each.replace("{}", amount) for each in self.bare(degree.link) if each.startswith("that ")]
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

    def thing(self, link: Link) -> str:
        """Say the far end of a link: `the drug 'ASPIRIN'`, `a therapy`, `cases reported by ...`."""
        node, rng = link.node, self.rng
        if value := self.value(node):
            return self._called(node, value)
        if not node.conditions and not node.links and not node.degrees:
            one, many = self.noun(node.label)
            if link.absent:
                return rng.choice((f"any {one}", f"any {many}", article(one)))
            return rng.choice(
                (article(one), f"any {one}", many, article(one), f"at least one {one}", f"some {one}")
            )
        if both := self._called_and_more(node):
            return both
        if self.world.unique(node):
            return ("the " if rng.random() < 0.8 else "") + self.phrase(node, plural=False)
        plural = rng.random() < 0.5
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
            f"{value} {many}",
            article(f"{one} {more}"),
            f"the {one} {more}",
        ]
        return self.rng.choices(texts, (6, 3, 1.5, 0.5, 1, 1))[0]

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
