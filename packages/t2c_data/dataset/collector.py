"""Collects the candidates of a build, and writes pairs and manifest when there are enough.

Reads: candidates, chunk by chunk. Writes: `candidates.sqlite`, `pairs.jsonl`, and `manifest.json` last.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from graphling_io.outputs import write_text
from t2c_data.dataset.split import LeakCounter, Splitter
from t2c_data.dataset.store import CANDIDATES, EVALUATION, CandidateStore
from t2c_data.errors import BuildError
from t2c_data.pairs import Pair, pair_id, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

MAX_CHUNKS_WITHOUT_PROGRESS = 20
"""Number of chunks without a new pair after which a build ends with what there is."""


class CandidateCollector:
    """The candidates of one build; a context manager.

    Args:
        out: folder of the build; created if missing.
        target: number of pairs wanted.
        max_barren: number of chunks without a new pair after which the build ends.
        progress: called with the number of pairs so far and the target.
    """

    def __init__(
        self,
        out: Path,
        *,
        target: int,
        max_barren: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._out = out
        self._target = target
        self._max_barren = max_barren or MAX_CHUNKS_WITHOUT_PROGRESS
        self._progress = progress

    def __enter__(self) -> Self:
        self._out.mkdir(parents=True, exist_ok=True)
        self.store = CandidateStore(self._out / CANDIDATES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.__exit__(kind, error, trace)

    @property
    def chunks(self) -> int:
        """Number of chunks, which is the number of the next one."""
        return self.store.chunks

    @property
    def remaining(self) -> int:
        """Number of pairs still wanted; 0 once new chunks bring none."""
        if self.store.chunks_without_progress >= self._max_barren:
            return 0
        return max(self._target - self.store.kept, 0)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store the next chunk."""
        self.store.add(rows)
        if self._progress:
            self._progress(min(self.store.kept, self._target), self._target)

    def deliver(
        self, *, schema: str, seed: int, config: Mapping[str, Any], categories_in_turn: bool = False
    ) -> dict[str, Any]:
        """Write the pairs of the build and return the manifest.

        Args:
            schema: content hash of the graph's schema.
            seed: seed of the splits.
            config: what was asked for, for the manifest.
            categories_in_turn: whether to take one pair of each category after the other.

        Raises:
            BuildError: there are none.
        """
        if not self.store.kept:
            raise BuildError(
                f"none of {self.chunks} chunks gave a pair (dropped: {self.store.dropped or 'nothing'}); "
                "is the graph empty, or everything hidden in the lexicon?"
            )

        def rows() -> Iterator[dict[str, Any]]:
            return self.store.rows(self._target, categories_in_turn=categories_in_turn)

        evaluation = self.store.evaluation
        return write_dataset(
            self._out,
            rows,
            schema=schema,
            seed=seed,
            config=config,
            dropped=self.store.dropped,
            extra={EVALUATION: evaluation} if evaluation["evaluated"] or evaluation["skipped"] else {},
        )


def write_dataset(
    out: Path,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
    *,
    schema: str,
    seed: int,
    config: Mapping[str, Any],
    dropped: Mapping[str, int],
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write `pairs.jsonl` with ids and splits, then `manifest.json`, and return the manifest.

    Args:
        out: the folder.
        rows: returns the rows from the first on; called twice, so that none is held in memory.
        schema: content hash of the graph's schema.
        seed: seed of the splits.
        config: what was asked for, for the manifest.
        dropped: number of dropped candidates by reason.
        extra: further fields of the manifest.
    """

    def pairs() -> Iterator[Pair]:
        for row in rows():
            yield Pair(**row, id=pair_id(row["question"], row["cypher"]), graph=schema)

    return write_pairs(
        out,
        pairs,
        seed=seed,
        extra={"config": dict(config), "schema": schema, "dropped": dict(dropped), **extra},
    )


def write_pairs(
    out: Path, pairs: Callable[[], Iterable[Pair]], *, seed: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Write pairs with splits, then a manifest that counts them, and return the manifest.

    Args:
        out: the folder.
        pairs: returns the pairs from the first on; called twice.
        seed: seed of the splits.
        extra: further fields of the manifest.
    """
    splitter, statistics = Splitter(), _Statistics()
    for pair in pairs():
        splitter.add(pair)
    splits = splitter.choose(seed=seed)
    placed = (replace(pair, split=split) for pair, split in zip(pairs(), splits, strict=True))
    write_lines(out / "pairs.jsonl", statistics.lines(placed))
    manifest = {**extra, **statistics.report()}
    write_text(out / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


class _Statistics:
    """Counts pairs while they are written."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("split", "category", "template")
        }
        self._leaks = LeakCounter()
        self._sha256 = hashlib.sha256()

    def lines(self, pairs: Iterable[Pair]) -> Iterator[str]:
        for pair in pairs:
            for name, counts in self._counts.items():
                counts[getattr(pair, name)] += 1
            self._leaks.add(pair)
            line = pair.to_json()
            self._sha256.update(line.encode() + b"\n")
            yield line

    def report(self) -> dict[str, Any]:
        return {
            "pairs": self._counts["split"].total(),
            **{f"by_{name}": dict(sorted(counts.items())) for name, counts in self._counts.items()},
            "leaks": self._leaks.report(),
            "sha256": self._sha256.hexdigest(),
        }
