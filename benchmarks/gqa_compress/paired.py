"""Test whether two models answer the same questions equally well: the exact test on the questions where they differ.

    t2c-service evaluate --pairs Q.jsonl --config teacher.yaml --out teacher.jsonl      # and so on for each model
    python benchmarks/gqa_compress/paired.py teacher.jsonl model.jsonl [OTHER.jsonl ...] [--name NAME]

Every further file is compared with the first. Only questions that count in both are taken. The test is McNemar's in its
exact form: of n questions that one model alone answers rightly, either model would have half if both were equally good.
Writes results/NAME.json beside this file if a name is given; without files it says so and does nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from graphling_io.outputs import write_json

RESULTS = Path(__file__).parent / "results"


def right(path: Path) -> dict[str, bool]:
    """Whether each question that counts was answered rightly, by its id."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["equal"] for row in rows if row["answerable"] and not row["excluded"]}


def exact_p(first: int, second: int) -> float:
    """Two-sided chance of a split at least as uneven if both were equally likely."""
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1)) / 2**n
    return min(1.0, 2 * tail)


def paired(first: Path, second: Path) -> dict[str, Any]:
    one, other = right(first), right(second)
    both = sorted(one.keys() & other.keys())
    lost = sum(one[key] and not other[key] for key in both)
    won = sum(other[key] and not one[key] for key in both)
    return {
        "files": [first.name, second.name],
        "questions": len(both),
        "ex": [round(sum(side[key] for key in both) / len(both), 4) for side in (one, other)],
        "right_only_in_first": lost,
        "right_only_in_second": won,
        "p": round(exact_p(lost, won), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--name")
    given = parser.parse_args()
    if len(given.files) < 2:
        print("gqa_paired: give the outcomes of two models or more; nothing compared")
        return
    found = [paired(given.files[0], other) for other in given.files[1:]]
    if given.name:
        write_json(RESULTS / f"{given.name}.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
