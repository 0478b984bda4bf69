"""Memory over many questions: is it flat? The same system as load.py's; loopback only.

    python benchmarks/t2c_service/soak.py [--requests 100000] [--clients 32] [--uri bolt://...]

Samples the resident memory of the service process fifty times. The first fifth is left out: caches fill. Over the
rest a line is fitted; flat means that it rises by less than 50 bytes a question, which is 5 MB over 100,000.
Writes benchmarks/t2c_service/results/soak.json; exit status 1 if memory is not flat or a request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from typing import Any

from load import ROOT, Running, ask_many, demo_rows, machine, save, system

RESULT = ROOT / "benchmarks" / "t2c_service" / "results" / "soak.json"
SAMPLES = 50
WARM = 0.2
FLAT_BYTES = 50.0


async def measure(running: Running, requests: int, clients: int) -> dict[str, Any]:
    """Ask in fifty parts and look at the memory after each."""
    questions = [row["question"] for row in demo_rows()]
    memory: list[tuple[int, float]] = []
    statuses: dict[str, int] = {}
    errors, seconds = 0, 0.0
    for part in range(1, SAMPLES + 1):
        tally, elapsed_s = await ask_many(
            running.address, questions, clients=clients, count=requests // SAMPLES
        )
        memory.append((part * (requests // SAMPLES), round(running.memory_mb, 2)))
        errors += tally.errors
        seconds += elapsed_s
        for kind, count in tally.statuses.items():
            statuses[kind] = statuses.get(kind, 0) + count
    settled = memory[int(WARM * SAMPLES) :]
    slope = statistics.linear_regression([x for x, _ in settled], [y * 2**20 for _, y in settled]).slope
    return {
        "bytes_a_question": round(slope, 2),
        "flat": slope < FLAT_BYTES,
        "errors": errors,
        "statuses": statuses,
        "questions_a_second": round(requests / seconds, 1),
        "memory_mb": [list(each) for each in memory],
    }


def main() -> int:
    """Measure, print, save; give the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--uri", help="a running demo graph, instead of an embedded one")
    chosen = parser.parse_args()
    host = machine()
    with system(concurrency=16, waiting=chosen.clients + 10, uri=chosen.uri) as running:
        found = asyncio.run(measure(running, chosen.requests, chosen.clients))
    content = {"requests": chosen.requests, "clients": chosen.clients, "machine": host, **found}
    save(RESULT, content)
    print(json.dumps({key: value for key, value in content.items() if key != "memory_mb"}, indent=1))
    return 0 if found["flat"] and not found["errors"] else 1


if __name__ == "__main__":
    sys.exit(main())
