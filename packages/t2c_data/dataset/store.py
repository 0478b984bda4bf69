"""The folder of a build: the plan it belongs to, and its candidates in one transactional SQLite file."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from graphling_io.outputs import write_text
from t2c_data.errors import BuildError, DataInputError
from t2c_data.pairs import normalize_question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

PLAN = "plan.json"
CANDIDATES = "candidates.sqlite"
EVALUATION = "evaluation"
"""Verdict on a candidate of the evaluation without Cypher, and the reason of those that it drops."""

_TABLES = """
CREATE TABLE IF NOT EXISTS chunk (number INTEGER PRIMARY KEY, kept INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS candidate (id INTEGER PRIMARY KEY, row TEXT NOT NULL, drop_reason TEXT);
CREATE TABLE IF NOT EXISTS question (text TEXT PRIMARY KEY, cypher BLOB NOT NULL) WITHOUT ROWID;
"""
_KEPT = "SELECT row FROM candidate WHERE drop_reason IS NULL ORDER BY id LIMIT ?"
_KEPT_IN_TURN = """
SELECT row FROM (
  SELECT row, row_number() OVER category AS turn, min(id) OVER (PARTITION BY json_extract(row, '$.category')) AS first
  FROM candidate WHERE drop_reason IS NULL
  WINDOW category AS (PARTITION BY json_extract(row, '$.category') ORDER BY id)
) ORDER BY turn, first LIMIT ?
"""


def prepare_output_dir(
    out: Path, plan: Mapping[str, Any], *, artifacts: tuple[str, ...], force: bool = False
) -> None:
    """Create the folder of a build, or accept the one that an earlier call of the same build left.

    Args:
        out: the folder.
        plan: everything that the result depends on.
        artifacts: names of the files and folders that the build writes; nothing else is ever deleted.
        force: delete what the folder holds of another build.

    Raises:
        DataInputError: the folder holds something else.
    """
    text = json.dumps(plan, indent=1, sort_keys=True) + "\n"
    file = out / PLAN
    if file.is_file() and file.read_text(encoding="utf-8") == text and not force:
        return
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise DataInputError(
                f"{out} is not empty and holds another build; give --force to replace it, or another --out"
            )
        if not file.is_file():
            raise DataInputError(
                f"{out} has no {PLAN}, so it is not the folder of a build and --force deletes nothing in it; "
                "give another --out"
            )
        for name in (*artifacts, PLAN):
            if (out / name).is_dir() and not (out / name).is_symlink():
                shutil.rmtree(out / name)
            else:
                (out / name).unlink(missing_ok=True)
    write_text(file, text)


class CandidateStore:
    """Candidates in numbered chunks, each committed as a whole; the first of equal questions is kept.

    The database is locked until the store is closed. Memory use does not depend on the number of rows.

    Args:
        path: the database; None for a temporary one.

    Raises:
        BuildError: another process uses the database, or it cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._base = sqlite3.connect(path or "", isolation_level=None, timeout=1.0)
        try:
            with self._errors():
                self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._base.executescript(f"BEGIN EXCLUSIVE; {_TABLES} COMMIT;")
        except BuildError:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(sqlite3.Error):
            # The journal of a killed process is removed by a write without the exclusive lock.
            self._base.execute("PRAGMA locking_mode = NORMAL")
            self._base.execute("PRAGMA user_version = 1")
        self._base.close()

    @property
    def chunks(self) -> int:
        """Number of chunks, which is the number of the next one."""
        return int(self._value("SELECT count(*) FROM chunk"))

    @property
    def kept(self) -> int:
        """Number of candidates that are kept."""
        return int(self._value("SELECT coalesce(sum(kept), 0) FROM chunk"))

    @property
    def chunks_without_progress(self) -> int:
        """Number of chunks since the last one of which a candidate was kept."""
        return (
            self.chunks - int(self._value("SELECT coalesce(max(number), -1) FROM chunk WHERE kept > 0")) - 1
        )

    @property
    def dropped(self) -> dict[str, int]:
        """Number of dropped candidates by reason."""
        query = (
            "SELECT drop_reason, count(*) FROM candidate WHERE drop_reason IS NOT NULL GROUP BY drop_reason"
        )
        return dict(self._base.execute(query))

    @property
    def evaluation(self) -> dict[str, int]:
        """Number of candidates whose answer was compared with an evaluation without Cypher, by verdict."""
        query = "SELECT json_extract(row, ?) AS verdict, count(*) FROM candidate WHERE verdict IS NOT NULL GROUP BY 1"
        found = dict(self._base.execute(query, (f"$.{EVALUATION}",)))
        counts = {verdict: found.get(verdict, 0) for verdict in ("agreed", "disagreed", "skipped")}
        return {"evaluated": counts["agreed"] + counts["disagreed"], **counts}

    def counts_by_category(self) -> dict[str, int]:
        """Return the number of kept candidates by category."""
        query = "SELECT json_extract(row, '$.category'), count(*) FROM candidate WHERE drop_reason IS NULL GROUP BY 1"
        return dict(self._base.execute(query))

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Commit the next chunk; a row with a `drop` reason, or whose question is known, is not kept.

        Raises:
            BuildError: the database cannot be written.
        """
        with self._errors(), self._base:
            self._base.execute("BEGIN")
            reasons = [row.get("drop") or self._register(row) for row in rows]
            lines = [
                (json.dumps(row, ensure_ascii=False), reason)
                for row, reason in zip(rows, reasons, strict=True)
            ]
            self._base.executemany("INSERT INTO candidate (row, drop_reason) VALUES (?, ?)", lines)
            self._base.execute("INSERT INTO chunk VALUES (?, ?)", (self.chunks, reasons.count(None)))

    def rows(self, limit: int = -1, *, categories_in_turn: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the kept candidates in order.

        Args:
            limit: maximum number; -1 for all.
            categories_in_turn: yield one of each category after the other.
        """
        with closing(self._base.execute(_KEPT_IN_TURN if categories_in_turn else _KEPT, (limit,))) as found:
            for (row,) in found:
                content = json.loads(row)
                content.pop(EVALUATION, None)
                yield content

    def _register(self, row: Mapping[str, Any]) -> str | None:
        question = normalize_question(row["question"])
        cypher = hashlib.blake2b(row["cypher"].encode(), digest_size=8).digest()
        known = self._base.execute("SELECT cypher FROM question WHERE text = ?", (question,)).fetchone()
        if known is not None:
            return "duplicate" if known[0] == cypher else "contradiction"
        self._base.execute("INSERT INTO question VALUES (?, ?)", (question, cypher))
        return None

    def _value(self, query: str) -> Any:
        return self._base.execute(query).fetchone()[0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise BuildError(f"{self._path} is in use by another build; wait for it to end") from error
            raise BuildError(f"{self._path} cannot be used: {error}") from error
