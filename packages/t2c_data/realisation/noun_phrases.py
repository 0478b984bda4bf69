"""Puts trees into words: noun phrases with what narrows them, and the far ends of links.

Every choice comes from a generator. Conditions on properties are said by `phrasing`, links by `links`, what is returned
by `asked` and `naming`. Holds no query.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import MARK_OPEN
from t2c_data.realisation.conditions import PredicateRealiser, pick
from t2c_data.realisation.lexical_choice import LexicalChooser
from t2c_data.realisation.morphology import SUBJECT, article, inflect, inflect_number, split_introducer
from t2c_data.realisation.relationships import RelationshipRealiser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship

_ORDER = {"": 0, "that": 1, "who": 1, "whose": 2, "where": 3, "in which": 3}
_NO_NAME = ("pre:", "who ", "that ")


class Modifier(NamedTuple):
    """What narrows a noun: its introduction (`that`, `where`, `pre` or none), its text."""

    intro: str
    body: str
    is_nested: bool = False
    """Whether it speaks of something that is narrowed itself, so that what follows could mean that."""
    has_own_subject: bool = False
    """Whether its subject is not the noun: `that the patient takes`."""


class NounPhraseRealiser:
    """Says trees.

    Args:
        world: the graph and its lexicon.
        rng: every choice comes from it.
    """

    def __init__(self, world: GraphContext, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.nouns = LexicalChooser(world, rng)
        self.phraser = PredicateRealiser(world, rng)
        self.links = RelationshipRealiser(self.phraser, self.nouns)

    def noun_phrase(
        self, node: QueryNode, *, plural: bool, nouns: Sequence[Noun] = (), people: bool | None = None
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
        return self.attach_modifiers(noun, self.modifiers(node, plural=plural, people=is_people))

    def modifiers(self, node: QueryNode, *, plural: bool, people: bool, only: str = "") -> list[Modifier]:
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
            noun_phrase = pick(fitting, self.rng)
            has_own_subject = _turned(noun_phrase)
            if link and not only and (adjective := self.links.adjective(link, far=False)):
                chosen.append(Modifier("pre", adjective))
                noun_phrase = noun_phrase.replace("{}", self.far_end(link, one=has_own_subject))
            elif link:
                noun_phrase = self.fill_far_end(noun_phrase, link)
            if self.world.lexicon.labels[node.label].people:
                noun_phrase = noun_phrase.replace("[its|their]", "their")
            intro, body = split_introducer(inflect_number(noun_phrase, plural=plural))
            intro = "who" if people and intro == "that" and self.rng.random() < 0.8 else intro
            chosen.append(Modifier(intro, body, link is not None and self._is_deep(link), has_own_subject))
        return chosen

    def _offers(self, node: QueryNode) -> list[tuple[list[str], QueryRelationship | None]]:
        """List what is to be said of a node, each in all ways, with the link that it is about."""
        offers: list[tuple[list[str], QueryRelationship | None]] = []
        if node.is_disjunction and len(node.conditions) > 1:
            offers.append((self._alternatives(node), None))
        else:
            offers += [(self._said(node, each), None) for each in node.conditions]
        offers += [(self.links.count_phrases(each), None) for each in node.degrees]
        for link in node.links:
            if not link.is_unverbalised:
                offers.append(self.links.contracted(node, link))
        return offers

    def _is_deep(self, link: QueryRelationship) -> bool:
        node = link.node
        return bool(node.links or node.degrees or link.conditions) or not (
            self.nouns.value(node) or not node.conditions
        )

    def attach_modifiers(self, noun: str, modifiers: list[Modifier]) -> str:
        """Put a noun and what narrows it together; what is narrowed itself comes last."""
        before = [each.body for each in modifiers if each.intro == "pre"]
        rest = [each for each in modifiers if each.intro != "pre"]
        rest.sort(key=lambda each: (each.is_nested, _ORDER[each.intro]))
        text = " ".join([*before, noun])
        for place, each in enumerate(rest):
            last = rest[place - 1] if place else None
            alike = last is not None and _ORDER[last.intro] == _ORDER[each.intro] and each.intro != "whose"
            apart = last is not None and (last.is_nested or last.has_own_subject or each.has_own_subject)
            if last is None:
                joint = " "
            elif apart:
                joint = self.rng.choice((" and ", ", and ")) if not last.is_nested else ", and "
            elif alike:
                joint = " and " if place == len(rest) - 1 or self.rng.random() < 0.5 else ", "
            else:
                joint = self.rng.choice((" ", " and ", ", ") if each.intro else (" and ", ", and "))
            told = bool(each.intro) and (apart or not (alike and self.rng.random() < 0.75))
            text += joint + (f"{each.intro} " if told else "") + each.body
        return text

    def finite_clause(self, node: QueryNode, *, plural: bool, people: bool = False) -> str:
        """Say all conditions as one finite clause: `resulted in death and were reported by a consumer`."""
        return self._joined(self.modifiers(node, plural=plural, people=people, only="that"))

    def where_clause(self, node: QueryNode) -> str:
        """Say all conditions as what follows "where": `the outcome is death and the age is over 60`."""
        return self._joined(self.modifiers(node, plural=False, people=False, only="where"))

    def _joined(self, parts: list[Modifier]) -> str:
        if not parts:
            raise UnfitError("nothing to say")
        parts = sorted(parts, key=lambda each: each.is_nested)
        text = parts[0].body
        for last, each in pairwise(parts):
            text += (", and " if last.is_nested else " and ") + each.body
        return text

    def _said(self, node: QueryNode, condition: PropertyPredicate) -> list[str]:
        return self.phraser.realise(node.label, condition, whose=self.nouns.label_noun(node.label)[0])

    def _alternatives(self, node: QueryNode) -> list[str]:
        texts = []
        for each in node.conditions:
            wheres = [one for one in self._said(node, each) if one.startswith("where ")]
            texts.append(pick(wheres, self.rng).removeprefix("where "))
        return ["where " + self.rng.choice(("", "either ")) + " or ".join(texts)]

    def fill_far_end(self, noun_phrase: str, link: QueryRelationship) -> str:
        """Put the far end into a phrase, and what else the link must meet behind it or before the far end."""
        far_end = self.far_end(link, one=bool(SUBJECT.match(noun_phrase))) if "{}" in noun_phrase else ""
        if far_end and (adjective := self.links.adjective(link, far=True)):
            head = re.match(r"(?:(?:the|an?) )?", far_end)
            place = head.end() if head else 0
            return noun_phrase.replace("{}", f"{far_end[:place]}{adjective} {far_end[place:]}")
        text = noun_phrase.replace("{}", far_end)
        return self.links.with_conditions(text, link) if link.conditions else text

    def far_end(self, link: QueryRelationship, *, one: bool = False) -> str:
        """Say the far end of a link: `the drug 'ASPIRIN'`, `a therapy`, `cases reported by ...`.

        Args:
            link: the link.
            one: whether it must be in the singular, since a verb follows.
        """
        node, rng = link.node, self.rng
        if value := self.nouns.value(node):
            return self._called(node, value)
        if not node.conditions and not node.links and not node.degrees:
            noun, many = self.nouns.label_noun(node.label)
            if link.is_negated:
                return rng.choice((f"any {noun}", f"any {noun if one else many}", article(noun)))
            some = (article(noun), f"any {noun}", article(noun), f"at least one {noun}", f"some {noun}")
            return rng.choice(some if one else (*some, many))
        if both := self._called_and_more(node):
            return both
        if self.world.is_uniquely_identified(node):
            return ("the " if rng.random() < 0.8 else "") + self.noun_phrase(node, plural=False)
        plural = not one and rng.random() < 0.5
        text = self.noun_phrase(node, plural=plural)
        return rng.choice(("", "", "the ", "any ")) + text if plural else article(text)

    def proper_name(self, node: QueryNode) -> str:
        """Say a single node by its name or identifier, often bare: `warfarin`, `case 17`; empty if it has none."""
        value = self.nouns.value(node) or self._identifier(node)
        if not value or node.conditions[0].operator != "eq" or node.conditions[0].conjoined_value is not None:
            return ""
        one = self.nouns.label_noun(node.label)[0]
        bare = value if self.nouns.value(node) else f"{one} {value}"
        long = "the " + self.attach_modifiers(one, self.modifiers(node, plural=False, people=False))
        return self.rng.choice((bare, bare, bare, f"the {one} {value}", f"{one} {value}", long, long))

    def _identifier(self, node: QueryNode) -> str:
        if len(node.conditions) != 1 or node.links or node.degrees or not node.conditions[0].mentions:
            return ""
        condition = node.conditions[0]
        named = condition.name == self.world.lexicon.labels[node.label].key
        is_id = self.world.semantic_type(node.label, condition.name) == "id"
        return condition.mentions[0].sentinel if named and is_id and self.rng.random() < 0.15 else ""

    def _called(self, node: QueryNode, value: str) -> str:
        one, many = self.nouns.label_noun(node.label)
        condition = node.conditions[0]
        if condition.conjoined_value is not None:
            return self.rng.choice((value, f"the {many} {value}", value))
        if condition.operator == "in":
            return self.rng.choice((value, f"{one} {value}", f"the {many} {value}"))
        said = [each for each in self._said(node, condition) if not each.startswith(("pre:", "who "))]
        more = inflect(pick(said, self.rng), plural=False)
        texts = [
            value,
            f"the {one} {value}",
            f"{one} {value}",
            article(f"{one} {more}"),
            f"the {one} {more}",
        ]
        return self.rng.choices(texts, (6, 3, 1.5, 1, 1))[0]

    def _called_and_more(self, node: QueryNode) -> str:
        """Say a node by its name and one more condition: `the drug X with the primary substance Y`."""
        names = self.world.lexicon.labels[node.label].name[:1]
        if len(node.conditions) != 2 or node.links or node.degrees:
            return ""
        first, second = node.conditions
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return ""
        said = [each for each in self._said(node, second) if not each.startswith(_NO_NAME)]
        one, mark = self.nouns.label_noun(node.label)[0], first.mentions[0].sentinel
        start = self.rng.choice((mark, f"the {one} {mark}", f"{one} {mark}"))
        more = inflect(pick(said, self.rng), plural=False)
        apart = more.startswith(("where ", "whose ")) or self.rng.random() < 0.2
        return f"{start}, {more}," if apart else f"{start} {more}"


def _turned(noun_phrase: str) -> bool:
    """Tell whether a phrase has another subject than the noun in front of it: `that {} takes`."""
    return bool(re.match(f"(?:that|who) (?:both )?(?:\\{{|{MARK_OPEN})", noun_phrase))
