"""Errors as the outside sees them: HTTP status, stable kind and title. The same kinds are in metrics and audit log."""

from __future__ import annotations

from t2c_core.errors import GraphError, GraphTimeoutError
from t2c_service.errors import (
    DeadlineError,
    ForbiddenError,
    ModelError,
    OverloadedError,
    QuestionError,
    RateLimitedError,
    UnauthenticatedError,
    UnknownDatabaseError,
)

PROBLEM_TYPES: tuple[tuple[tuple[type[Exception], ...], int, str, str], ...] = (
    ((QuestionError,), 422, "invalid", "The question cannot be asked"),
    ((UnauthenticatedError,), 401, "unauthenticated", "A key is needed"),
    ((ForbiddenError,), 403, "forbidden", "The key is not for this"),
    ((UnknownDatabaseError,), 404, "unknown-database", "There is no such database"),
    ((RateLimitedError,), 429, "rate-limited", "Too many questions from one caller"),
    ((OverloadedError,), 503, "overloaded", "Too many questions at once"),
    ((DeadlineError, GraphTimeoutError), 504, "timeout", "The question took too long"),
    ((ModelError,), 503, "model-unavailable", "The model cannot be asked"),
    ((GraphError,), 503, "graph-unavailable", "The graph cannot be asked"),
)
"""The first row that fits counts."""


def problem_type_of(error: Exception) -> tuple[int, str, str]:
    """Give status, stable kind and title for an error of ours."""
    for errors, status, kind, title in PROBLEM_TYPES:
        if isinstance(error, errors):
            return status, kind, title
    return 500, "fault", "A fault of the service"
