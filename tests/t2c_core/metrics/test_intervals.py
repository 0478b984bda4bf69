"""Confidence intervals agree with scipy and theory."""

import pytest
from scipy import stats

from t2c_core.metrics import bootstrap_interval, wilson_interval


def test_wilson_agrees_with_scipy() -> None:
    for successes, tries in [(0, 10), (7, 10), (10, 10), (890, 1187)]:
        ours = wilson_interval(successes, tries)
        theirs = stats.binomtest(successes, tries).proportion_ci(method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson_interval(3, 2)


def test_bootstrap_is_reproducible_and_close_to_theory() -> None:
    scores = [1.0] * 80 + [0.0] * 20
    found = bootstrap_interval(scores)
    assert found == bootstrap_interval(scores)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.72, 0.88), abs=0.02)
    with pytest.raises(ValueError, match="no scores"):
        bootstrap_interval([])


def test_bootstrap_draws_groups_whole() -> None:
    scores = [1.0] * 50 + [0.0] * 50
    groups = [position // 25 for position in range(100)]
    wide = bootstrap_interval(scores, groups=groups)
    narrow = bootstrap_interval(scores)
    assert wide.high - wide.low > narrow.high - narrow.low
