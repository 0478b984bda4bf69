"""Confidence in the report: how often answers of a confidence are right, and what withholding the others saves."""

from __future__ import annotations

from typing import Any

import pytest

from t2c_service.evaluation.report import Outcome, reliability, risk_coverage


def outcome(confidence: float | None, *, equal: bool, **fields: Any) -> Outcome:
    values: dict[str, Any] = {"answerable": True, "status": "answered", **fields}
    return Outcome(
        id="1",
        category="a",
        question="q",
        gold="g",
        excluded=None,
        confidence=confidence,
        equal=equal,
        **values,
    )


MADE = [
    *(outcome(0.95, equal=True) for _ in range(4)),
    outcome(0.91, equal=False),
    outcome(1.0, equal=True),
    outcome(0.25, equal=True),
    outcome(0.21, equal=False, answerable=False),
    outcome(0.3, equal=False, status="unanswerable"),
    outcome(None, equal=False, status="refused"),
]


def test_reliability_compares_confidence_with_correctness() -> None:
    low, high = reliability(MADE)
    assert (low["from"], low["n"], low["right"]) == (0.2, 2, 0.5)
    assert (high["from"], high["n"], high["right"]) == (0.9, 6, pytest.approx(5 / 6))
    assert high["confidence"] == pytest.approx((4 * 0.95 + 0.91 + 1) / 6)


def test_risk_falls_as_uncertain_answers_are_withheld() -> None:
    rows = risk_coverage(MADE)
    assert rows[-1] == {"coverage": 0.8, "risk": pytest.approx(2 / 8), "min_confidence": 0.21}
    assert rows[0] == {"coverage": 0.1, "risk": 0, "min_confidence": 1.0}


def test_nothing_is_reported_without_confidence() -> None:
    assert reliability([outcome(None, equal=True)]) == risk_coverage([outcome(None, equal=True)]) == []
