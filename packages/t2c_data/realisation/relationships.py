"""Says links, and how many there are: phrases in which `{}` still stands for the far end.

Every choice comes from a generator. The far end itself is said by `verbalise`, conditions on properties by `phrasing`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.realisation.conditions import pick
from t2c_data.realisation.morphology import (
    INTROS,
    is_negative,
    negate,
    split_introducer,
    subject_verb_agreement,
)

if TYPE_CHECKING:
    from t2c_data.planning.query_tree import CountPredicate, QueryNode, QueryRelationship
    from t2c_data.realisation.conditions import PredicateRealiser
    from t2c_data.realisation.lexical_choice import LexicalChooser

THROUGH = 0.3
"""How often a node between, of which nothing is said, is left out."""
ADJECTIVES = 0.5
"""How often a condition on a link that can be said as an adjective is said so."""
_AMOUNTS = {
    "gt": ("more than {}", "over {}", "more than {}"),
    "ge": ("at least {}", "at least {}", "no fewer than {}", "{} or more"),
    "lt": ("fewer than {}", "less than {}", "under {}"),
    "le": ("at most {}", "no more than {}", "up to {}"),
    "eq": ("exactly {}", "exactly {}", "precisely {}"),
}
_PLAIN = re.compile(r"(on|under|\w+ by) \{\}")
"""A phrase that says no more of what stands before it than that it belongs there."""


class RelationshipRealiser:
    """Says links.

    Args:
        phraser: says conditions on their properties; has the graph, its lexicon and the generator.
        nouns: calls their far ends.
    """

    def __init__(self, phraser: PredicateRealiser, nouns: LexicalChooser) -> None:
        self._world = phraser.world
        self._rng = phraser.rng
        self._phraser = phraser
        self._nouns = nouns

    def contracted(self, node: QueryNode, link: QueryRelationship) -> tuple[list[str], QueryRelationship]:
        """List phrases for a link of a node, or for the one behind it if nothing need be said of what stands between.

        Returns:
            The phrases, and the link that they are about.
        """
        second = self._behind(link)
        short = self._short(node, second) if second else []
        return (short, second) if short and second else (self.say(link), link)

    def say(self, link: QueryRelationship) -> list[str]:
        """List phrases for a link, or for its absence."""
        words = self._world.link_words(link)
        if link.is_negated:
            return self._absent(link)
        value = self._nouns.value(link.node)
        twins = bool(link.node.conditions) and link.node.conditions[0].conjoined_value is not None
        said = []
        for each in words.forward if link.forward else words.backward:
            if "{value}" not in each:
                said.append(subject_verb_agreement(each) if twins else each)
            elif value and (kept := self._phraser.strip_unless(each, link.node.conditions[0])):
                kept = subject_verb_agreement(kept) if twins else kept
                said.append(kept.replace("{value}", value))
        if twins:
            said += [f"shared by {value}", f"common to {value}", f"that {value} have in common"]
        return said + self._general(link, value)

    def without_conditions(self, link: QueryRelationship, *, backward: bool = False) -> list[str]:
        """List phrases for a link, or for its way back, that take the other end as it is."""
        words = self._world.link_words(link)
        said = words.forward if link.forward != backward else words.backward
        return [
            each
            for each in said
            if "{value}" not in each and not each.startswith(("where ", "in which ", "who "))
        ]

    def count_phrases(self, degree: CountPredicate) -> list[str]:
        """Say how many neighbours there are: `with more than 3 reactions`."""
        number = self._rng.choice(_AMOUNTS[degree.operator]).replace("{}", degree.mention.sentinel)
        plain = f"{number} {self._nouns.label_noun(degree.link.node.label)[1]}"
        said = [
            subject_verb_agreement(each).replace("{}", plain)
            for each in self.without_conditions(degree.link)
            if each.startswith("that ")
        ]
        try:
            role = self._nouns.role_noun(degree.link, certain=not self._world.is_ambiguous(degree.link))[1]
        except UnfitError:
            return said
        amount = f"{number} {role}"
        return [*said, f"with {amount}", f"that [has|have] {amount}", f"having {amount}"]

    def adjective(self, link: QueryRelationship, *, far: bool) -> str:
        """Say the one condition of a link as an adjective of one of its ends: `severe asthma`, `first-line drugs`.

        A flag belongs to what the relationship starts from, any other value to what it leads to.
        """
        if len(link.conditions) != 1 or self._rng.random() > ADJECTIVES:
            return ""
        condition = link.conditions[0]
        flag = condition.operator in {"true", "false"}
        if far != (link.forward != flag):
            return ""
        said = [
            each for each in self._phraser.realise(link.triple.type, condition) if each.startswith("pre:")
        ]
        return self._rng.choice(said).removeprefix("pre:") if said else ""

    def with_conditions(self, text: str, link: QueryRelationship) -> str:
        """Put the conditions of a link behind a finished phrase for it: `that take warfarin since 2021`."""
        clause = text.startswith(("where ", "in which "))
        for each in link.conditions:
            said = self._phraser.realise(link.triple.type, each)
            plain = [one for one in said if not one.startswith((*INTROS, "pre:"))]
            wheres = [one for one in said if one.startswith("where ")]
            if clause and wheres and (not plain or self._rng.random() < 0.5):
                text += " and " + pick(wheres, self._rng).removeprefix("where ")
            elif plain:
                text += self._rng.choice((" ", " ", " and ")) + pick(plain, self._rng)
            else:
                text += " " + split_introducer(pick(said, self._rng))[1]
        return text

    def _absent(self, link: QueryRelationship) -> list[str]:
        """List phrases that say there is no such link: `that treat no disease`, `not taken by any patient`."""
        words = self._world.link_words(link)
        said = list(words.without) if link.forward else []
        named = bool(link.node.conditions)
        role = self._nouns.role_noun(link, certain=True)[self._rng.random() < 0.5]
        if not named:
            said += [
                f"without any {role}",
                f"without {role}",
                f"with no {role}",
                f"that [has|have] no {role}",
            ]
        for each in self.without_conditions(link):
            if is_negative(each):
                continue
            if not named:
                said.append(each.replace("{}", f"no {self._nouns.label_noun(link.node.label)[0]}"))
            if turned := negate(each):
                said.append(turned)
        return said

    def _general(self, link: QueryRelationship, value: str) -> list[str]:
        words = self._world.link_words(link)
        roles = list(words.target if link.forward else words.source)
        if self._world.is_ambiguous(link) and not words.assumed:
            roles = [each for each in roles if each not in self._world.lexicon.labels[link.node.label].nouns]
        role = self._rng.choice(roles)[0] if roles else ""
        if not value or not role or len(role.split(" ")) > 4:
            return []
        return [
            f"where the {role} is {value}", f"with {role} {value}", f"with the {role} {value}",
            f"with {value} as the {role}", f"where {value} is the {role}", f"where the {role} was {value}",
        ]  # fmt: skip

    def _behind(self, link: QueryRelationship) -> QueryRelationship | None:
        """Find the link that may be said as if there were nothing between: `patients seen by Dr X`."""
        node = link.node
        plain = not (node.conditions or node.degrees or link.conditions or link.types or link.is_negated)
        if not plain or len(node.links) != 1 or node.links[0].is_unverbalised or node.links[0].is_negated:
            return None
        second = node.links[0]
        start = link.triple.source if link.forward else link.triple.target
        if second.node.label == start or self._rng.random() > THROUGH:
            return None
        return second if self._world.is_unique_path(start, second.node.label) else None

    def _short(self, node: QueryNode, link: QueryRelationship) -> list[str]:
        """List phrases of a link that are as true of what stands one step further: `on the ward X`, `seen by Dr X`."""
        labels = self._world.lexicon.labels
        acts = bool(labels[node.label].people and labels[link.node.label].people)
        return [
            each
            for each in self.say(link)
            if (found := _PLAIN.fullmatch(each)) and (acts or not found[1].endswith(" by"))
        ]
