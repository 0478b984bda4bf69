"""Run the leak test of the guard on more cases than `make test` does.

    python benchmarks/t2c_core/leaks.py [--cases 100000] [--processes 1] [--sessions 2]
        [--queries 400] [--resume]

Draws graphs, policies and queries as tests/t2c_core/guard/policy does, each batch of graphs from its own seed, runs
what the guard allows on an embedded Neo4j per process, and looks for hidden values in results, error messages and
snapshot files. Stops at the first leak. Writes results/leaks.json beside this file after each graph; `--resume` adds to
what that file counts, from seeds that it does not name.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from hypothesis import seed, settings

from graphling_io.outputs import write_json
from t2c_core.graph.embedded import EmbeddedGraph, ServerLimits

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

ROOT = Path(__file__).parents[2]
LIMITS = ServerLimits(optimising_compiler=True)
RESULTS = Path(__file__).parent / "results" / "leaks.json"
EXAMPLES = 375
"""Graphs of a batch, times the 15 by which the test divides them."""

Message = dict[str, int] | int | None
"""Counts of a finished graph, the seed of a batch that begins, or None after a leak."""


class Counts(Counter[str]):
    """Counts of one process, sent when a graph is finished."""

    def __init__(self, queue: Queue[Message]) -> None:
        super().__init__()
        self.queue = queue

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        if key == "graphs":
            self.queue.put(dict(self))
            self.clear()


def draw_cases(seeds: Queue[int], queries: int, sessions: int, queue: Queue[Message]) -> None:
    """Check batches on a server of this process, and send their seeds and counts."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    sys.path.insert(0, str(ROOT))
    settings.register_profile("leaks", max_examples=EXAMPLES, database=None, deadline=None)
    settings.load_profile("leaks")
    from tests.t2c_core.guard.policy import test_leaks_on_a_graph as leaks

    leaks.QUERIES, leaks.SESSIONS = queries, sessions
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedGraph(Path(folder) / "store", limits=LIMITS) as server,
        ):
            while True:
                number = seeds.get()
                queue.put(number)
                seed(number)(leaks.check_case)(server.uri, Counts(queue))
    except AssertionError:
        queue.put(None)
        raise


class Results:
    """What is counted, and kept in the file of results.

    Args:
        resume: whether to add to what that file has.
    """

    def __init__(self, *, resume: bool) -> None:
        content = json.loads(RESULTS.read_text(encoding="utf-8")) if resume and RESULTS.is_file() else {}
        self.seeds: list[int] = content.pop("seeds", [])
        self.leaks: int = content.pop("leaks", 0)
        self._seconds: int = content.pop("seconds", 0)
        self.counts: Counter[str] = Counter(content)
        self._started = time.monotonic()

    def add(self, message: Message) -> None:
        """Count what a process sent, and write the file."""
        if message is None:
            self.leaks += 1
        elif isinstance(message, int):
            self.seeds.append(message)
        else:
            self.counts.update(message)
        write_json(RESULTS, self.content())

    def content(self) -> dict[str, Any]:
        """Return the content of the file."""
        seconds = self._seconds + round(time.monotonic() - self._started)
        return {
            "leaks": self.leaks,
            **dict(sorted(self.counts.items())),
            "seconds": seconds,
            "seeds": self.seeds,
        }


def main() -> int:
    """Run the processes, write what they count and return the exit status: 1 after a leak, 2 after another failure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=1, help="each with a server")
    parser.add_argument("--sessions", type=int, default=2, help="queries at once per server")
    parser.add_argument("--queries", type=int, default=400, help="cases per graph")
    parser.add_argument("--resume", action="store_true", help="add to the results of former runs")
    options = parser.parse_args()
    results = Results(resume=options.resume)
    context = multiprocessing.get_context("spawn")
    queue: Queue[Message] = context.Queue()
    seeds: Queue[int] = context.Queue()
    first = max(results.seeds, default=-1) + 1
    for number in range(first, first + options.cases // options.queries + options.processes):
        seeds.put(number)
    workers = [
        context.Process(target=draw_cases, args=(seeds, options.queries, options.sessions, queue))
        for _ in range(options.processes)
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    for worker in workers:
        worker.start()
    try:
        while not results.leaks and results.counts["cases"] < options.cases:
            with suppress(Empty):
                results.add(queue.get(timeout=5))
            if queue.empty() and not any(each.is_alive() for each in workers):
                break
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    print(json.dumps(results.content()))
    return 1 if results.leaks else 2 * (results.counts["cases"] < options.cases)


if __name__ == "__main__":
    sys.exit(main())
