"""What each linked value of a question may be compared with, by the types and the values of the properties."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.grammar.ebnf import NUMBERS, TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_core.schema.model import GraphSchema, Property
    from t2c_core.values.linker import LinkedMention, LinkedQuestion

UNORDERED = frozenset({"BOOLEAN", "POINT"})
"""Types without a smallest or largest value that a question asks for; lists are another."""
_EQUALITY = frozenset({"=", "<>", "IN", ""})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CALENDAR_PARTS = frozenset({"year", "month", "day"})


@dataclass(frozen=True, slots=True)
class Operand:
    """The left side of a comparison."""

    kind: Literal["access", "count", "other"]
    labels_or_types: tuple[str, ...] = ()
    """Label, or relationship types, of the accessed variable."""
    property: str = ""
    part: str = ""
    """Part of a date, such as `year`."""


class ValuePlaces:
    """Decides which linked value of a question fits a comparison.

    Args:
        schema: schema of the graph.
        linked: the question.
    """

    def __init__(self, schema: GraphSchema, linked: LinkedQuestion) -> None:
        self._schema = schema
        self._links = {link.name: link for link in linked.links}

    @property
    def key(self) -> tuple[object, ...]:
        """Return what makes two questions equal for this class."""
        return tuple(
            (link.name, link.kind, link.value, tuple((e.label_or_type, e.property) for e in link.occurrences))
            for link in self._links.values()
        )

    def names(self) -> Iterable[str]:
        """Return the names of the linked values."""
        return self._links.keys()

    def fits(self, name: str, operand: Operand, operator: str) -> bool:
        """Return whether a linked value may be compared.

        A text belongs to the properties in which it occurs, a number to numeric ones, a date to dates.

        Args:
            name: name of the parameter; unknown names fit nowhere.
            operand: other side of the comparison.
            operator: operator, `IN` for a list; empty if it is not known yet.
        """
        link = self._links.get(name)
        if link is None:
            return False
        if operand.kind == "count":
            return _is_number(link)
        if operand.kind == "other" or not operand.property:
            return True
        if operand.part:
            return _is_number(link) and (link.kind != "month" or operand.part == "month")
        found = [
            (owner, each)
            for owner in operand.labels_or_types
            if (each := self._schema.property_of(owner, operand.property))
        ]
        return not found or any(_fits_property(link, owner, each, operator) for owner, each in found)

    def fits_list(self, name: str, operand: Operand) -> bool:
        """Return whether a linked value may be an element of a list property."""
        link = self._links.get(name)
        return link is not None and any(
            each.type.startswith("LIST") and _is_element(link, owner, each)
            for owner in operand.labels_or_types
            if (each := self._schema.property_of(owner, operand.property))
        )

    def accesses(
        self, labels_or_types: tuple[str, ...], beginning: str, fits: Callable[[Operand], bool]
    ) -> bool:
        """Return whether a property, or its part, fits whose written name begins with a text."""
        name, dot, part = beginning.partition(".")
        for owner in labels_or_types:
            found = self._schema.label_by_name.get(owner) or self._schema.type_by_name.get(owner)
            for each in found.properties if found else ():
                written = format_identifier(each.name)
                if dot and written == name:
                    if any(
                        known.startswith(part) and fits(Operand("access", (owner,), each.name, known))
                        for known in _CALENDAR_PARTS
                    ):
                        return True
                elif not dot and written.startswith(name) and fits(Operand("access", (owner,), each.name)):
                    return True
        return False

    def type_of(self, operand: Operand) -> str:
        """Return the type of an access, or an empty text if it is unknown."""
        if operand.kind != "access" or not operand.property:
            return ""
        if operand.part:
            return "INTEGER"
        for owner in operand.labels_or_types:
            if found := self._schema.property_of(owner, operand.property):
                return found.value_type
        return ""


def _fits_property(link: LinkedMention, owner: str, found: Property, operator: str) -> bool:
    if operator not in _EQUALITY and operator[:1].isalpha():
        fits = not found.type.startswith("LIST")
    elif found.type.startswith("LIST") or found.value_type == "BOOLEAN":
        fits = False
    elif _occurs(link, owner, found.name):
        fits = True
    elif found.value_type in NUMBERS:
        fits = _is_number(link) and link.kind != "month"
    elif found.value_type in TIMES:
        fits = link.kind == "date" or bool(_DAY.match(str(link.value)))
    else:
        is_ordered = operator not in _EQUALITY and link.kind != "value"
        fits = link.kind == "text" or not link.occurrences or is_ordered
    return fits


def _is_element(link: LinkedMention, owner: str, found: Property) -> bool:
    if link.kind == "text" or _occurs(link, owner, found.name):
        return True
    return _is_number(link) and found.type in {"LIST<INTEGER>", "LIST<FLOAT>", "LIST<ANY>"}


def _occurs(link: LinkedMention, owner: str, name: str) -> bool:
    """Return whether a value occurs in a property, or may, since its occurrences are not all known."""
    places = [(each.label_or_type, each.property) for each in link.occurrences]
    return link.may_occur_elsewhere or (owner, name) in places


def _is_number(link: LinkedMention) -> bool:
    return isinstance(link.value, int | float) and not isinstance(link.value, bool)
