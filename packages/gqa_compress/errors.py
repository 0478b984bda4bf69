"""Exceptions of gqa_compress.

CompressError
├── InputError (ValueError)         wrong input: exit 2
│   ├── RecipeError                 an invalid training recipe
│   ├── RowsError                   unusable training rows or calibration text
│   ├── CheckpointError             a missing, incomplete or corrupt checkpoint
│   ├── UnsupportedError            a model type that cannot become a standard checkpoint with fewer KV heads
│   └── PlanError                   an impossible conversion, for instance heads that do not divide
└── TrainingError                   the computation itself failed, for instance diverged: exit 1

Interrupted (KeyboardInterrupt)     training stopped by a signal after saving a checkpoint: exit 130

An output that must not be written raises `graphling_io.outputs.OutputError`.
"""


class CompressError(Exception):
    """Base class of all failures that gqa_compress raises on purpose."""


class InputError(CompressError, ValueError):
    """Invalid input; the message says what was asked, what was found and what to do."""


class RecipeError(InputError):
    """A training recipe is invalid."""


class RowsError(InputError):
    """Training rows or calibration text cannot be used."""


class CheckpointError(InputError):
    """A checkpoint is missing, incomplete or corrupt."""


class UnsupportedError(InputError):
    """A model type cannot become a standard checkpoint with fewer KV heads."""


class PlanError(InputError):
    """A conversion is impossible, for instance because heads do not divide."""


class TrainingError(CompressError):
    """The optimisation or conversion failed, for instance because of a loss that is not finite."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal; the message names the saved checkpoint and how to resume."""
