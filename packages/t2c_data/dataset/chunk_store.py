"""An append-only file of chunks: what is complete survives any stop, what is torn is cut off.

A chunk is lines of rows and one closing line with its number. Nothing is ever rewritten.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_CLOSING = '{"chunk":'


class ChunkStore:
    """Rows in numbered chunks.

    Args:
        path: the file; made when absent, cut behind its last complete chunk when torn.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.chunks = 0
        """How many chunks are complete."""
        path.touch()
        complete = 0
        with path.open("rb") as file:
            for line in iter(file.readline, b""):
                if not line.endswith(b"\n"):
                    break
                if line.startswith(_CLOSING.encode()):
                    complete = file.tell()
                    self.chunks += 1
        os.truncate(path, complete)
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a chunk; it counts only once its closing line is on the disk."""
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        lines.append(json.dumps({"chunk": self.chunks}))
        self._file.write("\n".join(lines) + "\n")
        self._file.flush()
        self.chunks += 1

    def read(self) -> Iterator[list[dict[str, Any]]]:
        """Read complete chunks, in order, one at a time."""
        rows: list[dict[str, Any]] = []
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if line.startswith(_CLOSING):
                    yield rows
                    rows = []
                else:
                    rows.append(json.loads(line))
