"""Noun phrases: a node with its conditions as modifiers, and the far ends of relationships."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import (
    FAR_END_SUBJECT,
    article,
    inflect_alternatives,
    inflect_number,
    split_introducer,
)
from t2c_data.planning.query_tree import SENTINEL_OPEN
from t2c_data.realisation.conditions import PredicateRealiser, pick
from t2c_data.realisation.lexical_choice import LexicalChooser
from t2c_data.realisation.relationships import RelationshipRealiser

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship

_ORDER = {"": 0, "that": 1, "who": 1, "whose": 2, "where": 3, "in which": 3}
"""Order of postmodifiers by introducer."""


class Modifier(NamedTuple):
    """A pre- or postmodifier of a noun."""

    introducer: str
    """`that`, `who`, `whose`, `where`, `in which`, `pre` for a premodifier, or none."""
    body: str
    is_nested: bool = False
    """Whether it ends with a noun that is modified itself, so that what follows could attach to that noun."""
    has_own_subject: bool = False
    """Whether its subject is not the modified noun: `that the patient takes`."""


class NounPhraseRealiser:
    """Realises nodes as noun phrases.

    Args:
        context: graph with its lexicon.
        rng: source of all random choices.
    """

    def __init__(self, context: GraphContext, rng: Random) -> None:
        self.context = context
        self.rng = rng
        self.nouns = LexicalChooser(context, rng)
        self.predicates = PredicateRealiser(context, rng)
        self.relationships = RelationshipRealiser(self.predicates, self.nouns)

    def noun_phrase(
        self, node: QueryNode, *, plural: bool, nouns: Sequence[Noun] = (), animate: bool | None = None
    ) -> str:
        """Realise a node with all its conditions: `cases that resulted in death`.

        Args:
            node: node to realise.
            plural: number of the noun.
            nouns: nouns to choose from; those of the label when empty.
            animate: whether to use a noun that takes "who"; chosen at random when None.
        """
        words = self.context.lexicon.labels[node.label]
        wanted = self.rng.random() < 0.3 if animate is None else animate
        is_animate = bool(words.animate_nouns) and wanted and not nouns
        noun = self.rng.choice(nouns or (words.animate_nouns if is_animate else words.nouns))[plural]
        return self.attach_modifiers(noun, self.modifiers(node, plural=plural, animate=is_animate))

    def modifiers(self, node: QueryNode, *, plural: bool, animate: bool, only: str = "") -> list[Modifier]:
        """Realise each condition and relationship of a node as a modifier.

        Args:
            node: node with the conditions.
            plural: number of the modified noun.
            animate: whether that noun takes "who".
            only: introducer that all must have, `that` or `where`.

        Raises:
            UnfitError: a condition has no such phrase.
        """
        offers = self._offers(node)
        self.rng.shuffle(offers)
        introducers = {"that": ("that ", "who "), "where": ("where ", "in which "), "": ("",)}[only]
        modifiers = []
        for phrases, rel in offers:
            fitting = [
                each
                for each in phrases
                if each.startswith(introducers)
                and (animate or not each.startswith("who "))
                and not (only == "that" and _has_own_subject(each))
            ]
            phrase = pick(fitting, self.rng)
            has_own_subject = _has_own_subject(phrase)
            if rel and not only and (adjective := self.relationships.adjective(rel, far=False)):
                modifiers.append(Modifier("pre", adjective))
                phrase = phrase.replace("{}", self.far_end(rel, singular=has_own_subject))
            elif rel:
                phrase = self.fill_far_end(phrase, rel)
            if self.context.lexicon.labels[node.label].animate_nouns:
                phrase = phrase.replace("[its|their]", "their")
            introducer, body = split_introducer(inflect_number(phrase, plural=plural))
            if animate and introducer == "that" and self.rng.random() < 0.8:
                introducer = "who"
            is_nested = rel is not None and self._is_nested(rel)
            modifiers.append(Modifier(introducer, body, is_nested, has_own_subject))
        return modifiers

    def _offers(self, node: QueryNode) -> list[tuple[list[str], QueryRelationship | None]]:
        """List phrases for each condition of a node, with the relationship that they realise."""
        offers: list[tuple[list[str], QueryRelationship | None]] = []
        if node.is_disjunction and len(node.conditions) > 1:
            offers.append((self._disjunction(node), None))
        else:
            offers += [(self._condition(node, each), None) for each in node.conditions]
        offers += [(self.relationships.count_phrases(each), None) for each in node.count_predicates]
        for rel in node.relationships:
            if not rel.is_unverbalised:
                offers.append(self.relationships.contracted(node, rel))
        return offers

    def _is_nested(self, rel: QueryRelationship) -> bool:
        node = rel.node
        return bool(node.relationships or node.count_predicates or rel.conditions) or not (
            self.nouns.value(node) or not node.conditions
        )

    def attach_modifiers(self, noun: str, modifiers: list[Modifier]) -> str:
        """Join a noun and its modifiers; nested modifiers come last."""
        before = [each.body for each in modifiers if each.introducer == "pre"]
        after = [each for each in modifiers if each.introducer != "pre"]
        after.sort(key=lambda each: (each.is_nested, _ORDER[each.introducer]))
        text = " ".join([*before, noun])
        last: Modifier | None = None
        for place, each in enumerate(after):
            is_parallel = (
                last is not None
                and _ORDER[last.introducer] == _ORDER[each.introducer]
                and each.introducer != "whose"
            )
            is_separate = last is not None and (
                last.is_nested or last.has_own_subject or each.has_own_subject
            )
            if last is None:
                joint = " "
            elif is_separate:
                joint = ", and " if last.is_nested else self.rng.choice((" and ", ", and "))
            elif is_parallel:
                joint = " and " if place == len(after) - 1 or self.rng.random() < 0.5 else ", "
            else:
                joint = self.rng.choice((" ", " and ", ", ") if each.introducer else (" and ", ", and "))
            is_introduced = bool(each.introducer) and (
                is_separate or not (is_parallel and self.rng.random() < 0.75)
            )
            text += joint + (f"{each.introducer} " if is_introduced else "") + each.body
            last = each
        return text

    def finite_clause(self, node: QueryNode, *, plural: bool, animate: bool = False) -> str:
        """Realise all conditions as one finite clause: `resulted in death and were reported by a consumer`."""
        return self._coordinated(self.modifiers(node, plural=plural, animate=animate, only="that"))

    def where_clause(self, node: QueryNode) -> str:
        """Realise all conditions as a clause behind "where": `the outcome is death and the age is over 60`."""
        return self._coordinated(self.modifiers(node, plural=False, animate=False, only="where"))

    def _coordinated(self, modifiers: list[Modifier]) -> str:
        if not modifiers:
            raise UnfitError("no condition")
        modifiers = sorted(modifiers, key=lambda each: each.is_nested)
        text = modifiers[0].body
        for last, each in pairwise(modifiers):
            text += (", and " if last.is_nested else " and ") + each.body
        return text

    def _condition(self, node: QueryNode, condition: PropertyPredicate) -> list[str]:
        possessor = self.nouns.label_noun(node.label)[0]
        return self.predicates.realise(node.label, condition, possessor=possessor)

    def _disjunction(self, node: QueryNode) -> list[str]:
        clauses = []
        for each in node.conditions:
            offered = [phrase for phrase in self._condition(node, each) if phrase.startswith("where ")]
            clauses.append(pick(offered, self.rng).removeprefix("where "))
        return ["where " + self.rng.choice(("", "either ")) + " or ".join(clauses)]

    def fill_far_end(self, phrase: str, rel: QueryRelationship) -> str:
        """Insert the far end into a phrase, with the conditions of the relationship as adjective or behind it."""
        is_subject = bool(FAR_END_SUBJECT.match(phrase))
        far_end = self.far_end(rel, singular=is_subject) if "{}" in phrase else ""
        if far_end and (adjective := self.relationships.adjective(rel, far=True)):
            determiner = re.match(r"(?:(?:the|an?) )?", far_end)
            place = determiner.end() if determiner else 0
            return phrase.replace("{}", f"{far_end[:place]}{adjective} {far_end[place:]}")
        text = phrase.replace("{}", far_end)
        return self.relationships.with_conditions(text, rel) if rel.conditions else text

    def far_end(self, rel: QueryRelationship, *, singular: bool = False) -> str:
        """Realise the far end of a relationship: `the drug 'ASPIRIN'`, `a therapy`, `cases reported by ...`.

        Args:
            rel: relationship.
            singular: whether a verb in the singular follows.
        """
        node, rng = rel.node, self.rng
        if value := self.nouns.value(node):
            return self._named(node, value)
        if rel.closing is not None:
            return self._closed(node, rel.closing)
        if not node.conditions and not node.relationships and not node.count_predicates:
            return self._unrestricted(rel, singular=singular)
        if named := self._named_and_restricted(node):
            return named
        if self.context.is_uniquely_identified(node):
            return ("the " if rng.random() < 0.8 else "") + self.noun_phrase(node, plural=False)
        plural = not singular and rng.random() < 0.5
        text = self.noun_phrase(node, plural=plural)
        return rng.choice(("", "", "the ", "any ")) + text if plural else article(text)

    def _unrestricted(self, rel: QueryRelationship, *, singular: bool) -> str:
        """Realise a far end without conditions: `a disease`, `any disease`."""
        noun, plural_noun = self.nouns.label_noun(rel.node.label)
        if rel.is_negated:
            return self.rng.choice((f"any {noun}", f"any {noun if singular else plural_noun}", article(noun)))
        some = (article(noun), f"any {noun}", article(noun), f"at least one {noun}", f"some {noun}")
        return self.rng.choice(some if singular else (*some, plural_noun))

    def _closed(self, node: QueryNode, closing: QueryRelationship) -> str:
        """Realise a far end with a second relationship of its anchor: `a drug that they are allergic to`."""
        noun, plural_noun = self.nouns.label_noun(node.label)
        clause = self.relationships.closing_clause(closing)
        return self.rng.choice(
            (f"{article(noun)} {clause}", f"{plural_noun} {clause}", f"any {noun} {clause}")
        )

    def proper_name(self, node: QueryNode) -> str:
        """Realise a single node by its name or identifier: `warfarin`, `case 17`; empty if it has none."""
        value = self.nouns.value(node) or self._identifier(node)
        if not value or node.conditions[0].operator != "eq" or node.conditions[0].conjoined_value is not None:
            return ""
        noun = self.nouns.label_noun(node.label)[0]
        bare = value if self.nouns.value(node) else f"{noun} {value}"
        full = "the " + self.attach_modifiers(noun, self.modifiers(node, plural=False, animate=False))
        return self.rng.choice((bare, bare, bare, f"the {noun} {value}", f"{noun} {value}", full, full))

    def _identifier(self, node: QueryNode) -> str:
        if (
            len(node.conditions) != 1
            or node.relationships
            or node.count_predicates
            or not node.conditions[0].mentions
        ):
            return ""
        condition = node.conditions[0]
        is_key = condition.name == self.context.lexicon.labels[node.label].display_property
        is_id = self.context.semantic_type(node.label, condition.name) == "id"
        return condition.mentions[0].sentinel if is_key and is_id and self.rng.random() < 0.15 else ""

    def _named(self, node: QueryNode, value: str) -> str:
        """Realise a node by its name, with or without its noun."""
        noun, plural_noun = self.nouns.label_noun(node.label)
        condition = node.conditions[0]
        if condition.conjoined_value is not None:
            return self.rng.choice((value, f"the {plural_noun} {value}", value))
        if condition.operator == "in":
            return self.rng.choice((value, f"{noun} {value}", f"the {plural_noun} {value}"))
        offered = [each for each in self._condition(node, condition) if not each.startswith(("pre:", "who "))]
        phrase = inflect_alternatives(pick(offered, self.rng), plural=False)
        texts = [
            value, f"the {noun} {value}", f"{noun} {value}", article(f"{noun} {phrase}"), f"the {noun} {phrase}",
        ]  # fmt: skip
        return self.rng.choices(texts, (6, 3, 1.5, 1, 1))[0]

    def _named_and_restricted(self, node: QueryNode) -> str:
        """Realise a node by its name and a second condition: `the drug X with the primary substance Y`."""
        names = self.context.lexicon.labels[node.label].naming_properties[:1]
        if len(node.conditions) != 2 or node.relationships or node.count_predicates:
            return ""
        first, second = node.conditions
        if first.operator != "eq" or first.name not in names or not first.mentions:
            return ""
        offered = [
            each for each in self._condition(node, second) if not each.startswith(("pre:", "who ", "that "))
        ]
        noun, value = self.nouns.label_noun(node.label)[0], first.mentions[0].sentinel
        start = self.rng.choice((value, f"the {noun} {value}", f"{noun} {value}"))
        phrase = inflect_alternatives(pick(offered, self.rng), plural=False)
        in_commas = phrase.startswith(("where ", "whose ")) or self.rng.random() < 0.2
        return f"{start}, {phrase}," if in_commas else f"{start} {phrase}"


def _has_own_subject(phrase: str) -> bool:
    """Return whether the subject of a phrase is not the noun in front of it: `that {} takes`."""
    return bool(re.match(f"(?:that|who) (?:both )?(?:\\{{|{SENTINEL_OPEN})", phrase))
