"""Outcomes of evaluated pairs and the metrics computed from them."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.metrics import bootstrap_interval, query_shape
from t2c_service.errors import PairsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIN_CONFIDENCES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Values of `limits.min_confidence` in the report."""
RELIABILITY_BINS = 10
"""Number of intervals of confidence in the report, and of steps of coverage."""
STATUSES = ("answered", "empty", "ambiguous", "unanswerable", "refused", "failed")
NOT_ASKED = "not asked"
"""Value of `excluded` for pairs that an evaluation did not reach before it stopped."""
DEPRECATED_NAMES = {
    "nondeterministic": "unstable",
    "unanswerable_set": "without_answer",
    "refusal_recall": "recognised",
    "coverage_by_confidence": "by_confidence",
    "selective_accuracy": "right_of_answered",
    "ablations": "without",
}
"""Former names of keys of the report, which it has in addition for one version."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one pair."""

    id: str
    category: str
    question: str
    gold: str | None
    answerable: bool
    excluded: str | None
    """Why the pair is excluded from the metrics, if it is."""
    detail: str = ""
    """Message of the exclusion or failure."""
    status: str | None = None
    """Status of the answer; None if the question was not asked."""
    cypher: str | None = None
    parameters: dict[str, Any] | None = None
    equal: bool = False
    equal_on_common_columns: bool = False
    """Whether the rows are equal once columns that only one of the results has are left out."""
    reason: str = ""
    """How the rows differ from those of the gold."""
    f1: float = 0.0
    psjs: float | None = None
    confidence: float | None = None
    probability: float | None = None
    """Probability of the completion, if the model returns it."""
    differences: int = 0
    """Number of differences between question and query."""
    total_ms: float | None = None
    """Milliseconds from question to answer without the time in the model's queue."""
    attempts: int = 0
    codes: list[str] = field(default_factory=list)
    """Reason codes of all refused and failed attempts."""


def compute_metrics(outcomes: Sequence[Outcome], *, model: str) -> dict[str, Any]:
    """Compute the report.

    Args:
        outcomes: one outcome per pair.
        model: name of the evaluated model.

    Raises:
        PairsError: every pair is excluded.
    """
    counted = [each for each in outcomes if each.answerable and not each.excluded]
    excluded = Counter(each.excluded for each in outcomes if each.excluded)
    if not counted:
        found = (
            ", ".join(f"{count} {reason}" for reason, count in excluded.items()) or "no answerable question"
        )
        raise PairsError(f"none of the {len(outcomes)} pairs can be counted: {found}")
    unanswerable = [each for each in outcomes if not each.answerable and each.excluded != NOT_ASKED]
    nondeterministic = [each for each in outcomes if each.excluded == "unstable"]
    interval = bootstrap_interval(
        [float(each.equal) for each in counted], groups=[each.gold or each.id for each in counted]
    )
    psjs = [each.psjs for each in counted if each.psjs is not None]
    refusals = [each.status == "unanswerable" for each in unanswerable]
    report = {
        "model": model,
        "pairs": len(outcomes),
        "n": len(counted),
        "ex": interval.value,
        "ex_interval": [interval.low, interval.high],
        "ex_on_common_columns": _ratio([each.equal_on_common_columns for each in counted]),
        "executable": _ratio([each.status in {"answered", "empty"} for each in counted]),
        **{status: _ratio([each.status == status for each in counted]) for status in STATUSES},
        "f1": statistics.fmean(each.f1 for each in counted),
        "psjs": statistics.fmean(psjs) if psjs else None,
        "by_category": _by_group(counted, lambda outcome: outcome.category),
        "by_shape": _by_group(
            counted, lambda outcome: query_shape(outcome.gold) if outcome.gold else "other"
        ),
        "coverage_by_confidence": _coverage_by_confidence(counted, unanswerable),
        "reliability": reliability([*counted, *unanswerable]),
        "risk_coverage": risk_coverage([*counted, *unanswerable]),
        "latency_ms": _latency([each.total_ms for each in outcomes if each.total_ms is not None]),
        "attempts_refused": dict(sorted(Counter(code for each in outcomes for code in each.codes).items())),
        "excluded": dict(sorted((str(reason), count) for reason, count in excluded.items())),
        "nondeterministic": _metric("ex", [each.equal for each in nondeterministic]),
        "unanswerable_set": _metric("refusal_recall", refusals),
    }
    named: dict[str, Any] = with_deprecated_names(report)
    return named


def with_deprecated_names(content: Any) -> Any:
    """Return JSON content with the values of renamed keys under their former names too."""
    match content:
        case dict():
            named = {key: with_deprecated_names(value) for key, value in content.items()}
            former = {DEPRECATED_NAMES[key]: value for key, value in named.items() if key in DEPRECATED_NAMES}
            return named | former
        case list():
            return [with_deprecated_names(each) for each in content]
    return content


def to_jsonl(outcomes: Sequence[Outcome]) -> str:
    """Render outcomes as JSONL."""
    return "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in outcomes)


def _ratio(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _metric(name: str, hits: Sequence[bool]) -> dict[str, float | int]:
    """Return a ratio of pairs that are reported apart from the others."""
    return {"n": len(hits), name: _ratio(hits)} if hits else {"n": 0}


def _by_group(
    outcomes: Sequence[Outcome], key: Callable[[Outcome], str]
) -> dict[str, dict[str, float | int]]:
    """Return the accuracy for each group of pairs."""
    groups: dict[str, list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault(key(each), []).append(each)
    return {
        name: {
            "n": len(group),
            "ex": _ratio([each.equal for each in group]),
            "ex_on_common_columns": _ratio([each.equal_on_common_columns for each in group]),
        }
        for name, group in sorted(groups.items())
    }


def _latency(times: Sequence[float]) -> dict[str, float]:
    if not times:
        return {}
    ordered = sorted(times)
    at = {
        name: ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
        for name, quantile in (("p50", 0.5), ("p95", 0.95))
    }
    return {"mean": round(statistics.fmean(ordered), 3), **at, "max": ordered[-1]}


def _coverage_by_confidence(
    counted: Sequence[Outcome], unanswerable: Sequence[Outcome]
) -> list[dict[str, float | None]]:
    """Return accuracy and refusals at each `limits.min_confidence`; empty if no confidence is known."""
    if all(each.confidence is None for each in counted):
        return []
    rows: list[dict[str, float | None]] = []
    for minimum in MIN_CONFIDENCES:
        answered = [each for each in counted if not _is_refused(each, minimum)]
        refusals = [_is_refused(each, minimum) for each in unanswerable]
        rows.append(
            {
                "min_confidence": minimum,
                "unanswerable": 1 - len(answered) / len(counted),
                "ex": sum(each.equal for each in answered) / len(counted),
                "selective_accuracy": _ratio([each.equal for each in answered]) if answered else None,
                "refusal_recall": _ratio(refusals) if refusals else None,
            }
        )
    return rows


def reliability(outcomes: Sequence[Outcome]) -> list[dict[str, float | int]]:
    """Return, by interval of confidence, how many answers there are and which fraction of them is right.

    Args:
        outcomes: pairs that count; an answer to a question that the graph cannot answer is wrong.
    """
    given = _given(outcomes)
    rows: list[dict[str, float | int]] = []
    for number in range(RELIABILITY_BINS):
        low, high = number / RELIABILITY_BINS, (number + 1) / RELIABILITY_BINS
        inside = [
            (confidence, is_right)
            for confidence, is_right in given
            if low <= confidence < high or (confidence == high == 1)
        ]
        if inside:
            mean = statistics.fmean(confidence for confidence, _ in inside)
            right = _ratio([is_right for _, is_right in inside])
            rows.append({"from": low, "to": high, "n": len(inside), "confidence": mean, "right": right})
    return rows


def risk_coverage(outcomes: Sequence[Outcome]) -> list[dict[str, float | int]]:
    """Return the fraction of wrong answers among those given, as less confident ones are withheld.

    Args:
        outcomes: pairs that count; an answer to a question that the graph cannot answer is wrong.

    Returns:
        A row for each tenth of the answers, most confident first: coverage of all questions, risk, minimum confidence.
    """
    given = sorted(_given(outcomes), reverse=True)
    rows: list[dict[str, float | int]] = []
    for part in range(1, RELIABILITY_BINS + 1):
        kept = given[: round(part * len(given) / RELIABILITY_BINS)]
        if kept:
            risk = 1 - _ratio([is_right for _, is_right in kept])
            coverage = len(kept) / len(outcomes)
            rows.append({"coverage": coverage, "risk": risk, "min_confidence": kept[-1][0]})
    return rows


def _given(outcomes: Sequence[Outcome]) -> list[tuple[float, bool]]:
    """Return confidence and correctness of the answers that were given."""
    return [
        (each.confidence, each.equal)
        for each in outcomes
        if each.confidence is not None and each.status in {"answered", "empty"}
    ]


def _is_refused(outcome: Outcome, min_confidence: float) -> bool:
    is_below = outcome.confidence is not None and outcome.confidence < min_confidence
    return outcome.status == "unanswerable" or is_below
