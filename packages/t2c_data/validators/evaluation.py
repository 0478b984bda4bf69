"""Accuracy of the validators on pairs that people labelled: recall on incorrect pairs, false positives on correct ones.

Reads: labelled pairs, a snapshot, the graph.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.consistency.findings import VALIDATORS
from t2c_core.metrics.intervals import wilson_interval
from t2c_data.errors import PairsError
from t2c_data.validators.stage import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from t2c_core.consistency.findings import ValidationResult
    from t2c_data.validators.stage import PairValidator, Question

_LABELS = {"1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """A pair with a person's label."""

    question: str
    cypher: str
    is_correct: bool
    reason: str = ""
    """Why it is incorrect, in the person's words."""


def read_labelled_pairs(path: Path) -> list[LabelledPair]:
    """Read labelled pairs: JSON Lines with `question`, `cypher`, and `right` or `logically_correct`.

    Raises:
        PairsError: the file is missing or a row is not a labelled pair.
    """
    if not path.is_file():
        raise PairsError(f"no labelled pairs at {path}")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            label = row["right"] if "right" in row else row["logically_correct"]
            found.append(
                LabelledPair(
                    question=row["question"],
                    cypher=row["cypher"],
                    is_correct=_LABELS[str(label).lower()],
                    reason=row.get("reason", ""),
                )
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise PairsError(
                f"{path}, line {number}: expected question, cypher and right (true or false); {error!r}"
            ) from error
    return found


async def evaluate_validators(
    labelled: Sequence[LabelledPair],
    validator: PairValidator,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure validators on labelled pairs; inconclusive findings count by code only.

    Returns:
        Recall and false positive rate in all, by validator and by code; the false negatives and false positives. Names
        that the fields had before are written too, for one version.
    """
    results: list[ValidationResult] = []
    for start in range(0, len(labelled), BATCH_SIZE):
        part: list[Question] = [
            (each.question, each.cypher, {}) for each in labelled[start : start + BATCH_SIZE]
        ]
        results += [result for result, _ in await validator.validate_pairs(part)]
        if progress:
            progress(len(results), len(labelled))
    pairs = list(zip(labelled, results, strict=True))
    codes = sorted({finding.code for result in results for finding in result.findings})
    false_negatives = [
        {"question": pair.question, "cypher": pair.cypher, "reason": pair.reason}
        for pair, result in pairs
        if not pair.is_correct and not result.is_error
    ]
    false_positives = [
        {
            "question": pair.question, "cypher": pair.cypher,
            "findings": [f"{found.code}: {found.detail}" for found in result.findings if found.is_error],
        }
        for pair, result in pairs
        if pair.is_correct and result.is_error
    ]  # fmt: skip
    return {
        "wrong": sum(not pair.is_correct for pair in labelled),
        "right": sum(pair.is_correct for pair in labelled),
        "all": _rates(labelled, (result.is_error for result in results)),
        "by_validator": {
            name: _rates(
                labelled,
                (
                    any(each.validator == name and each.is_error for each in result.findings)
                    for result in results
                ),
            )
            for name in VALIDATORS
        },
        "by_code": {
            code: _rates(labelled, (any(each.code == code for each in result.findings) for result in results))
            for code in codes
        },
        "false_negatives": false_negatives,
        "false_positives": false_positives,
        "missed": false_negatives,
        "false_alarms": false_positives,
    }


def _rates(labelled: Sequence[LabelledPair], positives: Iterable[bool]) -> dict[str, Any]:
    incorrect: list[bool] = []
    correct: list[bool] = []
    for pair, positive in zip(labelled, positives, strict=True):
        (correct if pair.is_correct else incorrect).append(positive)
    found, false, false_rate = sum(incorrect), sum(correct), _ratio(correct)
    return {
        "true_positives": found, "recall": _ratio(incorrect), "false_positives": false,
        "false_positive_rate": false_rate, "found": found, "alarms": false, "false_alarms": false_rate,
    }  # fmt: skip


def _ratio(values: Sequence[bool]) -> dict[str, float] | None:
    if not values:
        return None
    interval = wilson_interval(sum(values), len(values))
    return {
        "percent": round(100 * sum(values) / len(values), 2),
        "low": round(100 * interval.low, 2),
        "high": round(100 * interval.high, 2),
    }
