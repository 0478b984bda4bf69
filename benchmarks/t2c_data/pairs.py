"""Yield, speed and memory of the template pipeline on one graph.

    python benchmarks/t2c_data/pairs.py --source faers.zip [--lexicon F]
    python benchmarks/t2c_data/pairs.py --source faers.zip [--lexicon F] --memory 20000,100000

The first writes yield and speed to results/pairs.{json,md}, the second memory to results/pairs_memory.json.

The graph is imported into an embedded Neo4j, and pairs are built with the command line. Yield: ratio of all candidates
(an instantiated template in one wording) that the build keeps and that pass all five validators; repeated questions are
counted separately. Memory: maximum resident size of the building process, without the database.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.graph.importer import import_graph
from t2c_core.schema.snapshot import write_snapshot

RESULTS = Path(__file__).parent / "results"
PAIRS = 3_000
REPEATED = ("duplicate", "contradiction")


def command(*words: str) -> dict[str, Any]:
    """Run `t2c-data`; return its JSON, seconds and maximum memory."""
    program = "import sys; from t2c_data.cli import main; main()"
    with tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        shown = [(os.POSIX_SPAWN_DUP2, said.fileno(), 1)]
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-c", program, *words], dict(os.environ), file_actions=shown
        )
        _, status, used = os.wait4(pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit(f"t2c-data {' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}")
        said.seek(0)
        return {
            **json.load(said), "seconds": round(seconds, 1), "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "memory_mb": round(used.ru_maxrss / 1024, 1),
        }  # fmt: skip


def composed(candidates: Path) -> tuple[int, Counter[str]]:
    """Return the number of candidates, and of those that the build dropped by reason, repeated questions excepted."""
    with closing(sqlite3.connect(candidates)) as base:
        reasons = Counter(
            dict(base.execute("SELECT drop_reason, count(*) FROM candidate GROUP BY drop_reason"))
        )
    total = reasons.total()
    for name in (None, *REPEATED):
        del reasons[name]
    return total, reasons


def measure_yield(source: list[str], folder: Path) -> dict[str, Any]:
    """Build and validate 3,000 pairs."""
    out = folder / "pairs"
    built = command("build", *source, "--out", str(out), "--pairs", str(PAIRS))
    checked = command(
        "validate", *source, "--pairs", str(out / "pairs.jsonl"), "--out", str(folder / "checked.jsonl")
    )
    total, dropped = composed(out / "candidates.sqlite")
    kept = (total - dropped.total()) / total
    passed = checked["kept"] / checked["pairs"]
    return {
        "candidates": total,
        "dropped_when_run": dict(dropped.most_common()),
        "repeated": {name: built["dropped"].get(name, 0) for name in REPEATED},
        "validated": {key: checked[key] for key in ("pairs", "kept", "failed", "reasons")},
        "yield_percent": round(100 * kept * passed, 2),
        "build_seconds": built["seconds"],
        "validate_seconds": checked["seconds"],
    }


def measure_memory(source: list[str], folder: Path, sizes: list[int]) -> dict[str, Any]:
    """Build numbers of pairs, one after the other."""
    builds = []
    for size in sizes:
        run = command("build", *source, "--out", str(folder / str(size)), "--pairs", str(size))
        candidates, _ = composed(folder / str(size) / "candidates.sqlite")
        used = {key: run[key] for key in ("seconds", "cpu_seconds", "memory_mb")}
        builds.append({"asked": size, "pairs": run["pairs"], "candidates": candidates, **used})
        print(builds[-1], file=sys.stderr)
    return {"builds": builds}


def table(found: dict[str, Any]) -> str:
    """Return the metrics as Markdown."""
    reasons = ", ".join(f"{name} {count}" for name, count in found["dropped_when_run"].items()) or "none"
    flagged = (
        ", ".join(f"`{name}` {count}" for name, count in found["validated"]["reasons"].items()) or "none"
    )
    lines = [
        "| | |",
        "|---|---:|",
        f"| candidates of {PAIRS} pairs | {found['candidates']} |",
        f"| pass their own run and all validators | {found['yield_percent']} % |",
        f"| dropped when run | {reasons} |",
        f"| flagged by validators | {flagged} |",
        f"| build, seconds | {found['build_seconds']} |",
        f"| validate, seconds | {found['validate_seconds']} |",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, help="folder or zip of CSVs")
    parser.add_argument("--lexicon", type=Path)
    parser.add_argument("--memory", metavar="SIZES", help="numbers of pairs to build, to see the memory")
    options = parser.parse_args()
    if options.source is None:
        print("pairs: give --source FOLDER_OR_ZIP; nothing measured")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedGraph(folder / "store") as server:
            import_graph(options.source, uri=server.uri)
            write_snapshot(folder / "snapshot", uri=server.uri)
            source = ["--uri", server.uri, "--snapshot", str(folder / "snapshot")]
            source += ["--lexicon", str(options.lexicon)] if options.lexicon else []
            if options.memory:
                found = measure_memory(source, folder, [int(size) for size in options.memory.split(",")])
            else:
                found = measure_yield(source, folder)
    found |= {"lexicon": "edited" if options.lexicon else "drafted", "cores": os.cpu_count()}
    RESULTS.mkdir(exist_ok=True)
    result = RESULTS / ("pairs_memory.json" if options.memory else "pairs.json")
    result.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if not options.memory:
        (RESULTS / "pairs.md").write_text(table(found) + "\n", encoding="utf-8")
        print(table(found))


if __name__ == "__main__":
    main()
