"""Fit and measure the confidence of answers.

    python benchmarks/t2c_service/confidence.py --fit OUTCOMES... --test OUTCOMES... [--out results/confidence.json]

OUTCOMES are files that `t2c-service evaluate --out` wrote, with minimum confidence 0. The coefficients of
`t2c_service.answering.attempts.confidence` come from the sets behind --fit; those behind --test show, for answers to
other questions, which fraction is right at each confidence.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from t2c_service.answering.attempts.confidence import (
    DIFFERENCE_WEIGHT,
    INTERCEPT,
    MIN_PROBABILITY,
    PROBABILITY_WEIGHT,
)

GIVEN = {"answered", "empty"}
RIDGE = 1.0
"""Penalty on the squared weights; few answers are wrong with differences and high probability."""
LEVELS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def load(files: list[Path]) -> list[dict[str, Any]]:
    """Read the outcomes of questions that count."""
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if not row["excluded"]]


def design(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, 3) and correctness (n,) of answers."""
    features = [
        (1.0, math.log(max(row["probability"], MIN_PROBABILITY)), float(row["differences"])) for row in rows
    ]
    return np.array(features), np.array([float(row["answerable"] and row["equal"]) for row in rows])


def fit(features: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the coefficients of a ridge logistic regression, by Newton's method."""
    weights = np.zeros(features.shape[1])
    penalty = RIDGE * np.diag([0.0, *[1.0] * (features.shape[1] - 1)])
    for _ in range(50):
        predicted = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (predicted - right) + penalty @ weights
        curvature = (features.T * (predicted * (1 - predicted))) @ features + penalty
        weights = weights - np.linalg.solve(curvature, gradient)
    return weights


def measure(rows: list[dict[str, Any]], weights: np.ndarray) -> dict[str, Any]:
    """Return right, wrong and withheld answers at each minimum confidence, and right ones in each interval."""
    given = [row for row in rows if row["status"] in GIVEN and row["probability"] is not None]
    features, right = design(given)
    scores = 1 / (1 + np.exp(-features @ weights))
    answerable = sum(row["answerable"] for row in rows)
    table = []
    for level in LEVELS:
        kept = scores >= level
        table.append(
            {
                "min_confidence": level,
                "right": int(right[kept].sum()),
                "wrong": int((1 - right[kept]).sum()),
                "withheld": len(rows) - int(kept.sum()),
            }
        )
    bins = []
    for low in np.arange(0, 1, 0.2):
        inside = (scores >= low) & (scores < low + 0.2 + 1e-9)
        if inside.any():
            mean, hits = float(scores[inside].mean()), float(right[inside].mean())
            bins.append({"from": round(float(low), 1), "n": int(inside.sum()), "mean": mean, "right": hits})
    brier = float(((scores - right) ** 2).mean())
    return {
        "questions": len(rows), "answerable": answerable, "brier": brier, "at": table, "reliability": bins
    }  # fmt: skip


def main() -> None:
    """Fit on one list of files, measure on another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", nargs="*", type=Path, default=[])
    parser.add_argument("--test", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    weights = np.array([INTERCEPT, PROBABILITY_WEIGHT, DIFFERENCE_WEIGHT])
    result: dict[str, Any] = {"in use": weights.tolist()}
    if given.fit:
        rows = [row for row in load(given.fit) if row["status"] in GIVEN and row["probability"] is not None]
        result["fitted"] = fit(*design(rows)).round(3).tolist()
        result["fitted on"] = {"answers": len(rows), "files": [file.stem for file in given.fit]}
        print(f"fitted on {len(rows)} answers: {result['fitted']}; in use: {weights.tolist()}")
        weights = np.array(result["fitted"])
    for file in given.test:
        result[file.stem] = found = measure(load([file]), weights)
        print(
            f"\n{file.stem}: {found['questions']} questions, {found['answerable']} answerable, "
            f"Brier {found['brier']:.3f}"
        )
        for row in found["at"]:
            print(
                "  minimum {min_confidence:.1f}: {right} right, {wrong} wrong, {withheld} withheld".format(
                    **row
                )
            )
        for row in found["reliability"]:
            print(
                "  confidence from {from:.1f}: {n} answers, mean {mean:.2f}, right {right:.2f}".format(**row)
            )
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
