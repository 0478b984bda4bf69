"""Similarity of texts with values worked out by hand."""

import pytest

from t2c_core.metrics import google_bleu


def test_google_bleu_sums_over_the_corpus() -> None:
    # "a b c" has 3 + 2 + 1 runs; "a b d" shares a, b and "a b".
    assert google_bleu([("a b c", "a b d")]) == pytest.approx(3 / 6)
    assert google_bleu([("a b c", "a b d"), ("a", "a")]) == pytest.approx(4 / 7)
    assert google_bleu([("a", "a b c d")]) == pytest.approx(1 / 10)
    assert google_bleu([]) == 0.0
    assert google_bleu([("RETURN n.name", "RETURN n.name")]) == 1.0
