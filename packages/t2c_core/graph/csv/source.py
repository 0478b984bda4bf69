"""A folder or zip of CSVs, read as validated nodes and relationships."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from t2c_core.errors import SourceError
from t2c_core.graph.csv.files import CsvFiles
from t2c_core.graph.csv.headers import (
    apoc_tables,
    assign_header_files,
    check_spaces,
    is_apoc,
    is_typed,
    typed_table,
)
from t2c_core.graph.csv.inference import summarize
from t2c_core.graph.csv.proposal import propose_mapping
from t2c_core.graph.csv.tables import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from t2c_core.graph.csv.mapping import CsvMapping
    from t2c_core.graph.csv.tables import CsvRow, CsvTable, Identity, RejectedRow, TableKind


@dataclass
class CsvSource:
    """An open folder or zip of CSVs; a context manager.

    Args:
        path: folder or zip file.
        mapping: what plain files hold, those without a typed header; proposed if None.

    Raises:
        SourceError: the folder or zip does not exist or has no CSV, a header is invalid, or the mapping does not fit;
            the message lists all errors of all headers.
    """

    path: Path
    mapping: CsvMapping | None = None
    is_proposed: bool = False
    """Whether the mapping was proposed by this program."""
    ignored: tuple[str, ...] = ()
    """Plain files that the mapping does not name."""
    tables: tuple[CsvTable, ...] = ()
    _files: CsvFiles | None = field(default=None, repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        self._files = self._stack.enter_context(CsvFiles(self.path))
        try:
            self.tables = tuple(self._read_tables(self._files))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def rows(self, kind: TableKind) -> Iterator[CsvRow | RejectedRow]:
        """Read all nodes, or all relationships, in the order of the files.

        Raises:
            SourceError: a file is not valid CSV.
        """
        if self._files is None:
            raise SourceError(f"{self.path} is not open")
        seen: set[tuple[Identity, ...]] = set()
        for table in self.tables:
            if table.kind == kind:
                rows = self._files.rows(table.file, header_file=table.header_file)
                yield from read_rows(table, rows, seen)

    def _read_tables(self, files: CsvFiles) -> list[CsvTable]:
        headers: dict[str, list[str]] = {}
        tables: list[CsvTable] = []
        errors: list[str] = []
        for name in files.names:
            with _collected(errors):
                headers[name] = _header(files, name)
        beside = assign_header_files(headers)
        plain = {}
        for name, header in headers.items():
            with _collected(errors):
                if name in beside:
                    tables.append(typed_table(name, headers[beside[name]], header_file=beside[name]))
                elif name in beside.values():
                    continue
                elif is_typed(header):
                    tables.append(typed_table(name, header))
                elif is_apoc(header):
                    types = [each.type for each in summarize(header, files.rows(name))]
                    tables += apoc_tables(name, header, types)
                else:
                    plain[name] = _plain_header(name, header)
        if not errors:
            tables += self._plain_tables(files, plain)
            errors = check_spaces(tables)
        if errors:
            raise SourceError("\n".join(errors))
        if not any(table.kind == "nodes" for table in tables):
            raise SourceError(f"{self.path} has no CSV of nodes")
        return tables

    def _plain_tables(self, files: CsvFiles, plain: dict[str, list[str]]) -> list[CsvTable]:
        """Return the tables of plain files; propose a mapping if none is given."""
        if self.mapping is None and plain:
            summaries = {name: summarize(header, files.rows(name)) for name, header in plain.items()}
            self.mapping, self.is_proposed = propose_mapping(summaries), True
        if self.mapping is None:
            return []
        known = self.mapping.nodes.keys() | self.mapping.relationships.keys()
        self.ignored = tuple(name for name in plain if name not in known)
        return self.mapping.tables(plain)


@contextmanager
def _collected(errors: list[str]) -> Iterator[None]:
    """Add the error of one file to those of the others."""
    try:
        yield
    except SourceError as error:
        errors.append(str(error))


def _header(files: CsvFiles, name: str) -> list[str]:
    header = files.header(name)
    if not any(header):
        raise SourceError(f"{name}, line 1: there is no header")
    return header


def _plain_header(name: str, header: list[str]) -> list[str]:
    """Return the names of the columns of a plain file, of which none may occur twice."""
    repeated = [each for each in dict.fromkeys(header) if each and header.count(each) > 1]
    if repeated:
        raise SourceError(
            f"{name}, line 1: the column {repeated[0]!r} occurs {header.count(repeated[0])} times"
        )
    return header
