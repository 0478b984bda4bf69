"""Names what a pattern returns, seen from the root: properties, neighbours, properties of links; joined to it or not.

A name tells what is asked for from everything else: where several relationships lead to one label, which one is meant;
over two steps, what stands between. Holds no query and makes no choice of what is returned.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.query_tree import QueryRelationship
from t2c_data.realisation.conditions import pick
from t2c_data.realisation.morphology import article, inflect_number, subject_verb_agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from t2c_data.lexicon.model import Noun
    from t2c_data.planning.slots.sampler import Slot
    from t2c_data.realisation.noun_phrases import NounPhraseRealiser
    from t2c_data.realisation.subject import RootRealiser

LONG_WAY = 0.8
"""How often the node between is named where it could be left out."""
TYPE_NAMED = 0.05
"""How often a link's property is said to be "in the HAS_REACTION relationship"."""
_LONG = re.compile(r" (that|used|listed|in|of|for|to|on|by|with) ")
_MANY = ("these ", "those ", "such ", "them")


class ReferringExpressionGenerator:
    """Names slots.

    Args:
        speaker: says trees.
        slots: what is returned.
        subject: says the root.
        stranger: a noun that takes the place of what slot `a` is called, for questions that have no answer.
    """

    def __init__(
        self,
        speaker: NounPhraseRealiser,
        slots: Mapping[str, Slot],
        subject: RootRealiser,
        stranger: Noun | None = None,
    ) -> None:
        self.speaker = speaker
        self._world = speaker.world
        self._rng = speaker.rng
        self.slots = slots
        self.subject = subject
        self._stranger = stranger

    def name(self, slot: Slot, plural: bool) -> str:
        """Name a slot so that it can be told from everything else."""
        if slot.part is self.subject.node or not slot.path:
            return self.property(slot, plural)
        return (
            self._link_property(slot, plural)
            if isinstance(slot.part, QueryRelationship)
            else self._neighbour(slot, plural, head=False)
        )

    def property(self, slot: Slot, plural: bool) -> str:
        """Name the property alone."""
        if self._stranger is not None and slot is self.slots.get("a"):
            return self._stranger[plural]
        return self.speaker.phraser.noun(self._world.owner(slot.part), slot.name, plural=plural)

    def role(self, slot: Slot, plural: bool) -> str:
        """Say what a slot's node is called, seen from the root."""
        return self._role(slot)[plural]

    def as_role(self, slot: Slot, plural: bool) -> str:
        """Say what a slot's node is to the root, behind "is" or "as": `a side effect`."""
        if not slot.path or not slot.path[0].forward:
            raise UnfitError("the root is something to it")
        return article(self._role(slot)[plural])

    def _role(self, slot: Slot, *, certain: bool = False) -> Noun:
        if slot.part is self.subject.node:
            return self.subject.noun(plural=False), self.subject.noun(plural=True)
        link = slot.path[-1]
        if len(slot.path) > 1 and (not self._short(slot) or self._rng.random() < LONG_WAY):
            first = slot.path[0]
            middle, noun = (
                self.speaker.nouns.role_noun(first)[1],
                self.speaker.nouns.label_noun(link.node.label),
            )
            state = self._rng.getstate()
            singular = f"{noun[0]} {self.inverse_phrase(link, middle, False)}"
            self._rng.setstate(state)
            return singular, f"{noun[1]} {self.inverse_phrase(link, middle, True)}"
        return self.speaker.nouns.role_noun(link, certain=certain or slot.is_already_mentioned)

    def _short(self, slot: Slot) -> bool:
        """Tell whether a slot two steps away may be named without the node between."""
        return self._world.is_unique_path(self.subject.node.label, slot.path[-1].node.label)

    def _link_property(self, slot: Slot, plural: bool) -> str:
        noun = self.property(slot, plural)
        link = slot.path[0]
        if self._rng.random() < TYPE_NAMED:
            kind = self._rng.choice((link.triple.type, f"'{link.triple.type}'"))
            used = self._rng.choice(("used in", "in", "values in", "values for", "properties for"))
            many = self._rng.choice(("relationship", "relationships"))
            return f"{noun} {used} {self._rng.choice(('the ', ''))}{kind} {many}"
        alone = slot.is_already_mentioned or " of the " in noun or self._alone(slot)
        if alone and (
            slot.is_already_mentioned or not link.forward or " of the " in noun or self._rng.random() < 0.6
        ):
            return noun
        if not link.forward:
            nouns = self._world.lexicon.labels[self.subject.node.label].nouns
            roles = [each[0] for each in self._world.link_words(link).target if each not in nouns]
            return f"{noun} as {article(pick(roles, self._rng))}"
        return f"{noun} {self._rng.choice(('of', 'for'))} the {self.role(slot, self._rng.random() < 0.5)}"

    def _neighbour(self, slot: Slot, plural: bool, *, head: bool) -> str:
        roles = self._role(slot, certain=head)
        if head and re.search(r" (that|listed|used) ", roles[0]):
            roles = self.speaker.nouns.label_noun(self._world.owner(slot.part))
        noun, role = self.property(slot, plural), roles[0]
        words = self._world.lexicon.labels[self._world.owner(slot.part)]
        naming = slot.name == words.key or slot.name in words.name[:1]
        owned = naming and noun.partition(" ")[0].removesuffix("'s") in role.split(" ")
        alike = noun.lower().replace(" ", "") == role.lower().replace(" ", "")
        doubled = owned or alike or role.endswith(noun) or noun.startswith(role)
        if naming and (doubled or self._rng.random() < 0.5):
            return roles[plural]
        if doubled:
            return noun
        if len(slot.path) > 1 and not self._short(slot):
            return f"{noun} of the {roles[1]}"
        if head or self._rng.random() < 0.5 or _LONG.search(role):
            return f"{noun} of the {roles[plural or (head and self.subject.plural_only)]}"
        return (
            f"{role}'s {noun}" if slot.is_already_mentioned and self._rng.random() < 0.4 else f"{role} {noun}"
        )

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

    def inverse_phrase(
        self, link: QueryRelationship, thing: str, plural: bool, *, one: bool = False, last: bool = False
    ) -> str:
        """Say the way back over a link; `one`: the thing there is one; `last`: it ends the phrase."""
        said = self.speaker.links.without_conditions(link, backward=True)
        phrase = pick([each for each in said if not last or each.endswith("{}")], self._rng)
        phrase = phrase if one else subject_verb_agreement(phrase)
        return inflect_number(phrase, plural=plural).replace("{}", thing)

    def attach_to_root(self, slot: Slot, plural: bool, thing: str, *, role: bool = False) -> str:
        """Join what a slot returns to the root: `reactions reported in the case with primary ID 5`.

        Args:
            slot: what is returned.
            plural: its number.
            thing: the root.
            role: whether the thing itself is named and not its property.
        """
        short = self._rng.choice(("in", "for", "of"))
        one = self.subject.singular and not thing.startswith(_MANY)
        far = len(slot.path) > 1
        if far and not self._short(slot) and (role or self._rng.random() < 0.3):
            return f"{self.role(slot, plural) if role else self.name(slot, plural)} {short} {thing}"
        head = self._far_head(slot, plural, role=role) if far else self._near_head(slot, plural, role=role)
        if not slot.path:
            return f"{head} of {thing}"
        if isinstance(slot.part, QueryRelationship):
            return f"{head} {short} {thing}"
        if len(slot.path) == 1:
            number = plural or (self.subject.plural_only and " of the " in head)
            return f"{head} {self.inverse_phrase(slot.path[0], thing, number, one=one)}"
        first, second = slot.path[0], slot.path[-1]
        if self._short(slot) and self._rng.random() > LONG_WAY:
            return f"{head} {short} {thing}"
        many = self.speaker.nouns.label_noun(first.node.label)[1]
        middle = self._rng.choice((many, f"the {many}"))
        near = self.inverse_phrase(second, middle, plural, last=True)
        return f"{head} {near} {self.inverse_phrase(first, thing, True, one=one)}"

    def root_attachment(self, slot: Slot, plural: bool) -> str:
        """Say only the way back to the root: `of the case with primary ID 5`."""
        thing = self.subject.definite_np(whole=False)
        return self.inverse_phrase(slot.path[0], thing, plural, one=self.subject.singular)

    def attached(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to the root."""
        return self.attach_to_root(slot, plural, self.subject.definite_np(whole=False))

    def joined_to_these(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "these cases"."""
        return self.attach_to_root(slot, plural, self.subject.demonstrative_np())

    def joined_to_them(self, slot: Slot, plural: bool) -> str:
        """Name a slot and join it to "them"."""
        return self.attach_to_root(slot, plural, "them")

    def _near_head(self, slot: Slot, plural: bool, *, role: bool) -> str:
        return self.role(slot, plural) if role else self._head(slot, plural)

    def _far_head(self, slot: Slot, plural: bool, *, role: bool) -> str:
        """Name what is two steps away where the way to it is said behind."""
        words = self._world.lexicon.labels[self._world.owner(slot.part)]
        noun = self.speaker.nouns.role_noun(slot.path[-1], certain=True)[plural]
        return noun if role or slot.name == words.key else f"{self.property(slot, plural)} of the {noun}"

    def _head(self, slot: Slot, plural: bool) -> str:
        if slot.part is self.subject.node or isinstance(slot.part, QueryRelationship):
            return self.name(slot, plural)
        return self._neighbour(slot, plural, head=True)

    def one_step(self, slot: Slot) -> QueryRelationship:
        """Give the one link to a neighbour.

        Raises:
            UnfitError: it is none, or further away.
        """
        if len(slot.path) != 1:
            raise UnfitError("not a neighbour")
        return slot.path[0]

    def possessed_by_root(self, slot: Slot, plural: bool) -> str:
        """Name what the root has: something of its own or that its own link leads to."""
        if slot.path and not slot.path[0].forward:
            raise UnfitError("it belongs to the other end")
        return self.name(slot, plural)

    def as_answer(self, slot: Slot, plural: bool) -> str:
        """Name a neighbour where its name is what is returned."""
        link = self.one_step(slot)
        if (
            isinstance(slot.part, QueryRelationship)
            or slot.name != self._world.lexicon.labels[slot.part.label].key
        ):
            raise UnfitError("not a neighbour that has a name")
        return self.speaker.nouns.label_noun(link.node.label)[plural]

    def is_plural(self, name: str) -> bool:
        """Tell whether a slot's noun has no singular: `languages`."""
        slot = self.slots.get(name)
        if slot is None or slot.mention is not None or not slot.name:
            return False
        one = self.property(slot, False)
        return one.endswith("s") and one == self.property(slot, True)


REFERENCE_FORMATS: dict[str, Callable[[ReferringExpressionGenerator, Slot, bool], str]] = {
    "": ReferringExpressionGenerator.name,
    ".or": lambda asked, slot, plural: "one" if asked._rng.random() < 0.15 else asked.name(slot, plural),
    "!": ReferringExpressionGenerator.property,
    "@": ReferringExpressionGenerator.attached,
    "@these": ReferringExpressionGenerator.joined_to_these,
    "@them": ReferringExpressionGenerator.joined_to_them,
    ".role": ReferringExpressionGenerator.role,
    ".role.a": ReferringExpressionGenerator.as_role,
    ".role@": lambda asked, slot, plural: asked.attach_to_root(
        slot, plural, asked.subject.definite_np(whole=False), role=True
    ),
    ".role@these": lambda asked, slot, plural: asked.attach_to_root(
        slot, plural, asked.subject.demonstrative_np(), role=True
    ),
    ".of": ReferringExpressionGenerator.root_attachment,
    ".noun": lambda asked, slot, plural: asked.speaker.nouns.label_noun(slot.path[0].node.label)[plural],
    ".which": ReferringExpressionGenerator.as_answer,
    ".had": ReferringExpressionGenerator.possessed_by_root,
    ".shared": lambda asked, slot, _: asked.speaker.nouns.role_noun(slot.path[0])[0],
}
