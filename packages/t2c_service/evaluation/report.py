"""Outcomes of evaluated questions, and the figures made of them. Asks nothing."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.metrics import bootstrap_interval
from t2c_service.errors import PairsError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Values of `limits.min_confidence` that the report looks at."""
STATUSES = ("answered", "empty", "unanswerable", "refused", "failed")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one pair."""

    id: str
    category: str
    question: str
    gold: str | None
    answerable: bool
    excluded: str | None
    """Why it does not count in the figures, if it does not."""
    detail: str = ""
    """More on why, or on what failed."""
    status: str | None = None
    """Of the answer; none if it was not asked."""
    cypher: str | None = None
    parameters: dict[str, Any] | None = None
    equal: bool = False
    reason: str = ""
    """How rows differ from the gold's."""
    f1: float = 0.0
    psjs: float | None = None
    confidence: float | None = None
    """How much speaks for the answer, if that is known."""
    total_ms: float | None = None
    """Time from question to answer, less the wait for other questions of the evaluation."""
    attempts: int = 0
    codes: list[str] = field(default_factory=list)
    """Why attempts were refused or failed, all of them."""


def compute_metrics(outcomes: Sequence[Outcome], *, model: str) -> dict[str, Any]:
    """Make the report.

    Args:
        outcomes: one for each pair of the file.
        model: name of what was evaluated.

    Raises:
        PairsError: no pair counts.
    """
    counted = [each for each in outcomes if each.answerable and not each.excluded]
    excluded = Counter(each.excluded for each in outcomes if each.excluded)
    if not counted:
        told = (
            ", ".join(f"{count} {reason}" for reason, count in excluded.items()) or "no answerable question"
        )
        raise PairsError(f"none of the {len(outcomes)} pairs can be counted: {told}")
    interval = bootstrap_interval(
        [float(each.equal) for each in counted], groups=[each.gold or each.id for each in counted]
    )
    psjs = [each.psjs for each in counted if each.psjs is not None]
    return {
        "model": model,
        "pairs": len(outcomes),
        "n": len(counted),
        "ex": interval.value,
        "ex_interval": [interval.low, interval.high],
        "executable": _share([each.status in {"answered", "empty"} for each in counted]),
        **{status: _share([each.status == status for each in counted]) for status in STATUSES},
        "f1": statistics.fmean(each.f1 for each in counted),
        "psjs": statistics.fmean(psjs) if psjs else None,
        "by_category": {
            category: {"n": len(group), "ex": _share([each.equal for each in group])}
            for category, group in _grouped(counted).items()
        },
        "by_confidence": _by_confidence(counted, [each for each in outcomes if not each.answerable]),
        "latency_ms": _latency([each.total_ms for each in outcomes if each.total_ms is not None]),
        "attempts_refused": dict(sorted(Counter(code for each in outcomes for code in each.codes).items())),
        "excluded": dict(sorted((str(reason), count) for reason, count in excluded.items())),
        "unstable": _apart([each for each in outcomes if each.excluded == "unstable"], "equal"),
        "without_answer": _apart([each for each in outcomes if not each.answerable], "recognised"),
    }


def to_jsonl(outcomes: Sequence[Outcome]) -> str:
    """Write outcomes as JSONL."""
    return "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in outcomes)


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _grouped(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault(each.category, []).append(each)
    return dict(sorted(groups.items()))


def _latency(times: Sequence[float]) -> dict[str, float]:
    if not times:
        return {}
    ordered = sorted(times)
    at = {
        name: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    return {"mean": round(statistics.fmean(ordered), 3), **at, "max": ordered[-1]}


def _by_confidence(counted: Sequence[Outcome], strange: Sequence[Outcome]) -> list[dict[str, float | None]]:
    """Say what each `limits.min_confidence` would refuse: nothing if the model tells no confidence."""
    if all(each.confidence is None for each in counted):
        return []
    rows: list[dict[str, float | None]] = []
    for least in CONFIDENCES:
        kept = [each for each in counted if not _is_refused(each, least)]
        rows.append(
            {
                "min_confidence": least,
                "unanswerable": 1 - len(kept) / len(counted),
                "ex": sum(each.equal for each in kept) / len(counted),
                "right_of_answered": _share([each.equal for each in kept]) if kept else None,
                "recognised": _share([_is_refused(each, least) for each in strange]) if strange else None,
            }
        )
    return rows


def _is_refused(outcome: Outcome, least: float) -> bool:
    doubtful = outcome.confidence is not None and outcome.confidence < least
    return outcome.status == "unanswerable" or doubtful


def _apart(outcomes: Sequence[Outcome], kind: str) -> dict[str, float | int]:
    """Count pairs that do not count among the others."""
    if not outcomes:
        return {"n": 0}
    if kind == "equal":
        return {"n": len(outcomes), "ex": _share([each.equal for each in outcomes])}
    return {"n": len(outcomes), "recognised": _share([each.status == "unanswerable" for each in outcomes])}
