"""A build that is killed repeatedly ends with the bytes of an undisturbed one.

    python benchmarks/t2c_data/resume.py [--kills 20] [--pairs 1500] [--seed 0]

The real command line builds from the demo graph in an embedded Neo4j. Each run gets SIGKILL after a random time,
at most the time of the undisturbed build; then the same command is run again. Writes results/resume.json; exit
status 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from t2c_core.graph.embedded import EmbeddedGraph
from t2c_core.graph.importer import import_graph
from t2c_core.schema.snapshot import write_snapshot

ROOT = Path(__file__).parents[2]
RESULT = Path(__file__).parent / "results" / "resume.json"
STORE = "candidates.sqlite"
FILES = ("pairs.jsonl", "manifest.json", "plan.json")


def killed(command: list[str], after_s: float) -> bool:
    """Run a command and kill it after some time; return whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def candidates(store: Path) -> list[tuple[str, str | None]]:
    """Return the rows of a candidate store that exists, with their drop reasons."""
    if not store.is_file():
        return []
    with closing(sqlite3.connect(store)) as base:
        has_rows = base.execute("SELECT count(*) FROM sqlite_master WHERE name = 'candidate'").fetchone()[0]
        return list(base.execute("SELECT row, drop_reason FROM candidate ORDER BY id")) if has_rows else []


def measure(command: list[str], folder: Path, kills: int, rng: Random) -> dict[str, Any]:
    """Build once undisturbed and once with kills, and compare all files and candidates."""
    plain, broken = folder / "plain", folder / "broken"
    started = time.perf_counter()
    subprocess.run([*command, "--out", str(plain)], check=True, capture_output=True)
    whole_s = time.perf_counter() - started
    moments: list[dict[str, Any]] = []
    while len(moments) < kills:
        after_s = round(rng.uniform(0.0, whole_s), 2)
        if not killed([*command, "--out", str(broken)], after_s):
            for name in (STORE, *FILES[:2]):  # the build is finished: start anew
                (broken / name).unlink()
            continue
        rows = len(candidates(broken / STORE))
        left = sorted(path.name for path in broken.iterdir()) if broken.is_dir() else []
        moments.append({"after_s": after_s, "rows_kept": rows, "files": left})
    subprocess.run([*command, "--out", str(broken)], check=True, capture_output=True)
    same = {STORE: candidates(plain / STORE) == candidates(broken / STORE)}
    same |= {name: (plain / name).read_bytes() == (broken / name).read_bytes() for name in FILES}
    rest = sorted({path.name for path in broken.iterdir()} - {path.name for path in plain.iterdir()})
    return {"undisturbed_s": round(whole_s, 1), "kills": moments, "same": same, "left_over": rest}


def main() -> int:
    """Measure, write the result and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with EmbeddedGraph(folder / "store") as server:
            import_graph(ROOT / "demo" / "graph", uri=server.uri, strict=True)
            write_snapshot(folder / "snapshot", uri=server.uri)
            command = [
                sys.executable, "-c", "import sys; from t2c_data.cli import main; main()", "build", "--uri", server.uri,
                "--snapshot", str(folder / "snapshot"), "--lexicon", str(ROOT / "demo" / "lexicon.yaml"),
                "--pairs", str(options.pairs),
            ]  # fmt: skip
            found = measure(command, folder, options.kills, Random(options.seed))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps({"pairs": options.pairs, "seed": options.seed, **found}, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps({"kills": len(found["kills"]), "same": found["same"], "left_over": found["left_over"]}))
    return 0 if all(found["same"].values()) and not found["left_over"] else 1


if __name__ == "__main__":
    sys.exit(main())
