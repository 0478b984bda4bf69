"""What can go wrong in t2c_data.

DataError
├── DataInputError (ValueError)     a person gave something wrong: exit 2
│   ├── LexiconError                a lexicon that does not fit the schema or cannot be read
│   ├── TemplateError               a pattern that cannot be read
│   └── PairsError                  a file of pairs with a bad row
├── BuildError                      a build cannot go on
└── ModelError                      a language model cannot be asked, or writes nothing of use
    └── BudgetError                 the tokens that it may use are used up
"""


class DataError(Exception):
    """Any failure that t2c_data raises on purpose."""


class DataInputError(DataError, ValueError):
    """Something a person gave is wrong; the message says what was asked, found and to do."""


class LexiconError(DataInputError):
    """A lexicon cannot be read or names what the schema does not have."""


class TemplateError(DataInputError):
    """A pattern cannot be read."""


class PairsError(DataInputError):
    """A file of pairs has a row that is none."""


class BuildError(DataError):
    """A build cannot go on."""


class ModelError(DataError):
    """A language model cannot be asked, or writes nothing of use."""


class BudgetError(ModelError):
    """The tokens that a build may use are used up."""


class UnfitError(DataError):
    """A pattern, binding or wording does not fit the choices made; another is tried."""
