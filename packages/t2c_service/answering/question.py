"""What may be asked: one line of text, not empty and not too long."""

from __future__ import annotations

import unicodedata

from t2c_service.errors import QuestionError


def tidy(question: str, longest: int) -> str:
    """Make a question one line without control characters.

    Args:
        question: as a person or program sent it.
        longest: characters allowed.

    Raises:
        QuestionError: it is empty, too long, or holds half a character.
    """
    if len(question) > longest:
        raise QuestionError(f"the question has {len(question)} characters where {longest} are allowed")
    if any(unicodedata.category(char) == "Cs" for char in question):
        raise QuestionError("the question holds half a character (a lone surrogate)")
    text = "".join(" " if unicodedata.category(char) == "Cc" else char for char in question).strip()
    if not text:
        raise QuestionError("the question is empty")
    return text
