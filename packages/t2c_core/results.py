"""Results in one form: values of the driver as plain JSON, and keys under which equal values are equal.

Holds no measures (see `metrics`) and no database access (see `graph`).

    canonical(value)     what a service sends and a file keeps: the same bytes for the same value
    keyed_results(…)     several results made comparable with each other: numbers by value, whatever the type
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time
from neo4j.vector import Vector

RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12

Rows = Sequence[Sequence[Any]]
KeyedRows = list[tuple[Hashable, ...]]

_FRACTION = re.compile(r"(:\d{2})\.(\d*?)0+(?!\d)")
_ANSWERS = {"yes": True, "true": True, "no": False, "false": False}
_IDENTITY = "element_id"


def canonical(value: Any) -> Any:  # noqa: PLR0911
    """Write a value of the driver as plain JSON: null, truth values, numbers, text, lists and objects.

    Dates, times and durations become ISO 8601 text without trailing zeros (UTC as `Z`); NaN and the
    infinities text; nodes, relationships and paths objects with `element_id`, names and properties; points
    objects with `srid`; bytes hexadecimal text.

    Raises:
        TypeError: the value is none that Neo4j returns.
    """
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else _special(value)
        case Date() | Time() | DateTime() | Duration():
            return _temporal(value)
        case Point():
            return {"srid": value.srid, **dict(zip("xyz", value, strict=False))}
        case Node() | Relationship() | Path():
            return _element(value)
        case Vector():
            return [canonical(each) for each in value.to_native()]
        case Mapping():
            return {str(name): canonical(value[name]) for name in sorted(value, key=str)}
        case bytes() | bytearray():
            return bytes(value).hex()
        case list() | tuple() | set() | frozenset():
            return [canonical(each) for each in value]
    raise TypeError(
        f"a result holds a {type(value).__name__}, which is no type of Neo4j's; return plain values"
    )


def canonical_rows(records: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Write records of the driver as rows of plain JSON."""
    return [[canonical(value) for value in record] for record in records]


def keyed_results(*results: Rows) -> list[KeyedRows]:
    """Make results comparable with each other: cells become keys that are equal if the cells mean the same.

    Numbers are equal across types (3 and 3.0) and within a relative tolerance of 1e-9 if one is a float;
    whole numbers of any size stay distinct. Truth values equal no numbers, but the words yes, no, true and
    false if truth values occur. Lists are equal in any order, since `collect` has none. Nodes and
    relationships are equal by identity.

    Args:
        results: rows as `canonical_rows` gives them.
    """
    cells = list(chain.from_iterable(chain.from_iterable(results)))
    keys = _Keys(cells)
    return [[tuple(keys.of(cell) for cell in row) for row in rows] for rows in results]


class _Keys:
    """Keys of the cells of some results, with near floats merged among these results only."""

    def __init__(self, cells: Iterable[Any]) -> None:
        floats: set[float] = set()
        whole: set[int] = set()
        self._truth = False
        for leaf in _leaves(cells):
            if isinstance(leaf, bool):
                self._truth = True
            elif isinstance(leaf, int):
                whole.add(leaf)
            elif isinstance(leaf, float) and math.isfinite(leaf):
                floats.add(leaf)
        self._floats = _merge(sorted(floats), whole)

    def of(self, cell: Any) -> Hashable:  # noqa: PLR0911
        match cell:
            case None:
                return ("null",)
            case bool():
                return ("truth", cell)
            case int():
                return ("number", cell)
            case float():
                return ("number", self._floats[cell]) if math.isfinite(cell) else ("text", _special(cell))
            case str():
                answer = _ANSWERS.get(cell.strip().lower()) if self._truth else None
                return ("text", cell) if answer is None else ("truth", answer)
            case Mapping():
                if _IDENTITY in cell:
                    return ("element", str(cell[_IDENTITY]))
                return ("map", frozenset((str(name), self.of(each)) for name, each in cell.items()))
            case _:
                return ("list", tuple(sorted((self.of(each) for each in cell), key=repr)))


def _leaves(cells: Iterable[Any]) -> Iterable[Any]:
    for cell in cells:
        if isinstance(cell, Mapping):
            yield from _leaves(cell.values())
        elif isinstance(cell, (list, tuple)):
            yield from _leaves(cell)
        else:
            yield cell


def _merge(floats: list[float], whole: set[int]) -> dict[float, float]:
    """Map each float to the whole number it is near to, else to the first of the floats it is near to."""
    merged: dict[float, float] = {}
    first = last = math.nan
    for each in floats:
        if not _near(each, last):
            first = each
        last = each
        nearest = round(each)
        merged[each] = nearest if nearest in whole and _near(each, nearest) else first
    return merged


def _near(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _temporal(value: Date | Time | DateTime | Duration) -> str:
    text = _FRACTION.sub(lambda found: found[1] + ("." + found[2] if found[2] else ""), value.iso_format())
    return text.replace("+00:00", "Z")


def _element(value: Node | Relationship | Path) -> dict[str, Any]:
    match value:
        case Node():
            own: dict[str, Any] = {"labels": sorted(value.labels)}
        case Relationship():
            ends = {"start": value.start_node, "end": value.end_node}
            own = {"type": value.type, **{name: node.element_id for name, node in ends.items() if node}}
        case Path():
            return {
                "nodes": [_element(each) for each in value.nodes],
                "relationships": [_element(each) for each in value.relationships],
            }
    return {_IDENTITY: value.element_id, **own, "properties": canonical(dict(value.items()))}
