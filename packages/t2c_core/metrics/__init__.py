"""Measures of generated Cypher against gold Cypher, and how sure they are."""

from t2c_core.metrics.execution import ResultComparison, compare, jaccard, precision_recall
from t2c_core.metrics.gold import Gold, GoldQuery
from t2c_core.metrics.intervals import Interval, bootstrap_interval, mcnemar, pass_at_k, wilson_interval
from t2c_core.metrics.provenance import provenance_query
from t2c_core.metrics.text_similarity import exact_match, google_bleu

__all__ = [
    "Gold",
    "GoldQuery",
    "Interval",
    "ResultComparison",
    "bootstrap_interval",
    "compare",
    "exact_match",
    "google_bleu",
    "jaccard",
    "mcnemar",
    "pass_at_k",
    "precision_recall",
    "provenance_query",
    "wilson_interval",
]
