"""What can go wrong in gqa_compress.

CompressError
├── InputError (ValueError)         a person gave something wrong: exit 2
│   ├── RecipeError                 a training recipe that cannot be read as one
│   ├── RowsError                   training rows or calibration text that cannot be used
│   ├── CheckpointError             a checkpoint that is missing, torn or holds broken weights
│   ├── UnsupportedError            a kind of model that cannot become a stock GQA checkpoint
│   └── PlanError                   a conversion that was asked for and is impossible
└── TrainingError                   the optimisation itself failed, for instance diverged

An output folder that must not be written to raises `graphling_io.outputs.OutputError`.
"""


class CompressError(Exception):
    """Any failure that gqa_compress raises on purpose."""


class InputError(CompressError, ValueError):
    """Something a person gave is wrong; the message says what was asked, found and to do."""


class RecipeError(InputError):
    """A training recipe cannot be read as one."""


class RowsError(InputError):
    """Training rows or calibration text cannot be used."""


class CheckpointError(InputError):
    """A checkpoint is missing, torn or holds broken weights."""


class UnsupportedError(InputError):
    """A kind of model cannot become a stock checkpoint with fewer key-value heads."""


class PlanError(InputError):
    """A conversion was asked for that is impossible, for instance heads that do not divide."""


class TrainingError(CompressError):
    """The optimisation failed, for instance by a loss that is not finite."""
