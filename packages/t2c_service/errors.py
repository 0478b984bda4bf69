"""Errors of t2c_service, and the HTTP problem type that each one is reported as.

Errors of the database and of the query guard are defined in `t2c_core.errors`; `problem_type_of` covers both trees.

ServiceError                        500 fault
├── SettingsError (ValueError)      invalid configuration: exit 2
├── PairsError (ValueError)         invalid file of evaluation pairs: exit 2
├── KeysError (ValueError)          invalid file of API keys: exit 2
├── QuestionError (ValueError)      422 invalid; exit 2
├── UnauthenticatedError            401 unauthenticated
├── ForbiddenError                  403 forbidden
├── UnknownDatabaseError            404 unknown-database
├── UnknownQueryError               404 unknown-query
├── UnknownAnswerError              404 unknown-answer
├── FeedbackError (ValueError)      500 fault; invalid file of feedback: exit 2
│   ├── FeedbackDisabledError       404 no-feedback
│   └── FeedbackFullError           507 feedback-full
├── RateLimitedError                429 rate-limited
├── OverloadedError                 503 overloaded
├── DeadlineError                   504 timeout
├── UnansweredError                 an evaluated question received a problem instead of an answer
│   └── UnavailableError            the evaluated service cannot answer any question now
└── ModelError                      503 model-unavailable
    ├── ModelFolderError (ValueError)   no usable checkpoint in a folder: exit 2
    ├── ModelUnavailableError       the model server is down, refuses requests or lacks the model
    └── CompletionError             the completion is empty, malformed or exceeds its length limit
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from t2c_core.errors import GraphError, GraphOverloadedError, GraphTimeoutError


class ProblemType(NamedTuple):
    """How an error is reported: over HTTP, in metrics and in the audit log."""

    status: int
    kind: str
    """Stable; the last part of the problem's `type`."""
    title: str


INTERNAL_ERROR = ProblemType(500, "fault", "Internal server error")
GRAPH_UNAVAILABLE = ProblemType(503, "graph-unavailable", "Graph database unavailable")


class ServiceError(Exception):
    """Any failure that t2c_service raises on purpose."""

    problem_type: ClassVar[ProblemType] = INTERNAL_ERROR


class SettingsError(ServiceError, ValueError):
    """Invalid configuration; the message names the key, the value found and what is expected."""


class PairsError(ServiceError, ValueError):
    """Invalid file of evaluation pairs."""


class KeysError(ServiceError, ValueError):
    """Invalid file of API keys."""


class QuestionError(ServiceError, ValueError):
    """Invalid question or parameters: empty, too long or not text.

    Args:
        message: The reason.
        pointer: Part of the request that is invalid, as a JSON pointer without its leading slash.
    """

    problem_type = ProblemType(422, "invalid", "Invalid question")

    def __init__(self, message: str, *, pointer: str = "question") -> None:
        super().__init__(message)
        self.pointer = pointer


class UnauthenticatedError(ServiceError):
    """An API key is required, or the given one is invalid."""

    problem_type = ProblemType(401, "unauthenticated", "Authentication required")


class ForbiddenError(ServiceError):
    """The API key lacks the scope that the request needs."""

    problem_type = ProblemType(403, "forbidden", "Insufficient scope")


class UnknownDatabaseError(ServiceError):
    """The database does not exist, or the principal has no access to it."""

    problem_type = ProblemType(404, "unknown-database", "Database not found")


class UnknownQueryError(ServiceError):
    """There is no verified query of this name, or the principal may not run it."""

    problem_type = ProblemType(404, "unknown-query", "Verified query not found")


class UnknownAnswerError(ServiceError):
    """The principal has not received an answer of this id lately."""

    problem_type = ProblemType(404, "unknown-answer", "Answer not found")


class FeedbackError(ServiceError, ValueError):
    """The file of feedback cannot be read or written."""


class FeedbackDisabledError(FeedbackError):
    """The service keeps no feedback."""

    problem_type = ProblemType(404, "no-feedback", "Feedback is not kept")


class FeedbackFullError(FeedbackError):
    """The file of feedback has reached its maximum size."""

    problem_type = ProblemType(507, "feedback-full", "Insufficient storage")


class RateLimitedError(ServiceError):
    """A principal exceeds a rate or concurrency limit.

    Args:
        message: The limit.
        retry_after_s: Seconds after which to try again.
    """

    problem_type = ProblemType(429, "rate-limited", "Rate limit exceeded")

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverloadedError(ServiceError):
    """More questions arrive than the service can queue."""

    problem_type = ProblemType(503, "overloaded", "Service overloaded")


class DeadlineError(ServiceError):
    """A question exceeded its time limit."""

    problem_type = ProblemType(504, "timeout", "Request timed out")


class UnansweredError(ServiceError):
    """An evaluated question received a problem instead of an answer."""


class UnavailableError(UnansweredError):
    """The evaluated service cannot answer any question now.

    Args:
        message: what is unavailable.
        retry_after_s: seconds after which a retry may succeed; None if waiting is no use.
    """

    def __init__(self, message: str, *, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelError(ServiceError):
    """The model failed."""

    problem_type = ProblemType(503, "model-unavailable", "Model unavailable")


class ModelFolderError(ModelError, ValueError):
    """A folder holds no usable checkpoint."""


class ModelUnavailableError(ModelError):
    """The model server is down, refuses requests or lacks the model."""


class CompletionError(ModelError):
    """The completion is empty, malformed or exceeds its length limit."""


def problem_type_of(error: BaseException) -> ProblemType:
    """Return how an error is reported; unexpected ones are internal server errors."""
    if isinstance(error, ServiceError):
        return error.problem_type
    if isinstance(error, GraphTimeoutError):
        return DeadlineError.problem_type
    if isinstance(error, GraphOverloadedError):
        return OverloadedError.problem_type
    return GRAPH_UNAVAILABLE if isinstance(error, GraphError) else INTERNAL_ERROR
