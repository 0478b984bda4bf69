"""Time the search for groups of heads, and compare it with the best grouping there is.

    python benchmarks/gqa_compress/grouping.py [--matrices 20]

Scores are cosines between random points around some centres, so that groups exist. Time is that of the processor,
one layer a matrix. The best grouping is found by dynamic programming over sets of heads; pairs are exact by
matching. Writes results/grouping.json and .md beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gqa_compress.heads.grouping import search
from graphling_io.outputs import write_json, write_text

if TYPE_CHECKING:
    import numpy.typing as npt

RESULTS = Path(__file__).parent / "results"


def scores(heads: int, seed: int) -> npt.NDArray[np.float64]:
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(heads // 3, 24))
    points = centres[chance.integers(len(centres), size=heads)] + chance.normal(size=(heads, 24))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    similarity = np.abs(points @ points.T)
    np.fill_diagonal(similarity, 0)
    return similarity


def total(similarity: npt.NDArray[np.float64], groups: list[list[int]]) -> float:
    return sum(float(similarity[np.ix_(group, group)].sum()) for group in groups)


def best_total(similarity: npt.NDArray[np.float64], groups: int) -> float:
    members = len(similarity) // groups
    inside = {
        group: total(similarity, [list(group)])
        for group in itertools.combinations(range(len(similarity)), members)
    }

    @cache
    def best(left: frozenset[int]) -> float:
        if not left:
            return 0.0
        first, *others = sorted(left)
        return max(
            inside[first, *rest] + best(left - {first, *rest})
            for rest in itertools.combinations(others, members - 1)
        )

    return best(frozenset(range(len(similarity))))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--matrices", type=int, default=20)
    given = parser.parse_args()
    timed = []
    for heads, groups in itertools.product((8, 16, 32, 64), (2, 4, 8, 16, 32)):
        if groups < heads:
            taken = []
            for seed in range(given.matrices):
                similarity = scores(heads, seed)
                begun = time.process_time()
                search(similarity, groups)
                taken.append(1000 * (time.process_time() - begun))
            timed.append(
                {
                    "heads": heads,
                    "groups": groups,
                    "median_ms": statistics.median(taken),
                    "most_ms": max(taken),
                }
            )
    gaps = []
    for heads, groups in ((8, 2), (9, 3), (12, 3), (12, 4)):
        lost = [
            1 - total(similarity, search(similarity, groups)) / best_total(similarity, groups)
            for similarity in (scores(heads, seed) for seed in range(given.matrices))
        ]
        gaps.append({"heads": heads, "groups": groups, "matrices": len(lost), "worst_gap": max(lost)})
    write_json(RESULTS / "grouping.json", {"timed": timed, "gaps": gaps})
    lines = ["Made by `python benchmarks/gqa_compress/grouping.py`: processor time of one layer's search.\n"]
    lines += ["| heads | groups | median ms | most ms |", "|---|---|---|---|"]
    lines += [f"| {r['heads']} | {r['groups']} | {r['median_ms']:.1f} | {r['most_ms']:.1f} |" for r in timed]
    lines += [
        "",
        "| heads | groups | matrices | worst share of the best total that is lost |",
        "|---|---|---|---|",
    ]
    lines += [f"| {r['heads']} | {r['groups']} | {r['matrices']} | {r['worst_gap']:.4%} |" for r in gaps]
    write_text(RESULTS / "grouping.md", "\n".join(lines) + "\n")
    print(json.dumps({"timed": timed, "gaps": gaps}))


if __name__ == "__main__":
    main()
