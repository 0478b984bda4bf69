"""The file of feedback, and the latest answers that feedback can be about.

A record has the question, the query of the answer and the verdict; rows are never kept.
"""

from __future__ import annotations

import fcntl
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from t2c_service.errors import FeedbackError, FeedbackFullError, UnknownAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from t2c_service.answering.records import Answer

Verdict = Literal["right", "wrong"]
MAX_ANSWERS = 2_000
"""Number of latest answers that feedback can be about."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class FeedbackRecord(BaseModel):
    """One verdict on an answer: a line of the file."""

    model_config = ConfigDict(frozen=True)

    timestamp: str = Field(default_factory=_now)
    answer_id: str
    """Request id of the answer."""
    caller: str = ""
    """Name of the principal."""
    channel: str = ""
    database: str
    schema_version: str
    question: str
    status: str
    """Status of the answer."""
    origin: str
    cypher: str | None = None
    """Query of the answer; None if none was allowed to run."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    verdict: Verdict
    corrected_cypher: str | None = None
    corrected_parameters: dict[str, JsonValue] = Field(default_factory=dict)
    comment: str = ""


class FeedbackStore:
    """Appends records to a file of bounded size; safe to share between threads and processes.

    Args:
        file: JSONL file, created with the first record; no feedback is kept if None.
        max_bytes: maximum size of the file.
    """

    def __init__(self, file: Path | None, *, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._lock = threading.Lock()

    @property
    def is_enabled(self) -> bool:
        """Whether feedback is kept."""
        return self._file is not None

    def append(self, record: FeedbackRecord) -> None:
        """Append a record.

        Raises:
            FeedbackFullError: the file would exceed its maximum size.
            FeedbackError: the file cannot be written.
        """
        assert self._file is not None  # noqa: S101  (the service has checked it)
        line = (record.model_dump_json() + "\n").encode("utf-8", errors="backslashreplace")
        try:
            with self._lock, self._file.open("ab") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if stream.seek(0, os.SEEK_END) + len(line) > self._max_bytes:
                    raise FeedbackFullError(
                        f"the file of feedback has reached its maximum of {self._max_bytes} bytes"
                    )
                stream.write(line)
        except OSError as error:
            raise FeedbackError(f"the feedback {self._file} cannot be written: {error}") from error


class RecentAnswers:
    """The latest answers by principal and request id, without their rows."""

    def __init__(self, max_answers: int = MAX_ANSWERS) -> None:
        self._answers: LRUCache[tuple[str, str], Answer] = LRUCache(max_answers)
        self._lock = threading.Lock()

    def remember(self, subject: str, answer: Answer) -> None:
        """Keep an answer to a question.

        Args:
            subject: subject of the principal who asked.
            answer: the answer; its request id is the key.
        """
        if not answer.question or not answer.request_id:
            return
        empty: dict[str, Any] = {
            "rows": (), "columns": (), "graph": type(answer.graph)(), "attempts": (), "plan": None,
            "diagnosis": None, "answer": "",
        }  # fmt: skip
        with self._lock:
            self._answers[subject, answer.request_id] = answer.model_copy(update=empty)

    def find(self, subject: str, request_id: str) -> Answer:
        """Return an answer that a principal received.

        Raises:
            UnknownAnswerError: there is none, or it is too old.
        """
        with self._lock:
            found = self._answers.get((subject, request_id))
        if found is None:
            raise UnknownAnswerError(
                f"no answer {request_id[:80]!r} was given to you among the latest {self._answers.maxsize:.0f}"
            )
        return found


def read_feedback(file: Path) -> Iterator[FeedbackRecord]:
    """Yield the records of a file, oldest first.

    Raises:
        FeedbackError: the file cannot be read, or a line is invalid.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield FeedbackRecord.model_validate_json(line)
                    except ValidationError as error:
                        fault = error.errors(include_url=False, include_input=False)[0]
                        raise FeedbackError(f"{file}, line {number}: not feedback: {fault['msg']}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FeedbackError(f"cannot read the feedback {file}: {error}") from error
