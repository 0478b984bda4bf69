"""Run the leak test of the guard on more cases than `make test` does.

    python benchmarks/t2c_core/leaks.py [--cases 100000] [--processes 2] [--queries 400]

Draws graphs, policies and queries as tests/t2c_core/guard/policy does, runs what the guard allows on an embedded Neo4j
per process and looks for hidden values in results, error messages and snapshot files. Stops at the first leak. Writes
results/leaks.json beside this file after each graph.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING

from hypothesis import settings

from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

ROOT = Path(__file__).parents[2]
LIMITS = ServerLimits(optimising_compiler=True)
RESULTS = Path(__file__).parent / "results" / "leaks.json"


class Counts(Counter[str]):
    """Counts of the cases of one process, sent with each new graph."""

    def __init__(self, number: int, queue: Queue[tuple[int, dict[str, int] | None]]) -> None:
        super().__init__()
        self.number = number
        self.queue = queue

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        if key == "graphs":
            self.queue.put((self.number, dict(self)))


def draw_cases(
    number: int, cases: int, queries: int, queue: Queue[tuple[int, dict[str, int] | None]]
) -> None:
    """Check cases on a server of this process and send their counts; None after a leak."""
    sys.path.insert(0, str(ROOT))
    settings.register_profile("leaks", max_examples=200, database=None, deadline=None)
    settings.load_profile("leaks")
    from tests.t2c_core.guard.policy import test_leaks_on_a_graph as leaks

    leaks.QUERIES = queries
    counts = Counts(number, queue)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedGraph(Path(folder) / "store", limits=LIMITS) as server,
        ):
            while counts["cases"] < cases:
                leaks.check_case(server.uri, counts)
        queue.put((number, dict(counts)))
    except AssertionError:
        queue.put((number, None))
        raise


def write(counts: list[dict[str, int]], started: float, *, leaks: int) -> None:
    """Write the sum of the counts."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    content = {"leaks": leaks, **dict(sorted(total.items())), "seconds": round(time.monotonic() - started)}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Run the processes, write what they count and return the exit status: 1 after a leak, 2 after another failure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--queries", type=int, default=400, help="cases per graph")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    queue: Queue[tuple[int, dict[str, int] | None]] = context.Queue()
    share = -(-options.cases // options.processes)
    workers = [
        context.Process(target=draw_cases, args=(number, share, options.queries, queue))
        for number in range(options.processes)
    ]
    for worker in workers:
        worker.start()
    started = time.monotonic()
    counts: list[dict[str, int]] = [{} for _ in workers]
    leaks = 0
    while not leaks and (any(each.is_alive() for each in workers) or not queue.empty()):
        try:
            number, found = queue.get(timeout=5)
        except Empty:
            continue
        counts[number] = counts[number] if found is None else found
        leaks += found is None
        write(counts, started, leaks=leaks)
    for worker in workers:
        if leaks:
            worker.terminate()
        worker.join()
    print(RESULTS.read_text(encoding="utf-8"))
    return 1 if leaks else 2 * any(each.exitcode for each in workers)


if __name__ == "__main__":
    sys.exit(main())
