"""Memory of a build's collector and last stage alone; writes benchmarks/t2c_data/results/collect.json.

    python benchmarks/t2c_data/collect.py --candidates models/starter/pairs/candidates.jsonl --snapshot models/starter/snapshot

The candidates of an earlier build are taken up as a stopped build takes up its own, then delivered as 20,000 and as
100,000 pairs: de-duplication, ids, splits, leaks, files. No graph is read, so that what grows with the pairs shows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.collector import CandidateCollector

RESULT = Path(__file__).parent / "results" / "collect.json"
SIZES = (1_000, 20_000, 100_000)


def peak_mb() -> float:
    """Read the largest resident memory of this process."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def collect(candidates: Path, snapshot: Path, size: int) -> dict[str, Any]:
    """Take up and deliver so many pairs."""
    schema, before, started = GraphSchema.load(snapshot), peak_mb(), time.process_time()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        shutil.copy(candidates, out / "candidates.jsonl")
        with CandidateCollector(out, target=size) as harvest:
            pass
        manifest = harvest.deliver(schema, seed=0, config={})
    return {
        "pairs": manifest["pairs"], "before_mb": before, "peak_mb": peak_mb(),
        "cpu_seconds": round(time.process_time() - started, 1), "leaks": manifest["leaks"],
    }  # fmt: skip


def main() -> None:
    """Measure each size in a process of its own and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=Path)
    parser.add_argument("--snapshot", type=Path)
    options = parser.parse_args()
    if not (options.candidates and options.snapshot):
        print("collect: give --candidates FILE --snapshot DIR; nothing measured")
        return
    found = []
    for size in SIZES:
        with get_context("spawn").Pool(1) as pool:
            found.append(pool.apply(collect, (options.candidates, options.snapshot, size)))
        print(found[-1], file=sys.stderr)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"cores": os.cpu_count(), "runs": found}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
