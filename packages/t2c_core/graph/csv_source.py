"""A folder or zip of typed-header CSVs, read as validated nodes and relationships."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from t2c_core.errors import SourceError
from t2c_core.graph.csv_columns import SEPARATOR, Column, ColumnKind, HeaderError, read_column

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

FileKind = Literal["nodes", "relationships"]
MAX_CELL_CHARS = 16_000_000


@dataclass(frozen=True)
class CsvFile:
    """A CSV file with a valid header."""

    name: str
    kind: FileKind
    columns: tuple[Column, ...]

    @property
    def start_last(self) -> bool:
        """Whether the column of a relationship's end precedes that of its start."""
        kinds = [column.kind for column in self.columns]
        return self.kind == "relationships" and kinds.index("end") < kinds.index("start")


@dataclass(frozen=True)
class CsvRow:
    """A row that is valid on its own."""

    file: str
    line: int
    names: tuple[str, ...]
    """Labels of a node, or the one type of a relationship."""
    ids: tuple[tuple[str, str], ...]
    """(space, id) of a node, if it has an id, or of a relationship's start and end."""
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


@dataclass
class CsvSource:
    """An open folder or zip of CSVs; a context manager.

    Args:
        path: folder or zip file; files other than `.csv` are ignored.

    Raises:
        SourceError: the folder or zip does not exist or has no CSV, or a header is invalid; the message lists
            all errors of all headers.
    """

    path: Path
    files: tuple[CsvFile, ...] = ()
    _zip: zipfile.ZipFile | None = field(default=None, repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        csv.field_size_limit(MAX_CELL_CHARS)
        try:
            self.files = self._read_headers()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def rows(self, kind: FileKind) -> Iterator[CsvRow | RejectedRow]:
        """Read all nodes, or all relationships, in the order of the files.

        Raises:
            SourceError: a file is not valid CSV in UTF-8.
        """
        for file in self.files:
            if file.kind == kind:
                with self._open(file.name) as lines:
                    for number, cells in _numbered(lines, file.name):
                        if number > 1 and cells:
                            yield _read_row(file, number, cells)

    def _read_headers(self) -> tuple[CsvFile, ...]:
        files, errors = [], []
        for name in self._names():
            try:
                with self._open(name) as lines:
                    _, header = next(_numbered(lines, name), (1, []))
                files.append(_read_header(name, header))
            except SourceError as error:
                errors.append(str(error))
        if not errors:
            errors = _unknown_spaces(files)
        if errors:
            raise SourceError("\n".join(errors))
        if not any(file.kind == "nodes" for file in files):
            raise SourceError(f"{self.path} has no CSV of nodes: no header has :LABEL")
        return tuple(files)

    def _names(self) -> list[str]:
        if self.path.is_dir():
            names = [each.name for each in self.path.iterdir() if each.is_file()]
        elif self.path.is_file():
            try:
                self._zip = self._stack.enter_context(zipfile.ZipFile(self.path))
            except (zipfile.BadZipFile, OSError) as error:
                raise SourceError(
                    f"{self.path} is neither a folder nor a zip of CSVs ({error}); for a single CSV give its folder"
                ) from error
            names = [each for each in self._zip.namelist() if not each.startswith("__MACOSX/")]
        else:
            raise SourceError(f"no folder or zip at {self.path}")
        names = sorted(
            each for each in names if each.lower().endswith(".csv") and PurePosixPath(each).name[0] != "."
        )
        if not names:
            raise SourceError(f"{self.path} has no .csv file")
        return names

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[str]]:
        try:
            raw = self._zip.open(name) if self._zip else (self.path / name).open("rb")
            with io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as lines:
                yield lines
        except UnicodeDecodeError as error:
            raise SourceError(f"{name} is not UTF-8 text: {error.reason} at byte {error.start}") from error
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise SourceError(f"cannot read {name} of {self.path}: {error}") from error


def _numbered(lines: IO[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield CSV rows with the number of their first line."""
    reader = csv.reader(lines, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{name}, row starting in line {start}: {error}") from error


def _read_header(name: str, header: list[str]) -> CsvFile:
    columns, errors = [], []
    for number, text in enumerate(header, 1):
        try:
            columns.append(read_column(text.strip()))
        except HeaderError as error:
            errors.append(f"{name}, line 1, column {number}: {error}")
    if errors:
        raise SourceError("\n".join(errors))
    counts = Counter(column.kind for column in columns)
    kind: FileKind = "relationships" if counts.keys() & {"start", "end", "type"} else "nodes"
    needed: tuple[ColumnKind, ...] = ("start", "end", "type") if kind == "relationships" else ("label",)
    titles: dict[ColumnKind, str] = {
        "start": ":START_ID",
        "end": ":END_ID",
        "type": ":TYPE",
        "label": ":LABEL",
        "id": ":ID",
    }
    found = ", ".join(header) or "nothing"
    errors += [
        f"{name}, line 1: {kind} need the column {titles[each]}; found {found}"
        for each in needed
        if not counts[each]
    ]
    if kind == "relationships" and (counts["id"] or counts["label"]):
        errors.append(f"{name}, line 1: columns of nodes (:ID, :LABEL) and of relationships are mixed")
    errors += [f"{name}, line 1: more than one {titles[each]}" for each in titles if counts[each] > 1]
    repeated = Counter(column.property for column in columns if column.property)
    errors += [f"{name}, line 1: property {each!r} occurs {n} times" for each, n in repeated.items() if n > 1]
    if errors:
        raise SourceError("\n".join(errors))
    return CsvFile(name, kind, tuple(columns))


def _unknown_spaces(files: list[CsvFile]) -> list[str]:
    known = {column.space for file in files for column in file.columns if column.kind == "id"}
    return [
        f"{file.name}, line 1: {column.field} refers to {f':ID({column.space})' if column.space else ':ID'}, "
        "which no file of nodes has"
        for file in files
        for column in file.columns
        if column.kind in ("start", "end") and column.space not in known
    ]


def _read_row(file: CsvFile, line: int, cells: list[str]) -> CsvRow | RejectedRow:
    if len(cells) != len(file.columns):
        reason = f"the row has {len(cells)} cells, the header {len(file.columns)}"
        return RejectedRow(
            file.name, line, file.columns[min(len(cells), len(file.columns) - 1)].field, reason
        )
    names: tuple[str, ...] = ()
    ids: list[tuple[str, str]] = []
    properties: dict[str, Any] = {}
    for column, cell in zip(file.columns, cells, strict=True):
        if column.kind == "ignore" or (column.kind == "property" and not cell):
            continue
        try:
            if column.kind in ("label", "type"):
                names = _names(cell, column)
            elif column.kind != "property":
                ids.append((column.space, _required(cell)))
            if column.property:
                properties[column.property] = column.convert(cell)
        except (ValueError, OverflowError) as error:
            return RejectedRow(file.name, line, column.field, str(error))
    if ids and file.start_last:
        ids.reverse()
    return CsvRow(file.name, line, names, tuple(ids), properties)


def _required(cell: str) -> str:
    if not cell:
        raise ValueError("the cell is empty")
    return cell


def _names(cell: str, column: Column) -> tuple[str, ...]:
    parts = cell.split(SEPARATOR) if column.kind == "label" else [cell]
    names = tuple(dict.fromkeys(each for each in parts if each))
    if not names:
        raise ValueError(f"the cell has no {column.kind}")
    return names
