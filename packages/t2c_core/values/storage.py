"""The file of a value index: its tables and how they are filled.

    owner(id, owner, property, kind)              the properties
    form(id, folded)                              distinct folded forms
    occurrence(form, owner, type, text, count)    each distinct value of each property
    gram                                          FTS5 trigrams of forms, for fuzzy look-ups
    gram_size(gram, size)                         in how many forms a trigram is: rare ones are looked up
    word(word, backwards)                         distinct longer words of forms, for misspelt words

Holds no look-ups (see `index`).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from t2c_core.values.words import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from t2c_core.schema.model import Scalar

FORMAT_VERSION = "1"
BATCH_ROWS = 10_000
MIN_WORD_LETTERS = 3

OwnerKind = Literal["node", "relationship"]
_Record = tuple[str, int, str, str, int]

_SETTINGS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA temp_store = FILE")
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE owner (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, property TEXT NOT NULL,
        kind TEXT NOT NULL)""",
    "CREATE TABLE form (id INTEGER PRIMARY KEY, folded TEXT NOT NULL UNIQUE)",
    """CREATE TABLE occurrence (form INTEGER NOT NULL, owner INTEGER NOT NULL, type TEXT NOT NULL,
        text TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (form, owner, type, text)) WITHOUT ROWID""",
    """CREATE VIRTUAL TABLE gram USING fts5 (folded, content='form', content_rowid='id', tokenize='trigram',
        detail='none', columnsize=0)""",
    "CREATE TABLE gram_size (gram TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE word (word TEXT PRIMARY KEY, backwards TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE staging (folded TEXT, owner INTEGER, type TEXT, text TEXT, count INTEGER)",
    "CREATE TEMP TABLE staging_word (word TEXT)",
)
_FILLING = (
    "INSERT INTO form (folded) SELECT DISTINCT folded FROM temp.staging ORDER BY folded",
    """INSERT INTO occurrence SELECT form.id, staging.owner, staging.type, staging.text, sum(staging.count)
        FROM temp.staging JOIN form USING (folded) GROUP BY 1, 2, 3, 4""",
    "DROP TABLE temp.staging",
    "INSERT INTO gram (gram) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab ('main', 'gram', 'row')",
    "INSERT INTO gram_size SELECT term, doc FROM temp.vocabulary",
    "DROP TABLE temp.vocabulary",
)
_FILL_WORDS = """INSERT INTO word
    SELECT word, backwards(word) FROM (SELECT DISTINCT word FROM temp.staging_word ORDER BY word)"""
_WORD_INDEX = "CREATE INDEX word_backwards ON word (backwards)"


@dataclass(frozen=True, slots=True)
class IndexedValue:
    """A distinct value of a property and how often it occurs there."""

    value: Scalar
    """Text, number or truth value; dates as ISO 8601 text; elements of lists one by one."""
    owner: str
    """Node label or relationship type."""
    property: str
    kind: OwnerKind
    count: int = 1


def write(path: Path, rows: Iterable[IndexedValue]) -> int:
    """Write the file of an index under a temporary name, then rename it.

    Returns:
        How many distinct (value, property) it holds.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
        for statement in (*_SETTINGS, *_TABLES, "BEGIN"):
            connection.execute(statement)
        owners = _stage(connection, rows)
        _insert(connection, "owner", [(number, *owner) for owner, number in owners.items()])
        for statement in _FILLING:
            connection.execute(statement)
        max_words = _write_words(connection)
        values = int(connection.execute("SELECT count(*) FROM occurrence").fetchone()[0])
        meta = {"format": FORMAT_VERSION, "max_words": max_words, "values": values}
        _insert(connection, "meta", [(name, str(each)) for name, each in meta.items()])
        connection.execute("COMMIT")
    partial.replace(path)
    return values


def encode(value: Scalar) -> tuple[str, str]:
    """Write a value as its type's letter and a text."""
    if isinstance(value, bool):
        return "b", "true" if value else "false"
    if isinstance(value, int):
        return "i", str(value)
    if isinstance(value, float):
        return "f", repr(value)
    return "s", value


def decode(kind: str, text: str) -> Scalar:
    """Read back what `encode` wrote."""
    match kind:
        case "i":
            return int(text)
        case "f":
            return float(text)
        case "b":
            return text == "true"
        case _:
            return text


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608


def _stage(
    connection: sqlite3.Connection, rows: Iterable[IndexedValue]
) -> dict[tuple[str, str, OwnerKind], int]:
    owners: dict[tuple[str, str, OwnerKind], int] = {}

    def record(row: IndexedValue) -> _Record:
        owner = owners.setdefault((row.owner, row.property, row.kind), len(owners) + 1)
        kind, text = encode(row.value)
        return fold(text), owner, kind, text, row.count

    for batch in _batches(map(record, rows)):
        _insert(connection, "temp.staging", batch)
    return owners


def _write_words(connection: sqlite3.Connection) -> int:
    """Fill the table of words and count the words of the longest form."""
    longest = 1
    cursor = connection.execute("SELECT folded FROM form")
    while forms := cursor.fetchmany(BATCH_ROWS):
        cut = [each[0].split() for each in forms]
        longest = max(longest, *map(len, cut))
        known = {word for each in cut for word in each if len(word) >= MIN_WORD_LETTERS}
        _insert(connection, "temp.staging_word", [(word,) for word in known if not word.isdigit()])
    connection.create_function("backwards", 1, lambda word: word[::-1], deterministic=True)
    connection.execute(_FILL_WORDS)
    connection.execute("DROP TABLE temp.staging_word")
    connection.execute(_WORD_INDEX)
    return longest


def _batches(rows: Iterator[_Record]) -> Iterator[list[_Record]]:
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch
