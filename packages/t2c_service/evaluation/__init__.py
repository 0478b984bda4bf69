"""Many questions asked and compared with what gold queries return: pairs → golds → asking → report."""

from t2c_service.evaluation.runner import evaluate

__all__ = ["evaluate"]
