"""Typed CSV headers, as `neo4j-admin import` defines them, and the cells under them.

    :ID  :ID(space)  name:ID  name:ID(space)    identity of a node in its space; with a name also a property
    :LABEL                                      labels, separated by `;`
    :START_ID(space)  :END_ID(space)  :TYPE     ends and type of a relationship
    name  name:type  name:type[]                a property; elements of a list are separated by `;`
    :IGNORE  name:IGNORE                        ignored

Options follow in braces: `:ID(space){label:Person}`, `code:ID{id-type:int}`, `place:point{crs:wgs-84}`,
`at:datetime{timezone:Europe/Stockholm}`, and of this program `price:float{decimal:comma}`.

The type `list` of this program is a JSON list: `["a", "b"]`, as APOC writes lists.

An empty cell means that the property is absent. Labels may be written as `Person;Admin` or `:Person;:Admin`.

Source: https://neo4j.com/docs/operations-manual/current/import/#import-tool-header-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

import pytz
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time

from t2c_core.graph.driver_values import IsoText, far_date, far_datetime

ColumnKind = Literal["id", "label", "start", "end", "type", "property", "ignore"]
Convert = Callable[[str], Any]

SEPARATOR = ";"
_FIELD = re.compile(
    r"(?P<name>.*?):(?P<type>[A-Za-z_]+)(?P<inner>\{[^{}]*\})?(?P<many>\[\])?"
    r"(\((?P<space>[^()]*)\))?(?P<outer>\{[^{}]*\})?",
    re.DOTALL,
)
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
_POINT_PART = re.compile(r"\s*'?([A-Za-z_]+)'?\s*:\s*(?:(-?[0-9.eE+-]+)|'?\"?([A-Za-z0-9-]+)\"?'?)\s*")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?$")
_OFFSET = re.compile(r"Z|[+-][0-9]{2}:?[0-9]{2}")
_COMMA_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?")
_OPTIONS = {
    "id": ("label", "id-type"),
    "point": ("crs",),
    "time": ("timezone",),
    "datetime": ("timezone",),
    "float": ("decimal",),
    "double": ("decimal",),
}
"""Options by type."""


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
    label: str = ""
    """Label of the nodes of an id column, where no column has their labels."""

    def is_typed(self) -> bool:
        """Return whether the header field has a type."""
        return self.kind != "property" or self.field != self.property


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
    options = _options(field, kind or match["type"].lower(), (match["inner"] or "") + (match["outer"] or ""))
    if kind:
        if match["many"] or (name and kind not in ("id", "ignore")):
            raise HeaderError(f"{field!r}: :{match['type']} has neither a name nor []")
        if space and kind not in ("id", "start", "end"):
            raise HeaderError(f"{field!r}: only :ID, :START_ID and :END_ID have an id space")
        convert_id = converter(options.get("id-type", "string"))
        if convert_id is None:
            raise HeaderError(f"{field!r}: unknown id-type {options['id-type']!r}")
        return Column(field, kind, name if kind == "id" else "", space, convert_id, options.get("label", ""))
    convert = converter(match["type"], options)
    if convert is None:
        raise HeaderError(
            f"{field!r}: unknown type {match['type']!r}; expected one of {', '.join(_CONVERTERS)}"
        )
    if not name or space:
        raise HeaderError(f"{field!r}: expected name:type")
    return Column(field, "property", name, convert=_listed(convert) if match["many"] else convert)


def converter(type_name: str, options: Mapping[str, str] | None = None) -> Convert | None:
    """Return the function that converts cells of a type, or None if there is no such type.

    Raises:
        HeaderError: an option has an invalid value.
    """
    known = _CONVERTERS.get(type_name.lower())
    if known is None or not options:
        return known
    if crs := options.get("crs"):
        if crs.lower() not in _POINT_TYPES:
            raise HeaderError(f"unknown crs {crs!r}; expected one of {', '.join(_POINT_TYPES)}")
        return lambda cell: _point(cell, crs.lower())
    if zone := options.get("timezone"):
        _time_zone(zone)
        zoned = _zoned_time if type_name.lower() == "time" else _zoned_date_time
        return lambda cell: zoned(cell, zone)
    if options.get("decimal", "comma") != "comma":
        raise HeaderError(f"unknown decimal sign {options['decimal']!r}; expected comma")
    return _comma_float if "decimal" in options else known


def _options(field: str, type_name: str, text: str) -> dict[str, str]:
    """Read `{name:value, …}`."""
    found = {}
    for part in text.replace("}{", ",").strip("{}").split(",") if text.strip("{}") else ():
        name, _, value = part.partition(":")
        if name.strip() not in _OPTIONS.get(type_name, ()) or not value.strip():
            raise HeaderError(f"{field!r}: unknown option {part.strip()!r} of {type_name}")
        found[name.strip()] = value.strip()
    return found


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


def _comma_float(cell: str) -> float:
    if not _COMMA_NUMBER.fullmatch(cell.strip()):
        raise ValueError(f"invalid number {cell!r}: expected digits with a decimal comma")
    return float(cell.strip().replace(".", "").replace(",", "."))


def _boolean(cell: str) -> bool:
    lower = cell.strip().lower()
    if lower not in ("true", "false"):
        raise ValueError(f"invalid boolean {cell!r}: expected true or false")
    return lower == "true"


def _character(cell: str) -> str:
    if len(cell) != 1:
        raise ValueError(f"{cell!r} is not one character")
    return cell


def _time_zone(name: str) -> Any:
    """Return the time zone of a name or offset."""
    if _OFFSET.fullmatch(name):
        return DateTime.from_iso_format(f"2000-01-01T00:00:00{name}").tzinfo
    try:
        return pytz.timezone(name)
    except pytz.UnknownTimeZoneError as error:
        raise HeaderError(f"unknown time zone {name!r}") from error


def _zoned_time(cell: str, zone: str) -> Time:
    value = Time.from_iso_format(cell.strip())
    return value if value.tzinfo is not None else value.replace(tzinfo=_time_zone(zone))


def _zoned_date_time(cell: str, zone: str) -> DateTime | IsoText:
    has_zone = _ZONE.search(cell.strip()) or _OFFSET.search(cell.strip()[16:])
    return _date_time(cell if has_zone else f"{cell.strip()}[{zone}]", zoned=True)


def _date(cell: str) -> Date | IsoText:
    text = _MIDNIGHT.sub("", cell.strip())
    return far_date(text) or Date.from_iso_format(text)


def _time(cell: str, *, zoned: bool) -> Time:
    value = Time.from_iso_format(cell.strip())
    if zoned != (value.tzinfo is not None):
        raise ValueError(f"{cell!r} has {'no' if zoned else 'an'} offset from UTC")
    return value


def _date_time(cell: str, *, zoned: bool) -> DateTime | IsoText:
    text = cell.strip()
    zone = _ZONE.search(text)
    if far := far_datetime(text, zoned=zoned):
        return far
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
        named = _time_zone(zone[1])
        if not hasattr(named, "localize"):
            return value if value.tzinfo else value.replace(tzinfo=named)
        placed: DateTime = value.astimezone(named) if value.tzinfo else named.localize(value)
        return placed
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _point(cell: str, crs: str = "") -> WGS84Point | CartesianPoint:
    text = cell.strip().removeprefix("{").removesuffix("}")
    parts: dict[str, float] = {}
    for part in text.split(","):
        match = _POINT_PART.fullmatch(part)
        if not match:
            raise ValueError(
                f"invalid point {cell!r}: expected {{latitude: 1.0, longitude: 2.0}} or {{x: 1.0, y: 2.0}}"
            )
        if match[1].lower() == "crs" and match[3]:
            crs = match[3].lower()
        elif match[1].lower() != "srid" and match[2]:
            parts[match[1].lower()] = float(match[2])
    if crs and crs not in _POINT_TYPES:
        raise ValueError(f"unknown crs {crs!r}; expected one of {', '.join(_POINT_TYPES)}")
    names = [each for each in ("x", "longitude", "y", "latitude", "z", "height") if each in parts]
    if crs:
        if not len(names) == len(parts) == (3 if crs.endswith("3d") else 2):
            raise ValueError(f"{cell!r} has not the coordinates of {crs}")
        return _POINT_TYPES[crs]([parts[each] for each in names])
    for expected, kind in (
        (("longitude", "latitude"), WGS84Point),
        (("longitude", "latitude", "height"), WGS84Point),
        (("x", "y"), CartesianPoint),
        (("x", "y", "z"), CartesianPoint),
    ):
        if parts.keys() == set(expected):
            return kind([parts[name] for name in expected])
    raise ValueError(f"{cell!r} has neither latitude and longitude nor x and y")


def _json_list(cell: str) -> list[str | int | float | bool]:
    try:
        found = json.loads(cell)
    except ValueError as error:
        raise ValueError(f"invalid JSON list {cell[:60]!r}: {error}") from error
    kinds = (
        {float if type(each) is int else type(each) for each in found} if isinstance(found, list) else set()
    )
    if not isinstance(found, list) or len(kinds) > 1 or not kinds <= {str, float, bool}:
        raise ValueError(f"{cell[:60]!r} is no list of strings, numbers or booleans")
    return [float(each) for each in found] if float in map(type, found) else found


_POINT_TYPES: dict[str, type[WGS84Point | CartesianPoint]] = {
    "wgs-84": WGS84Point,
    "wgs-84-3d": WGS84Point,
    "cartesian": CartesianPoint,
    "cartesian-3d": CartesianPoint,
}
_CONVERTERS: dict[str, Convert] = {
    "string": str,
    "char": _character,
    **dict.fromkeys(("int", "integer", "long", "short", "byte"), _integer),
    **dict.fromkeys(("float", "double"), _float),
    "boolean": _boolean,
    "date": _date,
    "time": lambda cell: _time(cell, zoned=True),
    "localtime": lambda cell: _time(cell, zoned=False),
    "datetime": lambda cell: _date_time(cell, zoned=True),
    "localdatetime": lambda cell: _date_time(cell, zoned=False),
    "duration": lambda cell: Duration.from_iso_format(cell.strip()),
    "point": _point,
    "list": _json_list,
}
