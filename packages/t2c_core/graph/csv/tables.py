"""Tables: what one CSV holds of one kind, nodes or relationships, and its rows as these.

A file may hold several tables: an export of APOC nodes and relationships, a plain CSV nodes and, in each column that
names a row of another file, relationships.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from t2c_core.graph.csv.columns import SEPARATOR, Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TableKind = Literal["nodes", "relationships"]
Identity = tuple[str, str]
"""Id space and id of a node."""


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """Nodes or relationships of one CSV."""

    file: str
    kind: TableKind
    columns: tuple[Column, ...]
    """One per column of the file."""
    names: tuple[str, ...] = ()
    """Labels of all its nodes or type of all its relationships, where no column has them."""
    only: int | None = None
    """Column without which a row is no row of this table; all rows are if None."""
    row_space: str = ""
    """Id space in which the number of its line is the id of a row that no column identifies."""
    distinct: bool = False
    """Whether rows with the same id are one node."""
    missing: frozenset[str] = frozenset({""})
    """Cells that stand for an absent value."""
    header_file: str | None = None
    """File that has its header, if it has none itself."""
    padded: bool = False
    """Whether rows may lack empty cells at the end, or have more of them, as spreadsheets write."""

    @property
    def spaces(self) -> list[str]:
        """Id spaces of its nodes, or of both ends of its relationships."""
        kinds = ("id",) if self.kind == "nodes" else ("start", "end")
        named = [column.space for column in self.columns if column.kind in kinds]
        return [*named, self.row_space] if self.row_space else named


@dataclass(frozen=True)
class CsvRow:
    """A row that is valid on its own."""

    file: str
    line: int
    names: tuple[str, ...]
    """Labels of a node, or the one type of a relationship."""
    ids: tuple[Identity, ...]
    """Id of a node, if it has one, or of a relationship's start and end."""
    properties: dict[str, Any]


@dataclass(frozen=True)
class RejectedRow:
    """A row that is not imported."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        """Return the position and the reason in one line."""
        return f"{self.file}, line {self.line}, column {self.column!r}: {self.reason}"


def read_rows(
    table: CsvTable, rows: Iterable[tuple[int, list[str]]], seen: set[tuple[Identity, ...]]
) -> Iterator[CsvRow | RejectedRow]:
    """Yield the rows of a table.

    Args:
        table: the table.
        rows: rows of its file with their line numbers.
        seen: ids of the nodes that were made of values so far; new ones are added.
    """
    for number, (line, cells) in enumerate(rows):
        if number == 0 and table.header_file is None:
            continue
        row = _read_row(table, line, _padded(table, cells))
        if row is None:
            continue
        if table.distinct and isinstance(row, CsvRow):
            if row.ids in seen:
                continue
            seen.add(row.ids)
        yield row


def _padded(table: CsvTable, cells: list[str]) -> list[str]:
    width = len(table.columns)
    if not table.padded or len(cells) == width:
        return cells
    return cells + [""] * (width - len(cells)) if len(cells) < width or any(cells[width:]) else cells[:width]


def _read_row(table: CsvTable, line: int, cells: list[str]) -> CsvRow | RejectedRow | None:
    """Return a row, or None if it belongs to no or another table."""
    columns = table.columns
    if table.padded and not any(each.strip() for each in cells):
        return None
    if len(cells) != len(columns):
        reason = f"the row has {len(cells)} cells, the header {len(columns)}"
        return RejectedRow(table.file, line, columns[min(len(cells), len(columns) - 1)].field, reason)
    if table.only is not None and cells[table.only] in table.missing:
        return None
    names = table.names
    ends: dict[str, Identity] = {}
    properties: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column.kind == "ignore" or (column.kind == "property" and cell in table.missing):
            continue
        try:
            if column.kind in ("label", "type"):
                names = _names(cell, column)
            elif column.kind != "property":
                ends[column.kind] = (column.space, _required(cell, table.missing))
            if column.property:
                properties[column.property] = column.convert(cell)
        except (ValueError, OverflowError) as error:
            return RejectedRow(table.file, line, column.field, str(error))
    return CsvRow(table.file, line, names, _ids(table, ends, line), properties)


def _ids(table: CsvTable, ends: Mapping[str, Identity], line: int) -> tuple[Identity, ...]:
    own = (table.row_space, str(line))
    if table.kind == "nodes":
        return (ends["id"],) if "id" in ends else ((own,) if table.row_space else ())
    return ends.get("start", own), ends.get("end", own)


def _required(cell: str, missing: frozenset[str]) -> str:
    if cell in missing:
        raise ValueError("the cell is empty")
    return cell


def _names(cell: str, column: Column) -> tuple[str, ...]:
    if column.kind == "type":
        parts = [cell.removeprefix(":")]
    else:
        separators = (
            f"{SEPARATOR}:" if cell.startswith(":") else SEPARATOR
        )  # `:Person:Admin`, `:Person;:Admin`
        parts = [cell]
        for sign in separators:
            parts = [each for part in parts for each in part.split(sign)]
    names = tuple(dict.fromkeys(each for each in parts if each))
    if not names:
        raise ValueError(f"the cell has no {column.kind}")
    return names
