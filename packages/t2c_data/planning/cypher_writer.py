"""Writes the query of a filled pattern: its holes filled with patterns, variables, properties and figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_data.errors import UnfitError

if TYPE_CHECKING:
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import CypherBuilder, QueryNode
    from t2c_data.planning.slots.sampler import Slot
    from t2c_data.templates.model import QuestionTemplate

_HOLE = re.compile(r"\{([^{}]+)\}")
_RETURNED = re.compile(r"RETURN (?:DISTINCT )?(.*)")


class CypherTemplateWriter:
    """Writes the query of one filled pattern.

    Args:
        pattern: the query with holes.
        slots: what fills them.
        root: the tree.
        binder: knows the graph.
    """

    def __init__(
        self, pattern: QuestionTemplate, slots: dict[str, Slot], root: QueryNode, binder: Grounder
    ) -> None:
        self._pattern = pattern
        self._slots = slots
        self._root = root
        self._binder = binder
        self._world = binder.world

    def write(self, rendering: CypherBuilder) -> str:
        """Write the query, with marks where parameters go.

        Raises:
            UnfitError: it would return the same column twice.
        """
        root = rendering.variable(self._root)
        spread = self._binder.spreads(self._root)
        unique = self._world.is_uniquely_identified(self._root)
        fixed = {
            "match": rendering.match((*self._known(rendering), *self._where(rendering))),
            "root": root,
            "rows": self._neighbours(rendering) if spread else "count(*)",
            "count": f"count(DISTINCT {root})" if spread else "count(*)",
            "distinct": f"count(DISTINCT {root})",
            "unique": "DISTINCT " if spread and self._whole_roots() else "",
            "many": "" if unique else "DISTINCT ",
            "entities": "count(*)" if unique and not spread else self._entities(rendering, spread=spread),
        }
        text = _HOLE.sub(
            lambda match: fixed.get(match[1]) or self._hole(match[1], rendering, fixed), self._pattern.cypher
        )
        returned = _RETURNED.findall(text)[0].split(", ")
        if len(set(returned)) < len(returned):
            raise UnfitError("the same column twice")
        return text

    def _hole(self, hole: str, rendering: CypherBuilder, fixed: dict[str, str]) -> str:
        if hole in fixed:
            return ""
        name, _, mode = hole.partition(".")
        slot = self._slots[name]
        if slot.mention is not None:
            return slot.mention.parameter
        if slot.is_conditional_count:
            exists = rendering.exists(slot.path[mode == "second"], self._root)
            return f"count(CASE WHEN {exists} THEN 1 END)"
        if mode == "var":
            return rendering.variable(slot.part)
        return rendering.access(slot.part, slot.name) + slot.suffix

    def _known(self, rendering: CypherBuilder) -> tuple[str, ...]:
        """Leave out what is missing where an order or a group depends on it."""
        slots = [self._slots[name] for name in self._pattern.known]
        return tuple(
            f"{rendering.access(slot.part, slot.name)} IS NOT NULL"
            for slot in slots
            if self._world.property(self._world.owner(slot.part), slot.name).share < 1
        )

    def _where(self, rendering: CypherBuilder) -> tuple[str, ...]:
        if not self._pattern.where:
            return ()
        return (_HOLE.sub(lambda match: self._hole(match[1], rendering, {}), self._pattern.where),)

    def _whole_roots(self) -> bool:
        """Tell whether each row stands for one root and for nothing else, so that rows repeat for nothing."""
        named = [slot for slot in self._slots.values() if slot.name]
        label = self._root.label
        key = self._world.lexicon.labels[label].key
        shown = [slot.name for slot in named if slot.part is self._root]
        return len(shown) == len(named) and any(
            name == key or self._world.property(label, name).unique for name in shown
        )

    def _entities(self, rendering: CypherBuilder, *, spread: bool) -> str:
        """Count neighbours: each once if several roots can have it, or if rows repeat."""
        slot = self._counted()
        if slot is None:
            return "count(*)"
        shared = spread or any(link.types or self._world.is_many_to_one(link) for link in slot.path)
        return self._neighbours(rendering) if shared else "count(*)"

    def _neighbours(self, rendering: CypherBuilder) -> str:
        slot = self._counted()
        return f"count(DISTINCT {rendering.variable(slot.part)})" if slot else "count(*)"

    def _counted(self) -> Slot | None:
        slots = self._slots.values()
        return next(
            (each for each in slots if each.path and not each.name and not each.is_conditional_count), None
        )
