"""Typed CSV headers, as `neo4j-admin import` defines them, and the cells under them.

    :ID  :ID(space)  name:ID  name:ID(space)    identity of a node in its space; with a name also a property
    :LABEL                                      labels, separated by `;`
    :START_ID(space)  :END_ID(space)  :TYPE     ends and type of a relationship
    name  name:type  name:type[]                a property; elements of a list are separated by `;`
    :IGNORE  name:IGNORE                        ignored

An empty cell means that the property is absent.

Source: https://neo4j.com/docs/operations-manual/current/import/#import-tool-header-format
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

import pytz
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

ColumnKind = Literal["id", "label", "start", "end", "type", "property", "ignore"]
Convert = Callable[[str], Any]

SEPARATOR = ";"
_FIELD = re.compile(r"(?P<name>.*?):(?P<type>[A-Za-z_]+)(?P<many>\[\])?(\((?P<space>[^()]*)\))?", re.DOTALL)
_SPECIAL: dict[str, ColumnKind] = {
    "ID": "id",
    "LABEL": "label",
    "START_ID": "start",
    "END_ID": "end",
    "TYPE": "type",
    "IGNORE": "ignore",
}
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_ZONE = re.compile(r"\[([^\[\]]+)\]$")
_POINT_PART = re.compile(r"\s*([A-Za-z_]+)\s*:\s*(-?[0-9.eE+-]+)\s*")


class HeaderError(ValueError):
    """A header field is invalid."""


@dataclass(frozen=True)
class Column:
    """A parsed header field."""

    field: str
    kind: ColumnKind
    property: str = ""
    """Name of the property to write, or an empty string."""
    space: str = ""
    convert: Convert = str
    """Converts a non-empty cell to the property's value; raises ValueError."""


def read_column(field: str) -> Column:
    """Parse a header field.

    Raises:
        HeaderError: the field is invalid; the message says what is expected.
    """
    match = _FIELD.fullmatch(field)
    if not match:
        if not field.strip() or ":" in field:
            raise HeaderError(
                f"invalid header field {field!r}: expected name, name:type, or :ID, :LABEL, :TYPE …"
            )
        return Column(field, "property", field)
    name, kind, space = match["name"], _SPECIAL.get(match["type"].upper()), match["space"] or ""
    if kind:
        if match["many"] or (name and kind not in ("id", "ignore")):
            raise HeaderError(f"{field!r}: :{match['type']} has neither a name nor []")
        if space and kind not in ("id", "start", "end"):
            raise HeaderError(f"{field!r}: only :ID, :START_ID and :END_ID have an id space")
        return Column(field, kind, name if kind == "id" else "", space)
    convert = _CONVERTERS.get(match["type"].lower())
    if convert is None:
        raise HeaderError(
            f"{field!r}: unknown type {match['type']!r}; expected one of {', '.join(_CONVERTERS)}"
        )
    if not name or space:
        raise HeaderError(f"{field!r}: expected name:type")
    return Column(field, "property", name, convert=_listed(convert) if match["many"] else convert)


def _listed(convert: Convert) -> Convert:
    return lambda cell: [convert(each) for each in cell.split(SEPARATOR)]


def _integer(cell: str) -> int:
    if not _WHOLE.fullmatch(cell.strip()):
        raise ValueError(f"invalid integer {cell!r}")
    value = int(cell)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{cell} does not fit in 64 bits")
    return value


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"invalid number {cell!r}") from None


def _boolean(cell: str) -> bool:
    lower = cell.strip().lower()
    if lower not in ("true", "false"):
        raise ValueError(f"invalid boolean {cell!r}: expected true or false")
    return lower == "true"


def _character(cell: str) -> str:
    if len(cell) != 1:
        raise ValueError(f"{cell!r} is not one character")
    return cell


def _time(cell: str, *, zoned: bool) -> Time:
    value = Time.from_iso_format(cell.strip())
    if zoned != (value.tzinfo is not None):
        raise ValueError(f"{cell!r} has {'no' if zoned else 'an'} offset from UTC")
    return value


def _date_time(cell: str, *, zoned: bool) -> DateTime:
    text = cell.strip()
    zone = _ZONE.search(text)
    if zone:
        text = text[: zone.start()]
    if len(text) > 10 and text[10] not in "T ":
        raise ValueError(f"{cell!r} has no T between date and time")
    value = DateTime.combine(Date.from_iso_format(text[:10]), Time.from_iso_format(text[11:] or "00"))
    if not zoned:
        if zone or value.tzinfo is not None:
            raise ValueError(f"{cell!r} has a time zone; its type is datetime, not localdatetime")
        return value
    if zone:
        try:
            named = pytz.timezone(zone[1])
        except pytz.UnknownTimeZoneError as error:
            raise ValueError(f"unknown time zone {zone[1]!r}") from error
        placed: DateTime = value.astimezone(named) if value.tzinfo else named.localize(value)
        return placed
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _point(cell: str) -> WGS84Point | CartesianPoint:
    text = cell.strip().removeprefix("{").removesuffix("}")
    parts: dict[str, float] = {}
    for part in text.split(","):
        match = _POINT_PART.fullmatch(part)
        if not match:
            raise ValueError(
                f"invalid point {cell!r}: expected {{latitude: 1.0, longitude: 2.0}} or {{x: 1.0, y: 2.0}}"
            )
        parts[match[1].lower()] = float(match[2])
    for names, kind in (
        (("longitude", "latitude"), WGS84Point),
        (("longitude", "latitude", "height"), WGS84Point),
        (("x", "y"), CartesianPoint),
        (("x", "y", "z"), CartesianPoint),
    ):
        if parts.keys() == set(names):
            return kind([parts[name] for name in names])
    raise ValueError(f"{cell!r} has neither latitude and longitude nor x and y")


_CONVERTERS: dict[str, Convert] = {
    "string": str,
    "char": _character,
    **dict.fromkeys(("int", "integer", "long", "short", "byte"), _integer),
    **dict.fromkeys(("float", "double"), _float),
    "boolean": _boolean,
    "date": lambda cell: Date.from_iso_format(cell.strip()),
    "time": lambda cell: _time(cell, zoned=True),
    "localtime": lambda cell: _time(cell, zoned=False),
    "datetime": lambda cell: _date_time(cell, zoned=True),
    "localdatetime": lambda cell: _date_time(cell, zoned=False),
    "duration": lambda cell: Duration.from_iso_format(cell.strip()),
    "point": _point,
}
