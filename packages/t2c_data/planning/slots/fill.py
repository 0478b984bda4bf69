"""Fills the slots of a pattern, each by its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.errors import TemplateError
from t2c_data.planning.slots.neighbours import NEIGHBOUR_SLOTS
from t2c_data.planning.slots.properties import PROPERTY_SLOTS
from t2c_data.planning.slots.sampler import SlotSampler

if TYPE_CHECKING:
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import QueryNode
    from t2c_data.planning.slots.sampler import Slot
    from t2c_data.templates.model import QuestionTemplate

_KINDS = {**PROPERTY_SLOTS, **NEIGHBOUR_SLOTS}


def fill_slots(pattern: QuestionTemplate, binder: Grounder, root: QueryNode) -> dict[str, Slot]:
    """Choose what a pattern returns.

    Args:
        pattern: its slots.
        binder: chooses what the place in the sample offers.
        root: the tree; links for what is returned are added to it.

    Raises:
        UnfitError: the place in the sample does not offer one.
        TemplateError: the pattern asks for a slot that there is not.
    """
    choice = SlotSampler(pattern, binder, root)
    for name, kinds in pattern.slots.items():
        kind, _, rest = choice.rng.choice(kinds.split("|")).partition(" ")
        if kind not in _KINDS:
            raise TemplateError(f"{pattern.id}: no slot {kind!r}; known: {', '.join(_KINDS)}")
        choice.slots[name] = _KINDS[kind](choice, rest)
        if f"DISTINCT {{{name}}}" in pattern.cypher:
            choice.refuse(choice.slots[name], {"list"})
    return choice.slots
