"""Run the leak test of the guard on more cases than `make test` does.

    python benchmarks/t2c_core/leaks.py [--cases 100000]

Draws graphs, policies and queries as tests/t2c_core/guard/policy does, runs what the guard allows on an embedded Neo4j
and looks for hidden values in results, error messages and snapshot files. Stops at the first leak. Writes
results/leaks.json beside this file after each graph.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import settings

from t2c_core.graph.embedded import EmbeddedGraph

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results" / "leaks.json"


class Counts(Counter[str]):
    """Counts of cases, written with each new graph."""

    started = time.monotonic()

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        if key == "graphs":
            self.write()

    def write(self) -> None:
        content = {**dict(sorted(self.items())), "seconds": round(time.monotonic() - self.started)}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=100_000)
    cases = parser.parse_args().cases
    sys.path.insert(0, str(ROOT))
    settings.register_profile("leaks", max_examples=200, database=None, deadline=None)
    settings.load_profile("leaks")
    from tests.t2c_core.guard.policy import test_leaks_on_a_graph as leaks

    counts = Counts()
    with tempfile.TemporaryDirectory() as folder, EmbeddedGraph(Path(folder) / "store") as server:
        while counts["cases"] < cases:
            leaks.check_case(server.uri, counts)
    counts.write()
    print(RESULTS.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
