"""Evaluation of a service on a file of pairs: pairs → gold results → answers → report."""

from t2c_service.evaluation.runner import evaluate

__all__ = ["evaluate"]
