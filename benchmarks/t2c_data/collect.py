"""Memory of collecting and writing the pairs of a build; writes results/collect.json.

    python benchmarks/t2c_data/collect.py --pairs pairs/pairs.jsonl

Pairs of an earlier build are collected as new candidates, repeated with numbered questions where there are too few, and
written: store, de-duplication, ids, splits, leaks, files. No graph is read, so that only what grows with the number of
pairs is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2c_data.dataset.collector import CandidateCollector

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = Path(__file__).parent / "results" / "collect.json"
SIZES = (1_000, 20_000, 100_000)
CHUNK = 300


def peak_mb() -> float:
    """Return the maximum resident memory of this process."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def candidates(pairs: Path) -> Iterator[dict[str, Any]]:
    """Yield rows without end; from the second time on questions are numbered."""
    for turn in count():
        with pairs.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for name in ("id", "split", "graph"):
                    del row[name]
                yield {**row, "question": f"{row['question']} ({turn})"} if turn else row


def collect(pairs: Path, size: int) -> dict[str, Any]:
    """Collect and write a number of pairs."""
    before, started = peak_mb(), time.process_time()
    rows = candidates(pairs)
    with (
        tempfile.TemporaryDirectory() as name,
        CandidateCollector(Path(name), target=size) as collector,
    ):
        while collector.remaining:
            collector.add(list(islice(rows, CHUNK)))
        manifest = collector.deliver(schema="", seed=0, config={})
    return {
        "pairs": manifest["pairs"], "before_mb": before, "peak_mb": peak_mb(),
        "cpu_seconds": round(time.process_time() - started, 1), "leaks": manifest["leaks"],
    }  # fmt: skip


def main() -> None:
    """Measure each size in a process of its own and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path)
    options = parser.parse_args()
    if not options.pairs:
        print("collect: give --pairs FILE; nothing measured")
        return
    found = []
    for size in SIZES:
        with get_context("spawn").Pool(1) as pool:
            found.append(pool.apply(collect, (options.pairs, size)))
        print(found[-1], file=sys.stderr)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"cores": os.cpu_count(), "runs": found}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
