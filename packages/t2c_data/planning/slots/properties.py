"""Slots for what the tree holds already: properties of the root and of what conditions speak of; given numbers.

Adds nothing to the tree (see `neighbours`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError
from t2c_data.planning.slots.sampler import FIXING, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_data.planning.query_tree import Operator, QueryNode, QueryRelationship
    from t2c_data.planning.slots.sampler import SlotSampler

TOP_K_CHOICES = (1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 8, 10, 10, 15, 20)

_UNSTATED: frozenset[Operator] = frozenset({"null", "true", "false"})


def stated(choice: SlotSampler, rest: str) -> Slot:
    """A property of the root that a condition speaks of: `stated`, or `stated open`, which it does not fix."""
    key, root = choice.key(), choice.root
    without = _UNSTATED | FIXING if rest == "open" else _UNSTATED
    names = [each.name for each in root.conditions if each.operator not in without]
    names = [name for name in names if name not in choice.used_properties(root)]
    names = [name for name in names if name != key or choice.rng.random() < 0.3]
    return Slot(root, choice.choose(names))


def present(choice: SlotSampler, rest: str) -> Slot:
    """A property of a neighbour, or of the link to it, that a condition speaks of; `open`: does not fix."""
    choices: list[tuple[QueryNode | QueryRelationship, str, QueryRelationship]] = []
    for link in choice.root.links:
        if link.is_negated or link.is_unverbalised:
            continue
        for part in (link.node, link):
            owner = choice.world.owner(part)
            fixed = FIXING if rest == "open" else frozenset()
            named = {each.name for each in part.conditions if each.operator not in fixed}
            if part is link.node and rest != "open":
                named.add(choice.world.lexicon.labels[link.node.label].key)
            fitting = named & set(choice.world.properties_of(owner)) - choice.used_properties(part)
            choices += [(part, name, link) for name in sorted(fitting)]
    if not choices:
        raise UnfitError("nothing else in the tree")
    part, name, link = choice.rng.choice(choices)
    return Slot(part, name, path=(link,), is_already_mentioned=True)


def same(choice: SlotSampler, rest: str) -> Slot:
    """Another property of what another slot has."""
    slot = choice.slots[rest]
    taken = choice.used_properties(slot.part) | {each.name for each in slot.part.conditions}
    names = [name for name in choice.names(choice.world.owner(slot.part)) if name not in taken]
    return Slot(slot.part, choice.choose(names), path=slot.path)


def _number(choice: SlotSampler, numbers: Sequence[int]) -> Slot:
    """A number that the question gives."""
    return Slot(choice.root, mention=choice.binder.mention(choice.rng.choice(numbers), "count"))


def _free(*kinds: str) -> Callable[[SlotSampler, str], Slot]:
    """A property of the root that nothing fixes, of one of these kinds."""
    return lambda choice, _: Slot(
        choice.root, choice.root_property(*kinds, without=choice.fixed_properties())
    )


def _part(suffix: str) -> Callable[[SlotSampler, str], Slot]:
    """A part of a date of the root."""
    return lambda choice, _: Slot(choice.root, choice.root_property("date"), suffix=suffix)


PROPERTY_SLOTS: dict[str, Callable[[SlotSampler, str], Slot]] = {
    "key": lambda choice, _: Slot(choice.root, choice.key()),
    "any": lambda choice, _: Slot(choice.root, choice.root_property()),
    "own": lambda choice, _: Slot(
        choice.root, choice.root_property(without=choice.fixed_properties() | {choice.key()})
    ),
    "number": _free("number"),
    "date": _free("date"),
    "sortable": _free("number", "date"),
    "boolean": _free("boolean"),
    "year": _part(".year"),
    "month": _part(".month"),
    "stated": stated,
    "present": present,
    "same": same,
    "small": lambda choice, _: _number(choice, TOP_K_CHOICES),
    "several": lambda choice, _: _number(choice, TOP_K_CHOICES[1:]),
}
"""Kinds of slots and what fills them; the text is what stands behind the kind in a pattern."""
