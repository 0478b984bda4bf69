"""The file of a value index: its tables, how they are filled and changed.

    owner(id, owner, property, kind)                    the properties
    form(id, folded)                                    distinct folded forms
    occurrence(form, owner, type, text, part, count)    each distinct value of each property, under its form;
                                                        part: under the form of a part that people call it by
    gram                                                FTS5 trigrams of forms, for fuzzy look-ups
    gram_size(gram, size)                               in about how many forms a trigram is
    word(word, backwards, longest)                      distinct words of forms, for misspelt ones; longest:
    words
                                                        of the longest form that begins with it, or 0

Holds no look-ups (see `index`).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from t2c_core.values.normalization import aliases, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from t2c_core.schema.model import Scalar

FORMAT_VERSION = "2"
BATCH_ROWS = 10_000

OwnerKind = Literal["node", "relationship"]
_Owner = tuple[str, str, OwnerKind]
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
)
_INDEX_WORDS = "CREATE INDEX word_backwards ON word (backwards)"

_NEW_FORMS = (
    """SELECT DISTINCT folded FROM temp.staging WHERE folded NOT IN (SELECT folded FROM form) ORDER BY 1"""
)
_ADD_OCCURRENCES = """INSERT INTO occurrence SELECT form.id, owner, type, text, min(part), sum(count)
    FROM temp.staging JOIN form USING (folded) WHERE true GROUP BY 1, 2, 3, 4
    ON CONFLICT DO UPDATE SET count = count + excluded.count, part = min(part, excluded.part)"""
_DROP_OCCURRENCES = """DELETE FROM occurrence WHERE (form, owner, type, text) IN
    (SELECT form.id, owner, type, text FROM temp.staging JOIN form USING (folded))"""
_LEFT_FORMS = """SELECT DISTINCT id, folded FROM temp.staging JOIN form USING (folded)
    WHERE id NOT IN (SELECT form FROM occurrence)"""


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
    partial = _partial(path)
    with closing(_connect(partial)) as connection:
        for statement in (*_SETTINGS, *_TABLES, *_STAGING, "BEGIN"):
            connection.execute(statement)
        _stage(connection, rows)
        for statement in _FILL_FORMS:
            connection.execute(statement)
        longest = _stage_words(connection, "SELECT folded FROM form")
        for statement in (*_FILL_WORDS, _INDEX_WORDS):
            connection.execute(statement)
        values = _write_meta(connection, longest)
        connection.execute("COMMIT")
    partial.replace(path)
    return values


def change(path: Path, added: Iterable[IndexedValue], removed: Iterable[IndexedValue]) -> int:
    """Write a changed copy of an index under a temporary name, then rename it.

    Args:
        path: the file of an index.
        added: values that are new, or whose counts go up by those given.
        removed: values that a property no longer has; their counts do not matter.

    Returns:
        How many distinct (value, property) it then holds.
    """
    partial = _partial(path)
    shutil.copyfile(path, partial)
    with closing(_connect(partial)) as connection:
        for statement in (*_SETTINGS, *_STAGING, "BEGIN"):
            connection.execute(statement)
        _stage(connection, removed)
        connection.execute(_DROP_OCCURRENCES)
        left = connection.execute(_LEFT_FORMS).fetchall()
        connection.executemany("INSERT INTO gram (gram, rowid, folded) VALUES ('delete', ?, ?)", left)
        connection.executemany("DELETE FROM form WHERE id = ?", [(number,) for number, _ in left])
        connection.execute("DELETE FROM temp.staging")
        _stage(connection, added)
        new = [folded for (folded,) in connection.execute(_NEW_FORMS)]
        for folded in new:
            number = connection.execute("INSERT INTO form (folded) VALUES (?)", (folded,)).lastrowid
            connection.execute("INSERT INTO gram (rowid, folded) VALUES (?, ?)", (number, folded))
        grams = sorted({folded[i : i + 3] for folded in new for i in range(len(folded) - 2)})
        connection.executemany("INSERT OR IGNORE INTO gram_size VALUES (?, 1)", [(gram,) for gram in grams])
        connection.execute(_ADD_OCCURRENCES)
        longest = _stage_words(connection, "SELECT DISTINCT folded FROM temp.staging")
        for statement in _FILL_WORDS:
            connection.execute(statement)
        values = _write_meta(connection, longest)
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


def _partial(path: Path) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    return partial


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("backwards", 1, lambda word: word[::-1], deterministic=True)
    return connection


def _stage(connection: sqlite3.Connection, rows: Iterable[IndexedValue]) -> None:
    stored = connection.execute("SELECT owner, property, kind, id FROM owner")
    owners: dict[_Owner, int] = {(owner, name, kind): number for owner, name, kind, number in stored}
    known = len(owners)

    def records() -> Iterator[_Record]:
        for row in rows:
            owner = owners.setdefault((row.owner, row.property, row.kind), len(owners) + 1)
            kind, text = encode(row.value)
            yield fold(text), owner, kind, text, 0, row.count
            for short in aliases(text) if kind == "s" else ():
                yield short, owner, kind, text, 1, row.count

    staged = records()
    while batch := list(islice(staged, BATCH_ROWS)):
        _insert(connection, "temp.staging", batch)
    _insert(connection, "owner", [(number, *owner) for owner, number in list(owners.items())[known:]])


def _stage_words(connection: sqlite3.Connection, forms: str) -> int:
    """Stage the words of the forms that a query gives; count those of the longest form."""
    longest = 1
    cursor = connection.execute(forms)
    while batch := cursor.fetchmany(BATCH_ROWS):
        known: dict[str, int] = {}
        for (form,) in batch:
            cut = form.split()
            longest = max(longest, len(cut))
            for position, word in enumerate(cut):
                if not word.isdigit():
                    known[word] = max(known.get(word, 0), 0 if position else len(cut))
        _insert(connection, "temp.staging_word", list(known.items()))
    return longest


def _write_meta(connection: sqlite3.Connection, longest: int) -> int:
    values = int(connection.execute("SELECT count(*) FROM occurrence WHERE part = 0").fetchone()[0])
    stored = connection.execute("SELECT value FROM meta WHERE name = 'max_words'").fetchone()
    meta = {
        "format": FORMAT_VERSION,
        "max_words": max(longest, int(stored[0]) if stored else 0),
        "values": values,
    }
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, str(each)) for name, each in meta.items()]
    )
    return values


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
