"""Numbers texts in the order in which they come, on the disk: memory stays the same however many there are.

The database is SQLite's own temporary file; nothing is left of it when the process ends, however that ends.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETUP = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE text (text TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""


class StringInterner:
    """A number for each text, from 0."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.executescript(_SETUP)
        self._base.execute("BEGIN")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def number(self, text: str) -> int:
        """Find a text's number; a new text gets the next one."""
        found = self._base.execute("SELECT number FROM text WHERE text = ?", (text,)).fetchone()
        if found is not None:
            return int(found[0])
        self._base.execute("INSERT INTO text VALUES (?, ?)", (text, self._count))
        self._count += 1
        return self._count - 1

    def sorted(self) -> Iterator[tuple[str, int]]:
        """Go through texts and their numbers in the order of the texts."""
        with closing(self._base.execute("SELECT text, number FROM text ORDER BY text")) as rows:
            yield from rows
