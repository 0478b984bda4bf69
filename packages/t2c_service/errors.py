"""What can go wrong in t2c_service; what the database and the guard report is in `t2c_core.errors`.

ServiceError
├── SettingsError (ValueError)      a configuration that cannot be used: exit 2
├── PairsError (ValueError)         a file of pairs that cannot be evaluated: exit 2
├── QuestionError (ValueError)      a question that cannot be asked: empty, too long, no text: exit 2, or 422
├── KeysError (ValueError)          a file of API keys that cannot be used: exit 2
├── UnauthenticatedError            no key, or one that is not good
├── ForbiddenError                  a key that is not for this
├── UnknownDatabaseError            a database that is not there, or not for this caller
├── RateLimitedError                a caller asks more than it may
├── OverloadedError                 more questions at once than this service takes
├── DeadlineError                   a question took longer than it may
├── UnansweredError                 an evaluated question got a problem instead of an answer
└── ModelError                      the model
    ├── ModelFolderError (ValueError)   no usable checkpoint in a folder: exit 2
    ├── ModelUnavailableError       its server cannot be reached, or does not have it
    └── CompletionError             it wrote something that is no completion: endless, empty, torn
"""


class ServiceError(Exception):
    """Any failure that t2c_service raises on purpose."""


class SettingsError(ServiceError, ValueError):
    """A configuration cannot be used; the message names the key, what was found and what to write."""


class PairsError(ServiceError, ValueError):
    """A file of pairs cannot be evaluated."""


class QuestionError(ServiceError, ValueError):
    """A question cannot be asked: it is empty, too long or no text.

    Args:
        message: what is wrong.
        pointer: which part of the request.
    """

    def __init__(self, message: str, *, pointer: str = "question") -> None:
        super().__init__(message)
        self.pointer = pointer


class KeysError(ServiceError, ValueError):
    """A file of API keys cannot be used."""


class UnauthenticatedError(ServiceError):
    """A key is needed, or the one given is not good."""


class ForbiddenError(ServiceError):
    """A key is not for what was asked."""


class UnknownDatabaseError(ServiceError):
    """A database is not there, or not for this caller."""


class RateLimitedError(ServiceError):
    """A caller asks more than it may.

    Args:
        message: what is allowed.
        retry_after_s: when to try again.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverloadedError(ServiceError):
    """More questions were asked at once than this service takes."""


class DeadlineError(ServiceError):
    """A question took longer than it may."""


class UnansweredError(ServiceError):
    """An evaluated question got a problem instead of an answer."""


class ModelError(ServiceError):
    """The model failed."""


class ModelFolderError(ModelError, ValueError):
    """A folder holds no checkpoint that can be used."""


class ModelUnavailableError(ModelError):
    """The model's server cannot be reached, refuses us, or does not have the model."""


class CompletionError(ModelError):
    """The model wrote something that is no completion: without end, empty or torn."""
