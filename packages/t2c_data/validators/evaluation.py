"""Validators against people: how many pairs judged wrong they find, and how often they alarm at right ones.

Reads: judged pairs, a snapshot, the graph. Holds no check of its own (see `validators`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.metrics.intervals import wilson_interval
from t2c_data.errors import PairsError
from t2c_data.validators.findings import VALIDATORS
from t2c_data.validators.stage import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from t2c_core.schema.model import Scalar
    from t2c_data.validators.findings import ValidationResult
    from t2c_data.validators.stage import PairValidator

_RIGHT = {"1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """A pair that a person judged."""

    question: str
    cypher: str
    is_correct: bool
    reason: str = ""
    """Why it is wrong, in the person's words."""


def read_judged(path: Path) -> list[LabelledPair]:
    """Read judged pairs: JSONL with `question`, `cypher`, and `right` or `logically_correct`.

    Raises:
        PairsError: the file is absent or a row is no such pair.
    """
    if not path.is_file():
        raise PairsError(f"no judged pairs at {path}")
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            verdict = row["right"] if "right" in row else row["logically_correct"]
            is_correct = _RIGHT[str(verdict).lower()]
            found.append(
                LabelledPair(
                    question=row["question"],
                    cypher=row["cypher"],
                    is_correct=is_correct,
                    reason=row.get("reason", ""),
                )
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise PairsError(
                f"{path}, line {number}: want question, cypher and right (true or false); {error!r}"
            ) from error
    return found


async def evaluate_validators(
    judged: Sequence[LabelledPair],
    validation: PairValidator,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure validators on judged pairs.

    Only findings that say that a pair is wrong count as alarms; what this graph does not prove (an empty answer, a
    value that it does not have) is listed apart.

    Returns:
        Recall on wrong pairs and false alarms on right ones, in all, by validator and by code; the pairs missed and
        the false alarms, for reading.
    """
    verdicts: list[ValidationResult] = []
    for start in range(0, len(judged), BATCH_SIZE):
        part: list[tuple[str, str, dict[str, Scalar]]] = [
            (each.question, each.cypher, {}) for each in judged[start : start + BATCH_SIZE]
        ]
        verdicts += [verdict for verdict, _ in await validation.verdicts(part)]
        if progress:
            progress(len(verdicts), len(judged))
    both = list(zip(judged, verdicts, strict=True))
    codes = sorted({finding.code for verdict in verdicts for finding in verdict.findings})
    return {
        "wrong": sum(not each.is_correct for each in judged),
        "right": sum(each.is_correct for each in judged),
        "all": _rates(both, [verdict.is_error for verdict in verdicts]),
        "by_validator": {
            name: _rates(both, [_alarms(verdict, name) for verdict in verdicts]) for name in VALIDATORS
        },
        "by_code": {
            code: _rates(
                both, [any(each.code == code for each in verdict.findings) for verdict in verdicts]
            )
            for code in codes
        },
        "missed": [
            {"question": each.question, "cypher": each.cypher, "reason": each.reason}
            for each, verdict in both
            if not each.is_correct and not verdict.is_error
        ],
        "false_alarms": [
            {
                "question": each.question, "cypher": each.cypher,
                "findings": [f"{found.code}: {found.detail}" for found in verdict.findings if found.is_error],
            }
            for each, verdict in both
            if each.is_correct and verdict.is_error
        ],
    }  # fmt: skip


def _alarms(verdict: ValidationResult, name: str) -> bool:
    return any(found.validator == name and found.is_error for found in verdict.findings)


def _rates(both: Sequence[tuple[LabelledPair, ValidationResult]], alarms: Sequence[bool]) -> dict[str, Any]:
    hits = [alarm for (each, _), alarm in zip(both, alarms, strict=True) if not each.is_correct]
    false = [alarm for (each, _), alarm in zip(both, alarms, strict=True) if each.is_correct]
    return {"found": sum(hits), "recall": _share(hits), "alarms": sum(false), "false_alarms": _share(false)}


def _share(values: Sequence[bool]) -> dict[str, float] | None:
    if not values:
        return None
    interval = wilson_interval(sum(values), len(values))
    return {
        "percent": round(100 * sum(values) / len(values), 2),
        "low": round(100 * interval.low, 2),
        "high": round(100 * interval.high, 2),
    }
