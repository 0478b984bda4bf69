"""The files of a folder or zip of CSVs: names, compression, encoding, delimiter and rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Self, cast

from t2c_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MAX_CELL_CHARS = 16_000_000
DELIMITERS = ",;\t|"
"""Signs that may separate cells; the first of those that give the header most cells is taken."""
_NAME = re.compile(r"(?P<stem>.+)\.(?P<kind>csv|tsv|tab|psv)(?:\.gz)?", re.IGNORECASE)
_DELIMITER_OF_KIND = {"tsv": "\t", "tab": "\t", "psv": "|"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_EXCEL = re.compile(r"sep=(.)\r?\n?")
"""First line by which Excel names the delimiter."""


@dataclass
class CsvFiles:
    """An open folder or zip; a context manager.

    Args:
        path: folder or zip; only `.csv`, `.tsv`, `.tab` and `.psv`, each also with `.gz`, are read.

    Raises:
        SourceError: the folder or zip does not exist or has no such file.
    """

    path: Path
    names: tuple[str, ...] = ()
    """Names of the files, sorted."""
    _zip: zipfile.ZipFile | None = field(default=None, repr=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        csv.field_size_limit(MAX_CELL_CHARS)
        try:
            self.names = tuple(self._names())
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def rows(self, name: str, *, header_file: str | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows of a file with the number of their first line; rows without cells are left out.

        Args:
            name: name of the file.
            header_file: name of the file that has its header, whose delimiter it has.

        Raises:
            SourceError: it cannot be read, or is not valid CSV in UTF-8 or UTF-16.
        """
        with self._open(name) as lines:
            first = lines.readline()
            skipped = _EXCEL.fullmatch(first)
            lines.seek(0)
            if skipped:
                lines.readline()
            delimiter = self._delimiter(header_file) if header_file else _delimiter(name, first)
            reader = csv.reader(lines, strict=True, delimiter=delimiter)
            start = offset = 1 if skipped is None else 2
            try:
                for cells in reader:
                    if cells:
                        yield start, cells
                    start = reader.line_num + offset
            except csv.Error as error:
                raise SourceError(f"{name}, row starting in line {start}: {error}") from error

    def header(self, name: str) -> list[str]:
        """Return the first row of a file, without surrounding whitespace."""
        return next(([each.strip() for each in cells] for _, cells in self.rows(name)), [])

    def _delimiter(self, name: str) -> str:
        with self._open(name) as lines:
            return _delimiter(name, lines.readline())

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
        names = sorted(each for each in names if _match(each) and PurePosixPath(each).name[0] != ".")
        if not names:
            raise SourceError(f"{self.path} has no .csv, .tsv, .tab or .psv file, also none with .gz")
        return names

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[str]]:
        try:
            raw: IO[bytes] = self._zip.open(name) if self._zip else (self.path / name).open("rb")
            with raw, ExitStack() as stack:
                if name.lower().endswith(".gz"):
                    raw = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw)))
                encoding = "utf-16" if raw.read(2) in _UTF16 else "utf-8-sig"
                raw.seek(0)
                with io.TextIOWrapper(raw, encoding=encoding, newline="") as lines:
                    yield lines
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{name} is not UTF-8 text: {error.reason} at byte {error.start}; save it as CSV UTF-8"
            ) from error
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise SourceError(f"cannot read {name} of {self.path}: {error}") from error


def stem(name: str) -> str:
    """Return the name of a file without folder and endings."""
    match = _match(name)
    return match["stem"] if match else PurePosixPath(name).stem


def _kind(name: str) -> str:
    match = _match(name)
    return match["kind"].lower() if match else ""


def _match(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(PurePosixPath(name).name)


def _delimiter(name: str, line: str) -> str:
    """Return the sign that separates the cells of a file, given its first line."""
    if excel := _EXCEL.fullmatch(line):
        return excel[1]
    if known := _DELIMITER_OF_KIND.get(_kind(name)):
        return known
    counts = {}
    for sign in DELIMITERS:
        try:
            counts[sign] = len(next(csv.reader([line], delimiter=sign), []))
        except csv.Error:  # a quoted cell continues in the next line
            counts[sign] = 0
    return max(DELIMITERS, key=lambda sign: counts[sign])
