"""One reader of text for calibration, evaluation and training: .txt, JSONL rows, chats, and data sets by name."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gqa_compress.errors import RowsError

# Longer texts are read as this many characters, in evenly spaced slices.
MAX_CHARACTERS = 16 * 2**20
SLICES = 64
# Prefix of a data set of the `datasets` library: datasets:NAME[:CONFIG[:SPLIT]].
DATASET = "datasets:"


@dataclass(frozen=True)
class Row:
    """A row: a prompt with its completion, or the messages of a chat.

    Attributes:
        prompt: empty for a text.
        completion: what follows.
        messages: `role` and `content` of each message, instead of both.
    """

    prompt: str = ""
    completion: str = ""
    messages: tuple[Mapping[str, str], ...] = ()


def read_rows(path: Path) -> list[Row]:
    """Read JSONL rows of {"prompt", "completion"}, {"text"} or {"messages"}.

    Args:
        path: the file, UTF-8 with or without a byte order mark; empty lines are skipped.

    Returns:
        The rows; all of them are chats, or none is.

    Raises:
        RowsError: the file is missing, empty or not UTF-8, or a line is not such a row.
    """
    rows: list[Row] = []
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    rows.append(_read_row(line, f"{path}:{number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise RowsError(f"the rows {path} cannot be read: {error}") from error
    if not rows:
        raise RowsError(f"the rows {path} are empty")
    if any(bool(row.messages) != bool(rows[0].messages) for row in rows):
        raise RowsError(f"{path} mixes rows of messages with others; write a file of each")
    return rows


def read_source(path: Path) -> list[Row]:
    """Read texts or chats of any source.

    Args:
        path: .txt (one text, long ones in slices), .jsonl or .json rows (one text or chat per row), or
            datasets:NAME[:CONFIG[:SPLIT]].

    Returns:
        The rows.

    Raises:
        RowsError: the source cannot be read.
    """
    if str(path).startswith(DATASET):
        return [Row(completion=text) for text in _read_dataset(str(path).removeprefix(DATASET))]
    if path.suffix in {".jsonl", ".json"}:
        return read_rows(path)
    try:
        return [Row(completion=_read_slices(path))]
    except (OSError, UnicodeDecodeError) as error:
        raise RowsError(f"the text {path} cannot be read: {error}") from error


def file_hash(path: Path) -> str:
    """Return the sha256 of a text: of a file's bytes, or of a data set's name.

    Raises:
        RowsError: the file cannot be read.
    """
    if str(path).startswith(DATASET):
        return hashlib.sha256(str(path).encode()).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RowsError(f"the rows {path} cannot be read: {error}") from error


def _read_row(line: str, position: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RowsError(f"{position} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise RowsError(
            f'{position} is {type(row).__name__}, not an object with "prompt" and "completion", "text" or "messages"'
        )
    if "messages" in row:
        return Row(messages=_read_messages(row["messages"], position))
    prompt, completion = ("", row["text"]) if "text" in row else (row.get("prompt"), row.get("completion"))
    if not (isinstance(prompt, str) and isinstance(completion, str)):
        raise RowsError(f'{position} has no strings "prompt" and "completion" (or "text", or "messages")')
    return Row(prompt, completion)


def _read_messages(messages: object, position: str) -> tuple[Mapping[str, str], ...]:
    is_chat = isinstance(messages, list) and all(
        isinstance(each, dict) and isinstance(each.get("role"), str) and isinstance(each.get("content"), str)
        for each in messages
    )
    if not isinstance(messages, list) or not is_chat or not messages:
        raise RowsError(f'{position} has "messages" that are no list of objects with "role" and "content"')
    return tuple(messages)


def _read_dataset(name: str) -> list[str]:
    """Read the first rows of a data set, up to `MAX_CHARACTERS` in all."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise RowsError(f"the data set {name} needs the package datasets: {error}") from error
    path, config, split = (*name.split(":"), "", "")[:3]
    texts: list[str] = []
    characters = 0
    try:
        for row in load_dataset(path, config or None, split=split or "train", streaming=True):
            texts.append(row["text"])
            characters += len(row["text"])
            if characters >= MAX_CHARACTERS:
                break
    except Exception as error:  # data sets fail in many ways: scripts, missing columns, no network
        raise RowsError(f"the data set {name} cannot be read: {error}") from error
    return texts


def _read_slices(path: Path) -> str:
    size = path.stat().st_size
    if size <= MAX_CHARACTERS:
        return path.read_text(encoding="utf-8-sig")
    with path.open("rb") as file:
        parts = []
        for start in np.linspace(0, size - MAX_CHARACTERS // SLICES, SLICES).astype(int):
            file.seek(int(start))
            parts.append(file.read(MAX_CHARACTERS // SLICES).decode("utf-8", errors="ignore"))
    return "".join(parts)
