"""Types of the columns of plain CSVs, inferred from all their cells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MISSING = frozenset({"", "NULL", "null", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "\\N", "None"})
"""Cells that stand for an absent value."""
MAX_DISTINCT = 2_000_000
"""Maximum number of values of a column that are kept to see which column refers to which."""
_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
_PATTERNS = {
    "int": re.compile(r"0|-?[1-9][0-9]{0,17}"),  # a leading zero is part of a code
    "float": re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"),
    "float{decimal:comma}": re.compile(
        r"-?(?:[0-9]{1,3}(?:\.[0-9]{3})+|0|[1-9][0-9]*),[0-9]+|0|-?[1-9][0-9]*"
    ),
    "boolean": re.compile("true|false", re.IGNORECASE),
    "date": re.compile(
        rf"{_DAY}(?:[T ]00:00(?::00(?:\.0+)?)?)?"
    ),  # spreadsheets and databases write midnight
    "localdatetime": re.compile(f"{_DAY}[T ]{_CLOCK}"),
    "datetime": re.compile(rf"{_DAY}T{_CLOCK}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})(?:\[[\w/+-]+\])?"),
}
"""Types by the cells that they have, the first that fits all cells is taken."""


@dataclass
class ColumnSummary:
    """What the cells of a column have in common."""

    name: str
    types: list[str] = field(default_factory=lambda: list(_PATTERNS))
    """Types that fit all cells so far."""
    filled: int = 0
    """Number of cells that are not missing."""
    total: int = 0
    values: set[str] | None = field(default_factory=set)
    """Distinct cells; None if they are too many to keep."""
    missing: set[str] = field(default_factory=set)
    is_list: bool = True
    """Whether all cells so far are JSON lists of strings, numbers or booleans."""

    def add(self, cell: str) -> None:
        """Count a cell."""
        self.total += 1
        if cell.strip() in MISSING:
            self.missing.add(cell)
            return
        self.filled += 1
        if self.types:
            self.types = [each for each in self.types if _PATTERNS[each].fullmatch(cell.strip())]
        self.is_list = self.is_list and not self.types and _is_list(cell)
        if self.values is not None:
            self.values.add(cell)
            if len(self.values) > MAX_DISTINCT:
                self.values = None

    @property
    def type(self) -> str:
        """Type as in typed headers."""
        if not self.filled:
            return "string"
        return self.types[0] if self.types else "list" if self.is_list else "string"

    @property
    def is_unique(self) -> bool:
        """Whether all rows have a value and no value occurs twice."""
        return self.values is not None and self.filled == self.total == len(self.values) > 0


def summarize(header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> list[ColumnSummary]:
    """Return the summaries of the columns of a file, given its rows with the header."""
    columns = [ColumnSummary(name) for name in header]
    for number, (_, cells) in enumerate(rows):
        if number and any(each.strip() for each in cells):
            for column, cell in zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False):
                column.add(cell)
    return columns


def _is_list(cell: str) -> bool:
    if not cell.startswith("["):
        return False
    try:
        found = json.loads(cell)
    except ValueError:
        return False
    kinds = (
        {float if type(each) is int else type(each) for each in found} if isinstance(found, list) else {dict}
    )
    return len(kinds) < 2 and kinds <= {str, float, bool}
