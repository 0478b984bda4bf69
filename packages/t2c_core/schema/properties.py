"""Statistics of a property's values: type, coverage, range and frequent values."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time

from t2c_core.graph.driver_values import DAY_S, IsoText
from t2c_core.results import canonical, is_embedding
from t2c_core.schema.introspection import MAX_TEXT
from t2c_core.schema.model import Property, PropertyType, Scalar
from t2c_core.text_formats import find_text_format, strings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.schema.introspection import LabelOrTypeCount

MAX_DISTINCT = 1_000_000
EXAMPLES = 5
_EPOCH_DAY = Date(1970, 1, 1).to_ordinal()

_ORDERED_TYPES = ("INTEGER", "FLOAT", "DATE", "LOCAL TIME", "ZONED TIME", "LOCAL DATETIME", "ZONED DATETIME")
_TYPES: dict[type, PropertyType] = {
    bool: "BOOLEAN",
    int: "INTEGER",
    float: "FLOAT",
    str: "STRING",
    Date: "DATE",
    Duration: "DURATION",
}


def type_of(value: Any) -> PropertyType | None:
    """Return the Cypher type of a value, or None for bytes and vectors, which are not described."""
    match value:
        case IsoText():
            return value.property_type
        case DateTime():
            return "ZONED DATETIME" if value.tzinfo else "LOCAL DATETIME"
        case Time():
            return "ZONED TIME" if value.tzinfo else "LOCAL TIME"
        case Point():
            return "POINT"
        case list():
            return _list_type(value)
    return _TYPES.get(type(value))


def _list_type(values: list[Any]) -> PropertyType:
    inner = {type_of(each) for each in values}
    name = f"LIST<{inner.pop()}>" if len(inner) == 1 else "LIST<ANY>"
    return next((each for each in get_args(PropertyType) if each == name), "LIST<ANY>")


@dataclass
class PropertyStatistics:
    """Counts of the distinct values of a property; of lists, their elements are counted.

    Args:
        values: values with their counts, in any order; a value may be repeated.
    """

    values: Iterable[tuple[Any, int]]
    types: Counter[PropertyType] = field(default_factory=Counter)
    """Number of values by type; empty if no value has a type that schemas describe."""
    counts: Counter[tuple[PropertyType, Any]] = field(default_factory=Counter)
    present_count: int = 0
    """Number of nodes or relationships that have the property."""
    complete: bool = True
    """Whether all distinct values were counted."""
    embeddings: int = 0
    """Number of values that are embeddings, which are not described."""

    def __post_init__(self) -> None:
        for value, count in self.values:
            kind = type_of(value)
            if kind is None:
                continue
            if is_embedding(value):
                self.embeddings += count
                continue
            self.present_count += count
            self.types[kind] += count
            for each in value if isinstance(value, list) else [value]:
                key = (type_of(each) or kind, _hashable(each))
                if key in self.counts or len(self.counts) < MAX_DISTINCT:
                    self.counts[key] += count
                else:
                    self.complete = False

    def describe(self, name: str, owner: LabelOrTypeCount, scanned: int) -> Property:
        """Return the description of the property.

        Args:
            name: name of the property.
            owner: its label or type.
            scanned: number of nodes or relationships that were read.
        """
        kind = min(self.types, key=lambda each: (-self.types[each], each))
        exact = not owner.is_sampled and self.complete
        ordered = [value for each, value in self.counts if each == kind and _is_ordered(each, value)]
        ordered.sort(key=_position if any(isinstance(each, IsoText) for each in ordered) else None)
        text_format, missing_text = find_text_format(name, strings_of(self.counts) if exact else [])
        absent = self.counts["STRING", missing_text] if missing_text is not None else 0
        return Property(
            name=name,
            type=kind,
            share=round((self.present_count - absent) / scanned, 6),
            distinct=len(self.counts),
            unique=exact and not kind.startswith("LIST") and 1 < len(self.counts) == self.present_count,
            sampled=not exact,
            examples=tuple(value for value, _ in self.top_values()),
            minimum=canonical(ordered[0]) if ordered else None,
            maximum=canonical(ordered[-1]) if ordered else None,
            text_format=text_format,
            missing_text=missing_text,
        )

    def top_values(self) -> list[tuple[Scalar, int]]:
        """Return the most frequent values, most frequent first."""
        best = sorted(
            (each for each in self.scalars() if each[1] and _is_shown(each[0])),
            key=lambda each: (-each[1], str(type(each[0])), each[0]),
        )
        return best[:EXAMPLES]

    def scalars(self) -> Iterator[tuple[Scalar, int]]:
        """Yield each distinct value that is a JSON scalar, with its count."""
        for (kind, value), count in self.counts.items():
            if kind != "POINT" and not (isinstance(value, float) and not math.isfinite(value)):
                yield canonical(value), count

    def indexable_values(self) -> Iterator[tuple[Scalar, int]]:
        """Yield each distinct integer, date and string of at most `MAX_TEXT` characters, with its count."""
        for (kind, value), count in self.counts.items():
            if kind in ("INTEGER", "DATE") or (kind == "STRING" and 0 < len(value) <= MAX_TEXT):
                yield canonical(value), count


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _is_ordered(kind: PropertyType, value: Any) -> bool:
    return kind in _ORDERED_TYPES and not (isinstance(value, float) and not math.isfinite(value))


def _position(value: Any) -> tuple[int, int]:
    """Return seconds since 1970 and nanoseconds, by which dates and times of all years can be ordered."""
    match value:
        case IsoText():
            return value.position
        case DateTime():
            days, clock, offset = value.to_ordinal(), value.time(), value.utcoffset()
            return (
                (days - _EPOCH_DAY) * DAY_S
                + clock.hour * 3600
                + clock.minute * 60
                + clock.second
                - (int(offset.total_seconds()) if offset else 0),
                clock.nanosecond,
            )
    return (value.to_ordinal() - _EPOCH_DAY) * DAY_S, 0


def _is_shown(value: Scalar) -> bool:
    return not isinstance(value, str) or len(value) <= MAX_TEXT
