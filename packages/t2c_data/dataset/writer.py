"""The last stage of every build: ids, splits, `pairs.jsonl`, and `manifest.json` last.

Rows are gone through twice and never held: what they need between is in a temporary file.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from t2c_data.dataset.split import LeakCounter, Splitter
from t2c_data.pairs import Pair, pair_id, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from t2c_core.schema.model import GraphSchema


def write_dataset(
    out: Path,
    rows: Iterable[Mapping[str, Any]],
    schema: GraphSchema,
    *,
    seed: int,
    config: Mapping[str, Any],
    drops: Mapping[str, int],
) -> dict[str, Any]:
    """Write the pairs of a build and its manifest.

    Args:
        out: the folder.
        rows: what was kept, in order.
        schema: the graph's schema.
        seed: mixes the splits.
        config: what was asked for, for the manifest.
        drops: how many candidates were dropped, by reason.

    Returns:
        The manifest.
    """
    splitter, tally = Splitter(), _Tally()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as between:
        for row in rows:
            pair = Pair(**row, id=pair_id(row["question"], row["cypher"]), graph=schema.version)
            splitter.add(pair)
            between.write(pair.to_json() + "\n")
        between.seek(0)
        write_lines(out / "pairs.jsonl", tally.lines(_with_splits(between, splitter.choose(seed=seed))))
    manifest = {
        "pairs": sum(tally.by["split"].values()),
        "config": dict(config),
        "schema": schema.version,
        **{f"by_{what}": dict(sorted(counts.items())) for what, counts in tally.by.items()},
        "dropped": dict(sorted(drops.items())),
        "leaks": tally.leaks.report(),
        "sha256": tally.digest.hexdigest(),
    }
    write_lines(out / "manifest.json", [json.dumps(manifest, indent=1, sort_keys=True)])
    return manifest


def _with_splits(lines: IO[str], splits: Iterable[str]) -> Iterator[Pair]:
    for line, split in zip(lines, splits, strict=True):
        yield replace(Pair(**json.loads(line)), split=split)


class _Tally:
    """Counts pairs on their way to the file."""

    def __init__(self) -> None:
        self.by: dict[str, Counter[str]] = {what: Counter() for what in ("split", "category", "template")}
        self.leaks = LeakCounter()
        self.digest = hashlib.sha256()

    def lines(self, pairs: Iterable[Pair]) -> Iterator[str]:
        for pair in pairs:
            for what, counts in self.by.items():
                counts[getattr(pair, what)] += 1
            self.leaks.add(pair)
            line = pair.to_json()
            self.digest.update(line.encode() + b"\n")
            yield line
