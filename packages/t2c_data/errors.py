"""Errors of t2c_data.

DataError
├── DataInputError (ValueError)     invalid input: exit 2
│   ├── LexiconError                a lexicon cannot be read or does not match the schema
│   ├── TemplateError               a question template cannot be read
│   └── PairsError                  a file of pairs cannot be read
├── BuildError                      a build cannot continue
├── ModelError                      a language model is unavailable or replies nothing usable
│   └── BudgetError                 the token budget is used up
├── EvaluationLimitError            an answer is too large to be evaluated without Cypher
└── UnfitError                      a template does not fit the choices made; another one is tried
"""


class DataError(Exception):
    """Base class of all errors that t2c_data raises."""


class DataInputError(DataError, ValueError):
    """Invalid input; the message says what failed, the value and what is allowed."""


class LexiconError(DataInputError):
    """A lexicon cannot be read or names what the schema does not have."""


class TemplateError(DataInputError):
    """A question template cannot be read."""


class PairsError(DataInputError):
    """A file of pairs is missing or has an invalid row."""


class BuildError(DataError):
    """A build cannot continue."""


class ModelError(DataError):
    """A language model is unavailable or replies nothing usable."""


class BudgetError(ModelError):
    """The token budget of a build is used up."""


class EvaluationLimitError(DataError):
    """A query tree matches in too many ways to be evaluated without Cypher."""


class UnfitError(DataError):
    """A template, its grounding or its wording does not fit the choices made; another one is tried."""
