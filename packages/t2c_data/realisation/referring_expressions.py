"""Referring expressions for what a template returns: properties, neighbours and relationship properties of the root.

An expression distinguishes its referent from everything else: where several relationships lead to one label, it says
which one is meant; over two hops, it names the node between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.lexicon.morphology import article, inflect_number, subject_verb_agreement
from t2c_data.planning.query_tree import QueryRelationship
from t2c_data.realisation.conditions import pick

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.query_tree import Slot
    from t2c_data.realisation.noun_phrases import NounPhraseRealiser
    from t2c_data.realisation.subject import RootRealiser

FULL_PATH_RATE = 0.8
"""How often the node between is named where it could be left out."""
TYPE_NAME_RATE = 0.05
"""How often a relationship property is said to be "in the HAS_REACTION relationship"."""
_HAS_POSTMODIFIER = re.compile(r" (that|used|listed|in|of|for|to|on|by|with) ")
_PLURAL_MENTIONS = ("these ", "those ", "such ", "them")


class ReferringExpressionGenerator:
    """Names slots.

    Args:
        noun_phrases: realiser of trees.
        slots: slots to name.
        subject: realiser of the root.
        out_of_schema_noun: noun that replaces the property of slot `a`, for unanswerable questions.
    """

    def __init__(
        self,
        noun_phrases: NounPhraseRealiser,
        slots: Mapping[str, Slot],
        subject: RootRealiser,
        out_of_schema_noun: Noun | None = None,
    ) -> None:
        self.noun_phrases = noun_phrases
        self._context = noun_phrases.context
        self._rng = noun_phrases.rng
        self.slots = slots
        self.subject = subject
        self._out_of_schema_noun = out_of_schema_noun

    def name(self, slot: Slot, plural: bool) -> str:
        """Name a slot so that it is distinguished from everything else."""
        if slot.part is self.subject.node or not slot.path:
            return self.property(slot, plural)
        if isinstance(slot.part, QueryRelationship):
            return self._relationship_property(slot, plural)
        return self._neighbour_property(slot, plural, is_head=False)

    def property(self, slot: Slot, plural: bool) -> str:
        """Name the property alone."""
        if self._out_of_schema_noun is not None and slot is self.slots.get("a"):
            return self._out_of_schema_noun[plural]
        return self.noun_phrases.predicates.noun(slot.part.label_or_type, slot.name, plural=plural)

    def role(self, slot: Slot, plural: bool) -> str:
        """Name the node of a slot as seen from the root."""
        return self._role(slot)[plural]

    def as_role(self, slot: Slot, plural: bool) -> str:
        """Name the node of a slot behind "is" or "as": `a side effect`."""
        if not slot.path or not slot.path[0].forward:
            raise UnfitError("the role is that of the root")
        return article(self._role(slot)[plural])

    def _role(self, slot: Slot, *, is_certain: bool = False) -> Noun:
        if slot.part is self.subject.node:
            return self.subject.noun(plural=False), self.subject.noun(plural=True)
        rel = slot.path[-1]
        if len(slot.path) > 1 and (not self._may_skip_middle(slot) or self._rng.random() < FULL_PATH_RATE):
            middle = self.noun_phrases.nouns.role_noun(slot.path[0])[1]
            noun = self.noun_phrases.nouns.label_noun(rel.node.label)
            state = self._rng.getstate()
            singular = f"{noun[0]} {self.inverse_phrase(rel, middle, False)}"
            self._rng.setstate(state)
            return singular, f"{noun[1]} {self.inverse_phrase(rel, middle, True)}"
        return self.noun_phrases.nouns.role_noun(rel, is_certain=is_certain or slot.is_already_mentioned)

    def _may_skip_middle(self, slot: Slot) -> bool:
        """Return whether a slot two hops away can be named without the node between."""
        return self._context.is_unique_path(self.subject.node.label, slot.path[-1].node.label)

    def _relationship_property(self, slot: Slot, plural: bool) -> str:
        noun = self.property(slot, plural)
        rel = slot.path[0]
        if self._rng.random() < TYPE_NAME_RATE:
            name = self._rng.choice((rel.triple.type, f"'{rel.triple.type}'"))
            link = self._rng.choice(("used in", "in", "values in", "values for", "properties for"))
            relationship = self._rng.choice(("relationship", "relationships"))
            return f"{noun} {link} {self._rng.choice(('the ', ''))}{name} {relationship}"
        has_owner = " of the " in noun
        is_unambiguous = slot.is_already_mentioned or has_owner or self._is_unique_property(slot)
        if is_unambiguous and (
            slot.is_already_mentioned or not rel.forward or has_owner or self._rng.random() < 0.6
        ):
            return noun
        if not rel.forward:
            nouns = self._context.lexicon.labels[self.subject.node.label].nouns
            entry = self._context.relationship_entry(rel)
            roles = [each[0] for each in entry.target_role if each not in nouns]
            return f"{noun} as {article(pick(roles, self._rng))}"
        return f"{noun} {self._rng.choice(('of', 'for'))} the {self.role(slot, self._rng.random() < 0.5)}"

    def _neighbour_property(self, slot: Slot, plural: bool, *, is_head: bool) -> str:
        """Name a neighbour's property; `is_head`: a phrase that attaches it to the root follows."""
        roles = self._role(slot, is_certain=is_head)
        if is_head and re.search(r" (that|listed|used) ", roles[0]):
            roles = self.noun_phrases.nouns.label_noun(slot.part.label_or_type)
        noun, role = self.property(slot, plural), roles[0]
        words = self._context.lexicon.labels[slot.part.label_or_type]
        is_naming = slot.name == words.display_property or slot.name in words.naming_properties[:1]
        is_possessed = is_naming and noun.partition(" ")[0].removesuffix("'s") in role.split(" ")
        is_same = noun.lower().replace(" ", "") == role.lower().replace(" ", "")
        repeats = is_possessed or is_same or role.endswith(noun) or noun.startswith(role)
        if is_naming and (repeats or self._rng.random() < 0.5):
            return roles[plural]
        if repeats:
            return noun
        if len(slot.path) > 1 and not self._may_skip_middle(slot):
            return f"{noun} of the {roles[1]}"
        if is_head or self._rng.random() < 0.5 or _HAS_POSTMODIFIER.search(role):
            return f"{noun} of the {roles[plural or (is_head and self.subject.plural_only)]}"
        return (
            f"{role}'s {noun}" if slot.is_already_mentioned and self._rng.random() < 0.4 else f"{role} {noun}"
        )

    def _is_unique_property(self, slot: Slot) -> bool:
        """Return whether a relationship property can be named without its relationship."""
        rel_type = slot.part.label_or_type
        noun = self.property(slot, False)
        others = {
            key[0]
            for key, words in self._context.lexicon.properties.items()
            if key[0] != rel_type and (noun == key[1] or any(noun == one for one, _ in words.nouns))
        }
        return not others or self._context.lexicon.relationship(slot.path[0].triple).is_default

    def inverse_phrase(
        self,
        rel: QueryRelationship,
        anchor: str,
        plural: bool,
        *,
        singular_anchor: bool = False,
        is_last: bool = False,
    ) -> str:
        """Realise a relationship from its far end: `reported in the case`.

        Args:
            rel: relationship.
            anchor: noun phrase of its anchor.
            plural: number of the far end.
            singular_anchor: whether the anchor is singular.
            is_last: whether the anchor must end the phrase.
        """
        phrases = self.noun_phrases.relationships.without_conditions(rel, backward=True)
        phrase = pick([each for each in phrases if not is_last or each.endswith("{}")], self._rng)
        phrase = phrase if singular_anchor else subject_verb_agreement(phrase)
        return inflect_number(phrase, plural=plural).replace("{}", anchor)

    def attach_to_root(self, slot: Slot, plural: bool, root: str, *, role: bool = False) -> str:
        """Name a slot and attach it to the root: `reactions reported in the case with primary ID 5`.

        Args:
            slot: slot to name.
            plural: its number.
            root: noun phrase of the root.
            role: whether to name the node rather than its property.
        """
        preposition = self._rng.choice(("in", "for", "of"))
        singular = self.subject.singular and not root.startswith(_PLURAL_MENTIONS)
        is_two_hop = len(slot.path) > 1
        if is_two_hop and not self._may_skip_middle(slot) and (role or self._rng.random() < 0.3):
            name = self.role(slot, plural) if role else self.name(slot, plural)
            return f"{name} {preposition} {root}"
        if is_two_hop:
            head = self._two_hop_head(slot, plural, role=role)
        else:
            head = self.role(slot, plural) if role else self._head(slot, plural)
        if not slot.path:
            return f"{head} of {root}"
        if isinstance(slot.part, QueryRelationship):
            return f"{head} {preposition} {root}"
        if not is_two_hop:
            number = plural or (self.subject.plural_only and " of the " in head)
            return f"{head} {self.inverse_phrase(slot.path[0], root, number, singular_anchor=singular)}"
        if self._may_skip_middle(slot) and self._rng.random() > FULL_PATH_RATE:
            return f"{head} {preposition} {root}"
        first, second = slot.path[0], slot.path[-1]
        nouns = self.noun_phrases.nouns.label_noun(first.node.label)[1]
        middle = self._rng.choice((nouns, f"the {nouns}"))
        near = self.inverse_phrase(second, middle, plural, is_last=True)
        return f"{head} {near} {self.inverse_phrase(first, root, True, singular_anchor=singular)}"

    def root_attachment(self, slot: Slot, plural: bool) -> str:
        """Realise only the attachment to the root: `of the case with primary ID 5`."""
        root = self.subject.definite_np(allow_all=False)
        return self.inverse_phrase(slot.path[0], root, plural, singular_anchor=self.subject.singular)

    def attached(self, slot: Slot, plural: bool, *, role: bool = False) -> str:
        """Name a slot and attach it to the root with its conditions."""
        return self.attach_to_root(slot, plural, self.subject.definite_np(allow_all=False), role=role)

    def attached_to_these(self, slot: Slot, plural: bool, *, role: bool = False) -> str:
        """Name a slot and attach it to "these cases"."""
        return self.attach_to_root(slot, plural, self.subject.demonstrative_np(), role=role)

    def _two_hop_head(self, slot: Slot, plural: bool, *, role: bool) -> str:
        words = self._context.lexicon.labels[slot.part.label_or_type]
        noun = self.noun_phrases.nouns.role_noun(slot.path[-1], is_certain=True)[plural]
        if role or slot.name == words.display_property:
            return noun
        return f"{self.property(slot, plural)} of the {noun}"

    def _head(self, slot: Slot, plural: bool) -> str:
        if slot.part is self.subject.node or isinstance(slot.part, QueryRelationship):
            return self.name(slot, plural)
        return self._neighbour_property(slot, plural, is_head=True)

    def only_relationship(self, slot: Slot) -> QueryRelationship:
        """Return the relationship to a neighbour.

        Raises:
            UnfitError: the slot is not one hop away.
        """
        if len(slot.path) != 1:
            raise UnfitError("not a neighbour")
        return slot.path[0]

    def displayed_neighbour(self, slot: Slot) -> QueryRelationship:
        """Return the relationship to a neighbour that is returned by its display property.

        Raises:
            UnfitError: it is not such a slot.
        """
        rel = self.only_relationship(slot)
        if (
            isinstance(slot.part, QueryRelationship)
            or slot.name != self._context.lexicon.labels[slot.part.label].display_property
        ):
            raise UnfitError("not a neighbour that has a name")
        return rel

    def possessed_by_root(self, slot: Slot, plural: bool) -> str:
        """Name what the root has: a property of its own or one over an outgoing relationship."""
        if slot.path and not slot.path[0].forward:
            raise UnfitError("it belongs to the other end")
        return self.name(slot, plural)

    def as_answer(self, slot: Slot, plural: bool) -> str:
        """Name a neighbour whose name is returned."""
        return self.noun_phrases.nouns.label_noun(self.displayed_neighbour(slot).node.label)[plural]

    def is_plural(self, name: str) -> bool:
        """Return whether the noun of a slot has no singular: `languages`."""
        slot = self.slots.get(name)
        if slot is None or slot.mention is not None or not slot.name:
            return False
        noun = self.property(slot, False)
        return noun.endswith("s") and noun == self.property(slot, True)


_Names = ReferringExpressionGenerator
REFERENCE_FORMATS: dict[str, Callable[[ReferringExpressionGenerator, Slot, bool], str]] = {
    "": _Names.name,
    ".or": lambda names, slot, plural: "one" if names._rng.random() < 0.15 else names.name(slot, plural),
    "!": _Names.property,
    "@": _Names.attached,
    "@these": _Names.attached_to_these,
    "@them": lambda names, slot, plural: names.attach_to_root(slot, plural, "them"),
    ".role": _Names.role,
    ".role.a": _Names.as_role,
    ".role@": lambda names, slot, plural: names.attached(slot, plural, role=True),
    ".role@these": lambda names, slot, plural: names.attached_to_these(slot, plural, role=True),
    ".of": _Names.root_attachment,
    ".noun": lambda names, slot, plural: names.noun_phrases.nouns.label_noun(slot.path[0].node.label)[plural],
    ".which": _Names.as_answer,
    ".had": _Names.possessed_by_root,
    ".shared": lambda names, slot, _: names.noun_phrases.nouns.role_noun(slot.path[0])[0],
}
"""Realisations of placeholders for slots that have a number, by format."""
