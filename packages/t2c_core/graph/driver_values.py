"""Values of driver records, including dates and times outside the range of Python (years 1 to 9999).

The driver replaces a value that it cannot decode by an object with the raw Bolt data, also inside lists, maps, nodes
and paths, and it decodes 0000-12-31 as a zero date. This module decodes such dates and times as ISO 8601 text.

Source: https://neo4j.com/docs/bolt/current/bolt/structure-semantics/
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from neo4j._codec.hydration import BrokenHydrationObject
from neo4j._codec.hydration.bolt.v3.hydration_handler import HydrationHandler
from neo4j._codec.packstream import Structure
from neo4j.graph import Entity, Path
from neo4j.time import Date, DateTime, Time

from t2c_core.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Callable

    from neo4j import Record

    from t2c_core.schema.model import PropertyType

DAY_S: Final = 86_400
CYCLE_DAYS: Final = 146_097
"""Days of 400 years, after which the Gregorian calendar repeats."""
_EPOCH_DAYS: Final = date(1970, 1, 1).toordinal() - 1
_ZERO_DAY: Final = -_EPOCH_DAYS - 1
"""The last day of the year 0, in days since 1970."""
_HANDLER = HydrationHandler()
_FAR_DATE: Final = re.compile(r"(?P<year>[+-]?[0-9]{4,9})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_FAR_DATETIME: Final = re.compile(
    r"(?P<date>[+-]?[0-9]{4,9}-[0-9]{2}-[0-9]{2})T(?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(?P<zone>(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?:\[[^\[\]]+\])?)"
)


class IsoText(str):
    """A date or time as ISO 8601 text, with a sign for years outside 0000 to 9999."""

    __slots__ = ("position", "property_type")
    property_type: PropertyType
    """Type of the value in Cypher."""
    position: tuple[int, int]
    """Seconds since 1970 and nanoseconds, by which values can be ordered."""


def _iso_text(text: str, property_type: PropertyType, position: tuple[int, int]) -> IsoText:
    value = IsoText(text)
    value.property_type = property_type
    value.position = position
    return value


def far_date(text: str) -> IsoText | None:
    """Return a date outside the years 1 to 9999, or None for any other text.

    Raises:
        ValueError: there is no such day.
    """
    found = _FAR_DATE.fullmatch(text)
    if found is None or 1 <= int(found["year"]) <= 9999:
        return None
    year = int(found["year"])
    cycles, year_of_cycle = divmod(year, 400)
    day = date(400 + year_of_cycle, int(found["month"]), int(found["day"]))
    return _date(day.toordinal() - 1 - _EPOCH_DAYS + (cycles - 1) * CYCLE_DAYS)


def far_datetime(text: str, *, zoned: bool) -> IsoText | None:
    """Return a date and time outside the years 1 to 9999, or None for any other text.

    Args:
        text: ISO 8601 text.
        zoned: whether it has a time zone, UTC if it names none.

    Raises:
        ValueError: there is no such day or time, or it has a time zone and must not have one.
    """
    found = _FAR_DATETIME.fullmatch(text)
    day = far_date(found["date"]) if found else None
    if found is None or day is None:
        return None
    clock = Time.from_iso_format(found["clock"])
    zone = found["zone"] or ""
    if zone and not zoned:
        raise ValueError(f"{text!r} has a time zone; its type is datetime, not localdatetime")
    seconds = day.position[0] + clock.hour * 3600 + clock.minute * 60 + clock.second
    kind: PropertyType = "ZONED DATETIME" if zoned else "LOCAL DATETIME"
    suffix = (zone or "Z") if zoned else ""
    return _iso_text(f"{day}T{found['clock']}{suffix}", kind, (seconds, clock.nanosecond))


def record_values(record: Record) -> list[Any]:
    """Return the values of a record; dates and times that the driver cannot decode are `IsoText`.

    Raises:
        GraphError: the record holds another value that the driver cannot decode.
    """
    return [_decode(value) for value in tuple.__iter__(record)]


def _decode(value: Any) -> Any:  # noqa: C901, PLR0911
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Date() if value.year == 0:
            return _date(_ZERO_DAY)
        case DateTime() if value.year == 0:
            return _zero_datetime(value)
        case Entity():
            value._properties.update({name: _decode(each) for name, each in value.items()})
        case Path():
            for each in (*value.nodes, *value.relationships):
                _decode(each)
        case BrokenHydrationObject():
            return _decode(value.raw_data)
        case list():
            return [_decode(each) for each in value]
        case dict():
            return {name: _decode(each) for name, each in value.items()}
        case Structure():
            return _decode_structure(value)
    return value


def _decode_structure(value: Structure) -> Any:
    fields = [_decode(each) for each in value.fields]
    if as_text := _AS_TEXT.get(value.tag):
        return as_text(*fields)
    decoded = _HANDLER.new_hydration_scope()._hydrate_structure(Structure(value.tag, *fields))
    if isinstance(decoded, BrokenHydrationObject):
        raise GraphError(f"the driver cannot decode a value of the result: {decoded.error}")
    return decoded


def _zero_datetime(value: DateTime) -> IsoText:
    clock, offset = value.time(), int((value.utcoffset() or timedelta()).total_seconds())
    seconds = _ZERO_DAY * DAY_S + clock.hour * 3600 + clock.minute * 60 + clock.second
    if value.tzinfo is None:
        return _local_datetime(seconds, clock.nanosecond)
    return _zoned_datetime(seconds - offset, clock.nanosecond, offset)


def _date(days: int) -> IsoText:
    return _iso_text(_day_text(days), "DATE", (days * DAY_S, 0))


def _local_datetime(seconds: int, nanoseconds: int) -> IsoText:
    return _iso_text(_datetime_text(seconds, nanoseconds), "LOCAL DATETIME", (seconds, nanoseconds))


def _zoned_datetime(seconds: int, nanoseconds: int, zone: int | str) -> IsoText:
    offset = zone if isinstance(zone, int) else _utc_offset(zone, seconds)
    text = _datetime_text(seconds + offset, nanoseconds) + _offset_text(offset)
    return _iso_text(text, "ZONED DATETIME", (seconds, nanoseconds))


_AS_TEXT: Final[dict[bytes, Callable[..., IsoText]]] = {
    b"D": _date,
    b"d": _local_datetime,
    b"I": _zoned_datetime,
    b"i": _zoned_datetime,
}
"""By the tag of the Bolt structure."""


def _day_text(days: int) -> str:
    """Return the date that is a number of days after 1970-01-01."""
    cycles, day = divmod(days + _EPOCH_DAYS, CYCLE_DAYS)
    found = date.fromordinal(day + 1)
    year = found.year + 400 * cycles
    return f"{year:04d}{found:-%m-%d}" if 0 <= year <= 9999 else f"{year:+05d}{found:-%m-%d}"


def _datetime_text(seconds: int, nanoseconds: int) -> str:
    days, second = divmod(seconds, DAY_S)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return f"{_day_text(days)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{fraction}"


def _offset_text(offset_s: int) -> str:
    if not offset_s:
        return "Z"
    minutes, seconds = divmod(abs(offset_s), 60)
    rest = f":{seconds:02d}" if seconds else ""
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}{rest}"


def _utc_offset(zone: str, seconds: int) -> int:
    """Return the offset of a time zone in seconds; 0 for a zone that Python does not know.

    The rules of a zone repeat with the calendar, so that a moment outside the range of Python has the offset of
    the same moment in the years 2 to 401 or 9599 to 9998.
    """
    cycle_s = CYCLE_DAYS * DAY_S
    shifted = seconds % cycle_s + (19 * cycle_s if seconds > 0 else -4 * cycle_s)
    try:
        offset = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=shifted)).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return 0
    return int((offset.utcoffset() or timedelta()).total_seconds())
