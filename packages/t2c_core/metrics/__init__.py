"""Metrics of generated Cypher against gold Cypher, with confidence intervals."""

from t2c_core.metrics.common_columns import equal_on_common_columns
from t2c_core.metrics.execution import ResultComparison, compare, jaccard, precision_recall
from t2c_core.metrics.gold import Gold, GoldQuery
from t2c_core.metrics.intervals import Interval, bootstrap_interval, wilson_interval
from t2c_core.metrics.provenance import provenance_query
from t2c_core.metrics.query_shape import QueryShape, query_shape
from t2c_core.metrics.text_similarity import google_bleu

__all__ = [
    "Gold",
    "GoldQuery",
    "Interval",
    "QueryShape",
    "ResultComparison",
    "bootstrap_interval",
    "compare",
    "equal_on_common_columns",
    "google_bleu",
    "jaccard",
    "precision_recall",
    "provenance_query",
    "query_shape",
    "wilson_interval",
]
