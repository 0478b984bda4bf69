"""How often questions of third parties have each query shape, beside the pairs of a build.

    GRAPHLING_SHARED_DATA=folder python benchmarks/t2c_data/shapes.py [--built pairs.jsonl]

Reads the golds of pairs/*.jsonl of that folder, but not movies, which is asked unread. Writes results/shapes.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path
from typing import get_args

from t2c_core.metrics import QueryShape, query_shape

RESULTS = Path(__file__).parent / "results"
SETS = ("northwind", "faers_dev", "bloom50", "er", "gdsc", "osm", "wwc")
OWN = Path(__file__).parents[1] / "questions"


def shares(path: Path) -> dict[str, float | int]:
    """Return the percentage of each shape among the golds of a file, and their number."""
    counts: Counter[str] = Counter()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            gold = row.get("cypher") or row.get("query")
            if gold:
                counts[query_shape(gold)] += 1
    total = sum(counts.values())
    return {"n": total, **{shape: round(100 * counts[shape] / total, 1) for shape in get_args(QueryShape)}}


def main() -> None:
    """Count and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--built", type=Path, help="pairs.jsonl of a build, as a row of its own")
    options = parser.parse_args()
    folder = Path(os.environ["GRAPHLING_SHARED_DATA"]) / "pairs"
    rows = {name: shares(folder / f"{name}.jsonl") for name in SETS}
    rows["new users, demo (ours)"] = shares(OWN / "demo_read.jsonl")
    rows["new users, northwind (ours)"] = shares(OWN / "northwind_read.jsonl")
    if options.built:
        rows["a build"] = shares(options.built)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "shapes.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    names = ["n", *get_args(QueryShape)]
    lines = [f"| questions | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    lines += [f"| {name} | {' | '.join(str(row[each]) for each in names)} |" for name, row in rows.items()]
    (RESULTS / "shapes.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
