"""What the patterns of a query match: labels of variables, relationships, values written into a pattern.

What it does not understand it leaves out. Conditions and columns are read by `reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from t2c_data.validators.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import Scalar


@dataclass(frozen=True, slots=True)
class Access:
    """A property of a variable."""

    variable: str
    property: str


@dataclass(frozen=True, slots=True)
class RelationshipPattern:
    """A relationship of a pattern; its ends are variables, invented ones where the query gives none."""

    variable: str
    types: tuple[str, ...]
    source: str
    target: str
    directed: bool
    is_variable_length: bool = False
    """Whether it stands for several relationships in a row."""


@dataclass(frozen=True, slots=True)
class ValueComparison:
    """A value that properties are compared with; none of a property if what is compared is a figure."""

    accesses: tuple[Access, ...]
    operator: str
    value: Scalar
    parameter: str = ""
    """Name of the parameter that brings it; empty for a literal."""


class _Arrow(NamedTuple):
    """A relationship without its ends, and the place behind it."""

    end: int
    left: bool
    right: bool
    variable: str
    types: tuple[str, ...]
    entries: list[ValueComparison]
    is_variable_length: bool


class PatternExtractor:
    """What the patterns of a query match.

    Args:
        cypher: one query.
        parameters: values by name, without the dollar sign.
    """

    def __init__(self, cypher: str, parameters: Mapping[str, Scalar] | None = None) -> None:
        self.cypher = cypher
        self.parameters = parameters or {}
        self.labels: dict[str, set[str]] = {}
        """Labels that each node variable is matched with; empty if with none."""
        self.edges: list[RelationshipPattern] = []
        self.entries: list[ValueComparison] = []
        """Comparisons written as `{name: value}` in a pattern."""
        self.nested: list[Access] = []
        """Properties that a pattern compares with a map, which none can hold: `{age: {gt: 60}}`."""
        self._tokens = Tokens(cypher)
        place = 0
        while place < len(self._tokens):
            place = self._pattern(place) or place + 1

    def _pattern(self, place: int) -> int | None:
        """Read a pattern that begins at a bracket; gives the place behind it."""
        if not self._tokens.has(place, "(") or self._tokens.is_call(place):
            return None
        node = self._node(place)
        if node is None:
            return None
        end, variable, described = node
        if not described and not self._starts_link(end):
            return None
        while self._starts_link(end):
            arrow = self._arrow(end)
            following = self._node(arrow.end) if arrow else None
            if arrow is None or following is None:
                break
            end, other, _ = following
            source, target = (other, variable) if arrow.left and not arrow.right else (variable, other)
            directed = arrow.left != arrow.right
            self.edges.append(
                RelationshipPattern(
                    arrow.variable, arrow.types, source, target, directed, arrow.is_variable_length
                )
            )
            self.entries += arrow.entries
            variable = other
        return end

    def _node(self, place: int) -> tuple[int, str, bool] | None:
        """Read `(name:Label {name: value} WHERE ...)`: the place behind it, its variable, and if it says anything."""
        if not self._tokens.has(place, "("):
            return None
        place, variable = self._variable(place + 1)
        place, labels = self._names(place)
        place, entries = self._map(place, variable)
        if self._tokens.is_word(place, "WHERE"):
            place = self._tokens.closing(place)
        if not self._tokens.has(place, ")"):
            return None
        if labels or entries or self._starts_link(place + 1) or variable.startswith("#"):
            self.labels.setdefault(variable, set()).update(labels)
        self.entries += entries
        return place + 1, variable, bool(labels or entries)

    def _starts_link(self, place: int) -> bool:
        tokens = self._tokens
        return (tokens.has(place, "-") and tokens.has(place + 1, "[", "-")) or (
            tokens.has(place, "<") and tokens.has(place + 1, "-")
        )

    def _arrow(self, place: int) -> _Arrow | None:
        """Read `-[name:TYPE*1..3 {name: value} WHERE ...]->`."""
        tokens = self._tokens
        left = tokens.has(place, "<")
        place += left + 1
        name, is_variable_length = f"#e{place}", False
        types: tuple[str, ...] = ()
        entries: list[ValueComparison] = []
        if tokens.has(place, "["):
            place, name = self._variable(place + 1)
            place, types = self._names(place)
            if tokens.has(place, "*"):
                is_variable_length = True
                while place < len(tokens) and not tokens.has(place, "]", "{"):
                    place += 1
            place, entries = self._map(place, name)
            if tokens.is_word(place, "WHERE"):
                place = tokens.closing(place)
            if not tokens.has(place, "]"):
                return None
            place += 1
        if not tokens.has(place, "-"):
            return None
        right = tokens.has(place + 1, ">")
        return _Arrow(place + 1 + right, left, right, name, types, entries, is_variable_length)

    def _variable(self, place: int) -> tuple[int, str]:
        if self._tokens.is_name(place):
            return place + 1, self._tokens[place].name
        return place, f"#{place}"

    def _names(self, place: int) -> tuple[int, tuple[str, ...]]:
        """Read `:A`, `:A:B`, `:A|B`, `:A&B`; a negation leaves nothing to hold a query to."""
        names: list[str] = []
        negated = False
        while self._tokens.has(place, ":", "|", "&", "!", "(", "%"):
            if self._tokens.has(place, "(") and not names and not negated:
                break
            negated |= self._tokens.has(place, "!", "%")
            place += 1
            if self._tokens.is_name(place):
                names.append(self._tokens[place].name)
                place += 1
        return place, () if negated else tuple(names)

    def _map(self, place: int, variable: str) -> tuple[int, list[ValueComparison]]:
        """Read `{name: value, ...}`."""
        tokens = self._tokens
        if not tokens.has(place, "{"):
            return place, []
        end = tokens.closing(place + 1)
        found: list[ValueComparison] = []
        for at in range(place + 1, end - 1):
            if tokens.is_name(at) and tokens.has(at + 1, ":") and tokens.has(at - 1, "{", ","):
                found += self._entry(at, end, variable)
        return end + 1, found

    def _entry(self, place: int, end: int, variable: str) -> list[ValueComparison]:
        """Read `name: value`; one whose value cannot be known is compared with the parameter `?`."""
        access = Access(variable, self._tokens[place].name)
        if self._tokens.has(place + 2, "{"):
            self.nested.append(access)
            return []
        stop = next((each for each in range(place + 2, end) if self._tokens.has(each, ",")), end)
        written = self._tokens[place + 2 : stop]
        values = [value for each in written if (value := each.value(self.parameters)) is not None]
        names = [each.text[1:] for each in written if each.kind == "parameter"] or [""]
        return [ValueComparison((access,), "=", value, names[0]) for value in values] or [
            ValueComparison((access,), "=", "", "?")
        ]
