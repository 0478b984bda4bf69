"""Query results in canonical form: values of the driver as plain JSON, and keys by which results are compared."""

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

MIN_EMBEDDING_LENGTH = 64
"""Minimum length of a list of numbers that is taken for an embedding if it is the value of a property."""

Rows = Sequence[Sequence[Any]]
KeyedRows = list[tuple[Hashable, ...]]

_FRACTION = re.compile(r"(:\d{2})\.(\d*?)0+(?!\d)")
_ANSWERS = {"yes": True, "true": True, "no": False, "false": False}
_IDENTITY = "element_id"
_SCALARS = frozenset({str, int, float, bool, type(None)})


def canonical(value: Any) -> Any:  # noqa: PLR0911
    """Return a value of the driver as plain JSON: null, boolean, number, string, list or object.

    Dates, times and durations become ISO 8601 text without trailing zeros (UTC as `Z`), NaN and infinities text,
    bytes hexadecimal text. Nodes, relationships and paths become objects with `element_id`, labels or type, and
    properties; points become objects with `srid`.

    Raises:
        TypeError: the value has no type of Neo4j.
    """
    match value:
        case None | bool() | str() | int():
            return str(value) if isinstance(value, str) else value
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
    raise TypeError(f"unsupported type {type(value).__name__} in a result; expected a type of Neo4j")


def is_embedding(value: object) -> bool:
    """Return whether the value of a property is an embedding: a long list of numbers."""
    if not isinstance(value, list) or len(value) < MIN_EMBEDDING_LENGTH:
        return False
    return all(type(each) is float or type(each) is int for each in value)


def canonical_rows(records: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return records of the driver as rows of plain JSON."""
    return [[canonical(value) for value in record] for record in records]


def keyed_results(*results: Rows) -> list[KeyedRows]:
    """Return keys of the cells of several results; cells with equal meaning have equal keys.

    Numbers are equal across types (3 and 3.0), and within a relative tolerance of 1e-9 if one of them is a float;
    integers are compared exactly. A boolean never equals a number, but equals the words yes, no, true and false.
    Lists are equal in any order, because `collect` defines none. Nodes and relationships are equal by identity.

    Args:
        results: rows of `canonical_rows`.
    """
    cells = list(chain.from_iterable(chain.from_iterable(results)))
    keys = _Keys(cells)
    of = keys.of
    return [[tuple([of(cell) for cell in row]) for row in rows] for rows in results]


class _Keys:
    """Keys of the cells of given results, in which similar floats have the same key."""

    def __init__(self, cells: Sequence[Any]) -> None:
        floats: set[float] = set()
        integers: set[int] = set()
        self._has_booleans = False
        scalars = [cell for cell in cells if type(cell) in _SCALARS]
        nested = _leaves([cell for cell in cells if type(cell) not in _SCALARS])
        for leaf in chain(scalars, nested):
            kind = type(leaf)
            if kind is float:
                if math.isfinite(leaf):
                    floats.add(leaf)
            elif kind is int:
                integers.add(leaf)
            elif kind is bool:
                self._has_booleans = True
        self._floats = _merge(sorted(floats), integers)

    def of(self, cell: Any) -> Hashable:
        """Return the key of a cell; a text, a number and null are their own keys."""
        kind = type(cell)
        if kind is str:
            answer = _ANSWERS.get(cell.strip().lower()) if self._has_booleans else None
            return cell if answer is None else ("truth", answer)
        if kind is float:
            return self._floats[cell] if math.isfinite(cell) else _special(cell)
        if kind is bool:
            return ("truth", cell)
        return cell if cell is None or kind is int else self._of_nested(cell)

    def _of_nested(self, cell: Any) -> Hashable:
        match cell:
            case str():
                return self.of(str(cell))
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


def _merge(floats: list[float], integers: set[int]) -> dict[float, float]:
    """Map each float to a similar integer, or else to the first of the similar floats."""
    merged: dict[float, float] = {}
    first = last = math.nan
    for each in floats:
        if not _is_close(each, last):
            first = each
        last = each
        nearest = round(each)
        merged[each] = nearest if nearest in integers and _is_close(each, nearest) else first
    return merged


def _is_close(left: float, right: float) -> bool:
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
