"""SQLite file of a value index: tables and how they are filled.

owner(id, owner, property, kind)                    properties by label or type
form(id, folded)                                    distinct normalized forms
occurrence(form, owner, type, text, part, count)    each distinct value of each property, under its form;
part is 1 under the form of an alias
gram                                                FTS5 trigrams of forms, for fuzzy look-ups
gram_size(gram, size)                               number of forms that contain a trigram
word(word, backwards, longest)                      distinct words of forms, for spelling correction; longest is
the number of words of the longest form that begins with
the word, or 0
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from graphling_io.outputs import atomic_file
from t2c_core.values.aliases import Aliases
from t2c_core.values.normalization import aliases, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from t2c_core.schema.model import Scalar

FORMAT_VERSION = "2"
BATCH_ROWS = 10_000

EntityType = Literal["node", "relationship"]
_Record = tuple[str, int, str, str, int, int]

_SETTINGS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA temp_store = FILE")
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE owner (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, property TEXT NOT NULL,
        kind TEXT NOT NULL, UNIQUE (owner, property, kind))""",
    "CREATE TABLE form (id INTEGER PRIMARY KEY, folded TEXT NOT NULL UNIQUE)",
    """CREATE TABLE occurrence (form INTEGER NOT NULL, owner INTEGER NOT NULL, type TEXT NOT NULL,
        text TEXT NOT NULL, part INTEGER NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (form, owner, type, text)) WITHOUT ROWID""",
    """CREATE VIRTUAL TABLE gram USING fts5 (folded, content='form', content_rowid='id', tokenize='trigram',
        detail='none', columnsize=0)""",
    "CREATE TABLE gram_size (gram TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE word (word TEXT PRIMARY KEY, backwards TEXT NOT NULL, longest INTEGER NOT NULL) WITHOUT ROWID",
)
_STAGING = (
    "CREATE TEMP TABLE staging (folded TEXT, owner INTEGER, type TEXT, text TEXT, part INTEGER, count INTEGER)",
    "CREATE TEMP TABLE staging_word (word TEXT, longest INTEGER)",
)
_FILL_FORMS = (
    "INSERT INTO form (folded) SELECT DISTINCT folded FROM temp.staging ORDER BY folded",
    """INSERT INTO occurrence SELECT form.id, owner, type, text, min(part), sum(count)
        FROM temp.staging JOIN form USING (folded) GROUP BY 1, 2, 3, 4""",
    "INSERT INTO gram (gram) VALUES ('rebuild')",
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab ('main', 'gram', 'row')",
    "INSERT INTO gram_size SELECT term, doc FROM temp.vocabulary",
    "DROP TABLE temp.vocabulary",
)
_FILL_WORDS = (
    """INSERT INTO word SELECT word, backwards(word), max(longest) FROM temp.staging_word WHERE true
        GROUP BY word ORDER BY word ON CONFLICT DO UPDATE SET longest = max(longest, excluded.longest)""",
    "DROP TABLE temp.staging",
    "DROP TABLE temp.staging_word",
    "CREATE INDEX word_backwards ON word (backwards)",
)


@dataclass(frozen=True, slots=True)
class IndexedValue:
    """A distinct value of a property and its number of occurrences."""

    value: Scalar
    """String, number or boolean; a date is ISO 8601 text; an element of a list is a value of its own."""
    label_or_type: str
    """Node label or relationship type."""
    property: str
    entity_type: EntityType
    count: int = 1


def write(path: Path, rows: Iterable[IndexedValue], names: Aliases | None = None) -> int:
    """Write the file of an index; it appears at `path` when it is complete.

    Args:
        path: file to write.
        rows: values in any order.
        names: other names of values, which may be filled while the rows are read.

    Returns:
        Number of distinct (value, property).
    """
    with (
        atomic_file(path) as temporary,
        closing(sqlite3.connect(temporary, isolation_level=None)) as connection,
    ):
        connection.create_function("backwards", 1, lambda word: word[::-1], deterministic=True)
        for statement in (*_SETTINGS, *_TABLES, *_STAGING, "BEGIN"):
            connection.execute(statement)
        _stage(connection, rows, names or Aliases())
        for statement in _FILL_FORMS:
            connection.execute(statement)
        max_words = _stage_words(connection)
        for statement in _FILL_WORDS:
            connection.execute(statement)
        values = int(connection.execute("SELECT count(*) FROM occurrence WHERE part = 0").fetchone()[0])
        meta = {"format": FORMAT_VERSION, "max_words": max_words, "values": values}
        _insert(connection, "meta", [(name, str(each)) for name, each in meta.items()])
        connection.execute("COMMIT")
    return values


def encode(value: Scalar) -> tuple[str, str]:
    """Return the letter of a value's type and the value as text."""
    if isinstance(value, bool):
        return "b", "true" if value else "false"
    if isinstance(value, int):
        return "i", str(value)
    if isinstance(value, float):
        return "f", repr(value)
    return "s", value


def decode(kind: str, text: str) -> Scalar:
    """Return the value that `encode` stored."""
    match kind:
        case "i":
            return int(text)
        case "f":
            return float(text)
        case "b":
            return text == "true"
        case _:
            return text


def _stage(connection: sqlite3.Connection, rows: Iterable[IndexedValue], names: Aliases) -> None:
    owners: dict[tuple[str, str, EntityType], int] = {}

    def records() -> Iterator[_Record]:
        for row in rows:
            owner = owners.setdefault((row.label_or_type, row.property, row.entity_type), len(owners) + 1)
            kind, text = encode(row.value)
            yield fold(text), owner, kind, text, 0, row.count
            others = names.forms((row.label_or_type, row.property), row.value)
            for alias in dict.fromkeys([*(aliases(text) if kind == "s" else ()), *others]):
                yield alias, owner, kind, text, 1, row.count

    staged = records()
    while batch := list(islice(staged, BATCH_ROWS)):
        _insert(connection, "temp.staging", batch)
    _insert(connection, "owner", [(number, *owner) for owner, number in owners.items()])


def _stage_words(connection: sqlite3.Connection) -> int:
    """Stage the words of all forms; return the number of words of the longest form."""
    max_words = 1
    cursor = connection.execute("SELECT folded FROM form")
    while batch := cursor.fetchmany(BATCH_ROWS):
        known: dict[str, int] = {}
        for (form,) in batch:
            words = form.split()
            max_words = max(max_words, len(words))
            for position, word in enumerate(words):
                if not word.isdigit():
                    known[word] = max(known.get(word, 0), 0 if position else len(words))
        _insert(connection, "temp.staging_word", list(known.items()))
    return max_words


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
