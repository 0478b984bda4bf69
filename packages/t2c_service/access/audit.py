"""Audit log: one JSON line per question and query. Rows and parameter values are never written.

String literals of a query are masked where a policy refused it or where it got no answer, because they may be guesses
at hidden values.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from t2c_service.access.principals import Principal
    from t2c_service.answering.records import Answer

log = logging.getLogger(__name__)

Channel = Literal["http", "mcp", "page", "command"]
"""How a request arrived."""
DEPRECATED_FIELDS = {"at": "timestamp", "entry": "channel"}
"""Earlier names of fields, which are written too."""

_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?", re.DOTALL)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """The audit log's entry for one question or query."""

    timestamp: str = field(default_factory=_now)
    request_id: str
    channel: Channel
    caller: str
    """Name of the principal."""
    key: str | None
    """Id of the API key; of an invalid key, the id that it claims to have."""
    address: str = ""
    """Address of the client, where the key was invalid."""
    database: str = ""
    question: str = ""
    cypher: str | None = None
    verified_query: str | None = None
    """Name of the verified query, if one was run."""
    status: str
    """Status of the answer, or kind of the problem."""
    codes: tuple[str, ...] = ()
    rows: int = 0
    truncated: bool = False
    attempts: int = 0
    elapsed_ms: float = 0.0


class AuditLog:
    """Appends records to a file; safe to share between threads.

    Args:
        file: JSONL file, created with the first record; nothing is written if None.
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
        """Append a record; return False if that failed."""
        if self._file is None:
            return True
        content = asdict(record)
        content |= {old: content[new] for old, new in DEPRECATED_FIELDS.items()}
        line = json.dumps(content, ensure_ascii=False) + "\n"
        try:
            with self._lock, self._file.open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write(line)
        except OSError as error:
            self.failure = f"the audit log {self._file} cannot be written: {error}"
            log.error("%s; request %s was not recorded", self.failure, record.request_id)  # noqa: TRY400
            return False
        self.failure = ""
        return True


def from_answer(answer: Answer, principal: Principal, *, request_id: str, channel: Channel) -> AuditRecord:
    """Return the record of an answer."""
    codes = tuple(dict.fromkeys(code for each in answer.attempts for code in each.codes))
    is_policy = any(code.startswith("policy") for code in codes)
    return AuditRecord(
        request_id=request_id,
        channel=channel,
        caller=principal.name,
        key=principal.key_id,
        database=answer.database,
        question=answer.question,
        cypher=mask_literals(answer.cypher) if answer.cypher and is_policy else answer.cypher,
        verified_query=answer.verified_query,
        status=answer.status,
        codes=codes,
        rows=len(answer.rows),
        truncated=answer.truncated,
        attempts=len(answer.attempts),
        elapsed_ms=answer.timings_ms.get("total", 0.0),
    )


def mask_literals(cypher: str) -> str:
    """Replace the string literals of a query."""
    return _LITERAL.sub("'…'", cypher)
