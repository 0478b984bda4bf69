"""Collects the chunks of a build: all go into the store, each question is kept once, until there are enough.

Whoever makes the chunks hands them over in order; what an earlier call left is taken up first. Holds no rows in memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from t2c_data.dataset.chunk_store import ChunkStore
from t2c_data.dataset.deduplicate import Deduplicator
from t2c_data.dataset.writer import write_dataset
from t2c_data.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from t2c_core.schema.model import GraphSchema

MAX_CHUNKS_WITHOUT_PROGRESS = 20
"""After so many chunks without a new pair a build ends with what there is."""


class CandidateCollector:
    """The candidates of one build, in a folder.

    Args:
        out: the folder; made when absent.
        wanted: how many pairs.
        progress: told how many there are.
    """

    def __init__(self, out: Path, *, target: int, progress: Callable[[int, int], None] | None = None) -> None:
        self._out = out
        self._wanted = target
        self._progress = progress
        self._seen = Deduplicator()
        self._barren = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._out.mkdir(parents=True, exist_ok=True)
        self._store = self._stack.enter_context(ChunkStore(self._out / "candidates.jsonl"))
        for rows in self._store.read():
            self._take(rows)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def chunks(self) -> int:
        """How many chunks there are: the number of the next one."""
        return self._store.chunks

    @property
    def remaining(self) -> int:
        """How many pairs are still wanted; 0 once new chunks bring none."""
        return 0 if self._barren >= MAX_CHUNKS_WITHOUT_PROGRESS else max(self._wanted - len(self._seen), 0)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the next chunk."""
        self._store.append(rows)
        self._take(rows)
        if self._progress:
            self._progress(min(len(self._seen), self._wanted), self._wanted)

    def deliver(self, schema: GraphSchema, *, seed: int, config: Mapping[str, Any]) -> dict[str, Any]:
        """Write the pairs of the build.

        Returns:
            The manifest.

        Raises:
            BuildError: there are none.
        """
        if not self._seen:
            raise BuildError(
                f"no pair came out of {MAX_CHUNKS_WITHOUT_PROGRESS} chunks; is the graph empty or the lexicon all hidden?"
            )
        rows = islice(self._kept(), self._wanted)
        return write_dataset(self._out, rows, schema, seed=seed, config=config, drops=self._seen.dropped)

    def _take(self, rows: Sequence[Mapping[str, Any]]) -> None:
        kept = [self._seen.take(row) for row in rows]
        self._barren = 0 if any(kept) else self._barren + 1

    def _kept(self) -> Iterator[dict[str, Any]]:
        again = Deduplicator()
        for rows in self._store.read():
            yield from (row for row in rows if again.take(row))
