"""Questions to offer to a person, from a JSONL file; other keys of its rows (answers, categories) are not read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_service.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Example:
    """A question to start with."""

    question: str
    featured: bool = False


def load_examples(file: Path | None) -> tuple[Example, ...]:
    """Read the examples, featured ones first, in the file's order otherwise.

    Raises:
        SettingsError: the file cannot be read, or a row is no example.
    """
    if file is None:
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read `examples` {file}: {error}") from error
    examples = [
        _example(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if line.strip()
    ]
    return tuple(sorted(examples, key=lambda example: not example.featured))


def _example(line: str, where: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{where} is not JSON: {error}") from error
    question = row.get("question") if isinstance(row, dict) else None
    if not isinstance(question, str) or not question.strip():
        raise SettingsError(f"{where} has no `question`")
    return Example(question=question.strip(), featured=row.get("featured") is True)
