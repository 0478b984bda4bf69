"""Validators against people: how many pairs judged wrong they find, and how often they alarm at right ones.

Reads: judged pairs, a snapshot, the graph. Holds no check of its own (see `validators`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.metrics.intervals import wilson_interval
from t2c_data.errors import PairsError
from t2c_data.validators.stage import AT_ONCE
from t2c_data.validators.findings import VALIDATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from t2c_core.schema.model import Scalar
    from t2c_data.validators.stage import Validation
    from t2c_data.validators.findings import Verdict

_RIGHT = {"1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """A pair that a person judged."""

    question: str
    cypher: str
    right: bool
    reason: str = ""
    """Why it is wrong, in the person's words."""


def read_judged(path: Path) -> list[JudgedPair]:
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
            right = _RIGHT[str(verdict).lower()]
            found.append(
                JudgedPair(
                    question=row["question"], cypher=row["cypher"], right=right, reason=row.get("reason", "")
                )
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise PairsError(
                f"{path}, line {number}: want question, cypher and right (true or false); {error!r}"
            ) from error
    return found


async def measure(
    judged: Sequence[JudgedPair],
    validation: Validation,
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
    verdicts: list[Verdict] = []
    for start in range(0, len(judged), AT_ONCE):
        part: list[tuple[str, str, dict[str, Scalar]]] = [
            (each.question, each.cypher, {}) for each in judged[start : start + AT_ONCE]
        ]
        verdicts += [verdict for verdict, _ in await validation.verdicts(part)]
        if progress:
            progress(len(verdicts), len(judged))
    both = list(zip(judged, verdicts, strict=True))
    codes = sorted({finding.code for verdict in verdicts for finding in verdict.findings})
    return {
        "wrong": sum(not each.right for each in judged),
        "right": sum(each.right for each in judged),
        "all": _rates(both, [verdict.wrong for verdict in verdicts]),
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
            if not each.right and not verdict.wrong
        ],
        "false_alarms": [
            {
                "question": each.question, "cypher": each.cypher,
                "findings": [f"{found.code}: {found.detail}" for found in verdict.findings if found.wrong],
            }
            for each, verdict in both
            if each.right and verdict.wrong
        ],
    }  # fmt: skip


def _alarms(verdict: Verdict, name: str) -> bool:
    return any(found.validator == name and found.wrong for found in verdict.findings)


def _rates(both: Sequence[tuple[JudgedPair, Verdict]], alarms: Sequence[bool]) -> dict[str, Any]:
    hits = [alarm for (each, _), alarm in zip(both, alarms, strict=True) if not each.right]
    false = [alarm for (each, _), alarm in zip(both, alarms, strict=True) if each.right]
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
