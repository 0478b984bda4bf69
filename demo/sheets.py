"""CSV sheets in the typed-header form that graph importers read, and the draws that fill them.

Holds neither medical facts nor records.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

LAST_DAY = datetime.date(2025, 12, 31)
"""Nothing in the hospital is later than this."""

Row = tuple[object, ...]
"""The cells of one line of a sheet."""


class Sheet(NamedTuple):
    """One CSV file in the typed-header form: the nodes of a label or the relationships of a type."""

    name: str
    header: tuple[str, ...]
    rows: list[Row]
    is_relationships: bool

    @classmethod
    def of_nodes(cls, label: str, *columns: str, rows: list[Row]) -> Sheet:
        """Return the nodes of a label; its name is added to each row."""
        return cls(label, (*columns, ":LABEL"), [(*row, label) for row in rows], False)

    @classmethod
    def of_relationships(cls, start: str, kind: str, end: str, *columns: str, rows: list[Row]) -> Sheet:
        """Return the relationships of a type; rows begin with the ids of both ends."""
        header = (f":START_ID({start})", f":END_ID({end})", *columns, ":TYPE")
        return cls(kind, header, [(*row, kind) for row in rows], True)


def weighted(random: Random, weights: dict[str, int]) -> str:
    """Draw a key, each as often as its weight says."""
    return random.choices(list(weights), list(weights.values()))[0]


def day_between(random: Random, first: datetime.date, last: datetime.date) -> datetime.date:
    """Draw a day, both ends included."""
    return first + datetime.timedelta(days=random.randint(0, max(0, (last - first).days)))


def truth(value: bool) -> str:
    """Write a boolean as the CSV form has it."""
    return "true" if value else "false"
