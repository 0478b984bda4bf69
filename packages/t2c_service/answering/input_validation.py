"""What may be asked: one line of text, not empty and not too long; parameters that the database can take."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from t2c_service.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 2**63 - 1
MAX_PARAMETERS = 100
MAX_ITEMS = 1000


def normalize_question(question: str, max_chars: int) -> str:
    """Make a question one line without control characters.

    Args:
        question: as a person or program sent it.
        longest: characters allowed.

    Raises:
        QuestionError: it is empty, too long, or holds half a character.
    """
    if len(question) > max_chars:
        raise QuestionError(f"the question has {len(question)} characters where {max_chars} are allowed")
    if any(unicodedata.category(char) == "Cs" for char in question):
        raise QuestionError("the question holds half a character (a lone surrogate)")
    text = "".join(" " if unicodedata.category(char) == "Cc" else char for char in question).strip()
    if not text:
        raise QuestionError("the question is empty")
    return text


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Pass the parameters of a query.

    Args:
        parameters: values by name: text, numbers, truth values, or lists of them.

    Raises:
        QuestionError: there are too many, or one is nothing that the database can take.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise _not_taken(f"{len(parameters)} parameters where {MAX_PARAMETERS} are allowed")
    for name, value in parameters.items():
        items = value if isinstance(value, list) else [value]
        if len(items) > MAX_ITEMS:
            raise _not_taken(f"a list of {len(items)} values where {MAX_ITEMS} are allowed")
        for each in (name, *items):
            if isinstance(each, int) and not -LARGEST - 1 <= each <= LARGEST:
                raise _not_taken("a whole number of more than 64 bits")
            if isinstance(each, str) and any("\ud800" <= char <= "\udfff" for char in each):
                raise _not_taken("half a character (a lone surrogate)")


def _not_taken(what: str) -> QuestionError:
    return QuestionError(f"the parameters hold {what}", pointer="parameters")
