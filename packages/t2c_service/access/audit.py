"""The audit log: one JSON line for each question and query. Values of the graph are never written.

Rows and parameter values stay out. Text literals of a query stay out too where a policy refused it, because they may be
guesses at hidden values.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from t2c_service.access.principals import Principal
    from t2c_service.answering.records import Answer

log = logging.getLogger(__name__)

Entry = Literal["http", "mcp", "page", "command"]

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """What is written of one question or query."""

    at: str
    request_id: str
    entry: Entry
    caller: str
    key: str | None
    database: str
    question: str
    cypher: str | None
    status: str
    """The answer's, or the kind of the problem."""
    codes: tuple[str, ...] = ()
    rows: int = 0
    truncated: bool = False
    attempts: int = 0
    elapsed_ms: float = 0.0


class AuditLog:
    """Appends records to a file; safe to share between threads.

    Args:
        file: made when there is something to write; without one nothing is written.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.failure = ""
        """Why the last record could not be written; empty if it was."""

    @property
    def is_enabled(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def write(self, record: AuditRecord) -> bool:
        """Append a record; tell whether it could be, if it was to be."""
        if self._file is None:
            return True
        line = json.dumps(asdict(record), ensure_ascii=False) + "\n"
        try:
            with self._lock, self._file.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(line)
        except OSError as error:
            self.failure = f"the audit log {self._file} cannot be written: {error}"
            log.error("%s; %s was not recorded", self.failure, record.request_id)  # noqa: TRY400
            return False
        self.failure = ""
        return True


def from_answer(answer: Answer, caller: Principal, *, request_id: str, entry: Entry) -> AuditRecord:
    """Take from an answer what may be written."""
    codes = tuple(dict.fromkeys(code for each in answer.attempts for code in each.codes))
    is_policy = any(code.startswith("policy") for code in codes)
    return AuditRecord(
        at=_now(),
        request_id=request_id,
        entry=entry,
        caller=caller.name,
        key=caller.key_id,
        database=answer.database,
        question=answer.question,
        cypher=mask_literals(answer.cypher) if answer.cypher and is_policy else answer.cypher,
        status=answer.status,
        codes=codes,
        rows=len(answer.rows),
        truncated=answer.truncated,
        attempts=len(answer.attempts),
        elapsed_ms=answer.timings_ms.get("total", 0.0),
    )


def from_problem(
    kind: str,
    caller: Principal,
    *,
    request_id: str,
    entry: Entry,
    database: str,
    question: str,
    cypher: str | None,
) -> AuditRecord:
    """Write down a question or query that got no answer."""
    return AuditRecord(
        at=_now(),
        request_id=request_id,
        entry=entry,
        caller=caller.name,
        key=caller.key_id,
        database=database,
        question=question,
        cypher=mask_literals(cypher) if cypher else None,
        status=kind,
    )


def mask_literals(cypher: str) -> str:
    """Write a query without its text literals."""
    return _LITERAL.sub("'…'", cypher)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
