"""Relationships and numbers of neighbours in words: phrases in which `{}` still stands for the far end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import (
    INTRODUCERS,
    is_negative,
    negate,
    split_introducer,
    subject_verb_agreement,
)
from t2c_data.realisation.condition_phrases import TEMPORAL_PHRASES
from t2c_data.realisation.conditions import pick

if TYPE_CHECKING:
    from t2c_data.planning.query_tree import CountPredicate, QueryNode, QueryRelationship
    from t2c_data.realisation.conditions import PredicateRealiser
    from t2c_data.realisation.lexical_choice import LexicalChooser

CONTRACTION_RATE = 0.4
"""How often an intermediate node without conditions is left out."""
DATED_EVENT_RATE = 0.6
"""How often an event of which only the time matters is said by a participle."""
ADJECTIVE_RATE = 0.5
"""How often a condition on a relationship that has an adjective is realised as one."""
_AMOUNTS = {
    "gt": ("more than {}", "over {}", "more than {}"),
    "ge": ("at least {}", "at least {}", "no fewer than {}", "{} or more"),
    "lt": ("fewer than {}", "less than {}", "under {}"),
    "le": ("at most {}", "no more than {}", "up to {}"),
    "eq": ("exactly {}", "exactly {}", "precisely {}"),
}
_CONTRACTIBLE = re.compile(r"(on|under|\w+ by) \{\}")
"""A phrase that holds over an intermediate node as well."""
_DONE_BY = re.compile(r"(?:that \[(?:is|was)\|\w+\] )?(\w+(?:ed|en|ought|old)) by \{\}")
"""A phrase of what neighbours do to a node."""
_NEVER = re.compile(r"((?:that|who) )(\[(?!is\||was\||has\|)\w+\|\w+\] .*)")
"""A verb in the present that "never" can stand before."""


class RelationshipRealiser:
    """Realises relationships.

    Args:
        predicates: realiser of conditions on their properties.
        nouns: lexical choice for their far ends.
    """

    def __init__(self, predicates: PredicateRealiser, nouns: LexicalChooser) -> None:
        self._context = predicates.context
        self._rng = predicates.rng
        self._predicates = predicates
        self._nouns = nouns

    def contracted(self, node: QueryNode, rel: QueryRelationship) -> tuple[list[str], QueryRelationship]:
        """List phrases for a relationship, or for the next one if the node between can be left out.

        Returns:
            The phrases, and the relationship that they realise.
        """
        second = self._contractible(rel)
        short = self._contractible_phrases(node, second) + self._event_phrases(node, second) if second else []
        if short and second:
            return short, second
        dated = self._dated_event_phrases(node, rel)
        return (dated if dated and self._rng.random() < DATED_EVENT_RATE else self.phrases(rel)), rel

    def phrases(self, rel: QueryRelationship) -> list[str]:
        """List phrases for a relationship, or for its absence if it is negated."""
        words = self._context.relationship_entry(rel)
        if rel.is_negated:
            return self._negated(rel)
        value = self._nouns.value(rel.node)
        is_coordinated = bool(rel.node.conditions) and rel.node.conditions[0].conjoined_value is not None
        found = []
        for each in words.forward if rel.forward else words.backward:
            if "{value}" not in each:
                found.append(subject_verb_agreement(each) if is_coordinated else each)
            elif value and (kept := self._predicates.strip_unless(each, rel.node.conditions[0])):
                kept = subject_verb_agreement(kept) if is_coordinated else kept
                found.append(kept.replace("{value}", value))
        if is_coordinated:
            found += [f"shared by {value}", f"common to {value}", f"that {value} have in common"]
        return found + self._by_role(rel, value)

    def without_conditions(self, rel: QueryRelationship, *, backward: bool = False) -> list[str]:
        """List phrases for a relationship, or for its inverse, that take any noun phrase as the far end."""
        words = self._context.relationship_entry(rel)
        phrases = words.forward if rel.forward != backward else words.backward
        excluded = ("where ", "in which ", "who ")
        return [each for each in phrases if "{value}" not in each and not each.startswith(excluded)]

    def closing_clause(self, rel: QueryRelationship) -> str:
        """Realise a second relationship of an anchor to the same node, behind its noun: `that they are allergic to`.

        Raises:
            UnfitError: the lexicon has no such phrase.
        """
        phrases = [
            each for each in self.without_conditions(rel, backward=True) if each.startswith("that {} ")
        ]
        clause = subject_verb_agreement(pick(phrases, self._rng)).replace("{}", "they")
        return clause if self._rng.random() < 0.4 else clause.removeprefix("that ")

    def count_phrases(self, predicate: CountPredicate) -> list[str]:
        """List phrases for a number of neighbours: `with more than 3 reactions`."""
        rel = predicate.rel
        amount = self._rng.choice(_AMOUNTS[predicate.operator]).replace("{}", predicate.mention.sentinel)
        neighbours = f"{amount} {self._nouns.label_noun(rel.node.label)[1]}"
        found = [
            subject_verb_agreement(each).replace("{}", neighbours)
            for each in self.without_conditions(rel)
            if each.startswith("that ")
        ]
        found += [f"{done} {amount} times" for done in self.done_by(rel)]
        try:
            role = self._nouns.role_noun(rel, is_certain=not self._context.is_ambiguous(rel))[1]
        except UnfitError:
            return found
        return [*found, *(f"{start} {amount} {role}" for start in ("with", "that [has|have]", "having"))]

    def done_by(self, rel: QueryRelationship) -> list[str]:
        """List participles of what a thing undergoes by people or over events: `supplied`, `ordered`."""
        far, near = (self._context.lexicon.labels[each] for each in (rel.node.label, _near_label(rel)))
        if near.animate_nouns:
            return []
        phrases = self.without_conditions(rel) if far.animate_nouns else []
        found = [done[1] for each in phrases if (done := _DONE_BY.fullmatch(each))]
        return [*found, *far.event_participles]

    def adjective(self, rel: QueryRelationship, *, far: bool) -> str:
        """Realise the only condition of a relationship as an adjective of one end: `severe asthma`.

        A boolean modifies the start node (`first-line drugs`), any other value the end node.

        Args:
            rel: relationship.
            far: whether the adjective is for the far end.
        """
        if len(rel.conditions) != 1 or self._rng.random() > ADJECTIVE_RATE:
            return ""
        condition = rel.conditions[0]
        is_boolean = condition.operator in {"true", "false"}
        if far != (rel.forward != is_boolean):
            return ""
        phrases = self._predicates.realise(rel.triple.type, condition)
        adjectives = [each.removeprefix("pre:") for each in phrases if each.startswith("pre:")]
        return self._rng.choice(adjectives) if adjectives else ""

    def with_conditions(self, text: str, rel: QueryRelationship) -> str:
        """Append the conditions of a relationship to its finished phrase: `that take warfarin since 2021`."""
        is_clause = text.startswith(("where ", "in which "))
        for each in rel.conditions:
            phrases = self._predicates.realise(rel.triple.type, each)
            plain = [one for one in phrases if not one.startswith((*INTRODUCERS, "pre:"))]
            clauses = [one for one in phrases if one.startswith("where ")]
            if is_clause and clauses and (not plain or self._rng.random() < 0.5):
                text += " and " + pick(clauses, self._rng).removeprefix("where ")
            elif plain:
                text += self._rng.choice((" ", " ", " and ")) + pick(plain, self._rng)
            else:
                text += " " + split_introducer(pick(phrases, self._rng))[1]
        return text

    def _negated(self, rel: QueryRelationship) -> list[str]:
        """List phrases for the absence of a relationship: `that treat no disease`, `not taken by any patient`."""
        words = self._context.relationship_entry(rel)
        found = list(words.negated_phrases) if rel.forward else []
        is_named = bool(rel.node.conditions)
        role = self._nouns.role_noun(rel, is_certain=True)[self._rng.random() < 0.5]
        if not is_named:
            found += self._for_nobody(rel)
            found += [
                f"that [has|have] no {role} at all",
                f"without any {role}",
                f"without {role}",
                f"with no {role}",
                f"that [has|have] no {role}",
            ]
        for each in self.without_conditions(rel):
            if is_negative(each):
                continue
            if not is_named:
                found.append(each.replace("{}", f"no {self._nouns.label_noun(rel.node.label)[0]}"))
            if negated := negate(each):
                found.append(negated)
            if never := _NEVER.match(each):
                found.append(f"{never[1]}never {never[2]}")
        return found

    def _for_nobody(self, rel: QueryRelationship) -> list[str]:
        """List phrases for the absence of people at the far end: `that nobody takes`."""
        if not self._context.lexicon.labels[rel.node.label].animate_nouns:
            return []
        nobody = self._rng.choice(("nobody", "no one", "nobody here"))
        found = []
        for each in self.without_conditions(rel):
            if each.startswith("that {} ") and not is_negative(each):
                phrase = each.replace("{}", nobody)
                found += [phrase, phrase.removeprefix("that ")]
            elif each.endswith(" by {}") and not is_negative(each):
                found.append(each.replace("{}", nobody))
        return found

    def _by_role(self, rel: QueryRelationship, value: str) -> list[str]:
        """List general phrases with the role of a named far end: `where the outcome is 'Death'`."""
        roles = self._nouns.roles(rel)
        role = self._rng.choice(roles)[0] if roles else ""
        if not value or not role or len(role.split(" ")) > 4:
            return []
        return [
            f"where the {role} is {value}", f"with {role} {value}", f"with the {role} {value}",
            f"with {value} as the {role}", f"where {value} is the {role}", f"where the {role} was {value}",
        ]  # fmt: skip

    def _contractible(self, rel: QueryRelationship) -> QueryRelationship | None:
        """Return the next relationship if the node between can be left out: `patients seen by Dr X`."""
        node = rel.node
        is_restricted = node.conditions or node.count_predicates or rel.conditions or rel.types
        if is_restricted or rel.is_negated or len(node.relationships) != 1:
            return None
        second = node.relationships[0]
        start = _near_label(rel)
        if second.is_unverbalised or second.is_negated or second.node.label == start:
            return None
        if self._rng.random() > CONTRACTION_RATE:
            return None
        return second if self._context.is_unique_path(start, second.node.label) else None

    def _event_phrases(self, start: QueryNode, rel: QueryRelationship) -> list[str]:
        """List phrases over an event that people take part in: `customers that ordered X`, `ordered by X`."""
        event = _near_label(rel)
        agent = self._context.event_agent(event)
        if not agent or agent not in {start.label, rel.node.label}:
            return []
        done = self._rng.choice(self._context.lexicon.labels[event].event_participles)
        if agent == start.label:
            return [f"that {done} {{}}", f"that [has|have] {done} {{}}"]
        return [f"{done} by {{}}", f"that [was|were] {done} by {{}}", f"that {{}} {done}"]

    def _dated_event_phrases(self, start: QueryNode, rel: QueryRelationship) -> list[str]:
        """List phrases for an event of which only the time matters: `ordered in 1998`."""
        event, labels = rel.node, self._context.lexicon.labels
        is_alone = not (event.relationships or event.count_predicates or rel.conditions or rel.is_negated)
        if not is_alone or len(event.conditions) != 1:
            return []
        condition = event.conditions[0]
        if (
            condition.name != self._context.event_date(event.label)
            or condition.operator not in TEMPORAL_PHRASES
        ):
            return []
        done = self._rng.choice(labels[event.label].event_participles)
        time = self._predicates.time(condition)
        if labels[start.label].animate_nouns:
            is_agent = start.label == self._context.event_agent(event.label)
            return [f"that {done} {time}", f"that [has|have] {done} {time}"] if is_agent else []
        return [f"{done} {time}", f"that [was|were] {done} {time}", f"that [has|have] been {done} {time}"]

    def _contractible_phrases(self, node: QueryNode, rel: QueryRelationship) -> list[str]:
        """List phrases of a relationship that hold one step further as well: `on the ward X`, `seen by Dr X`."""
        labels = self._context.lexicon.labels
        are_people = bool(labels[node.label].animate_nouns and labels[rel.node.label].animate_nouns)
        return [
            each
            for each in self.phrases(rel)
            if (found := _CONTRACTIBLE.fullmatch(each)) and (are_people or not found[1].endswith(" by"))
        ]


def _near_label(rel: QueryRelationship) -> str:
    return rel.triple.source if rel.forward else rel.triple.target
