"""Validation of questions and query parameters before anything is done with them."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.lexer import MAX_CHARS
from t2c_service.errors import QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_service.answering.conversation.turns import Turn

MAX_INTEGER = 2**63 - 1
MAX_PARAMETERS = 100
MAX_ITEMS = 1000
"""Maximum number of values, keys included, in one parameter."""
MAX_DEPTH = 10


def normalize_question(question: str, max_chars: int) -> str:
    """Return a question as one line without control characters.

    Args:
        question: text as it was sent.
        max_chars: maximum number of characters.

    Raises:
        QuestionError: the question is empty, too long, or contains a lone surrogate.
    """
    if len(question) > max_chars:
        raise QuestionError(f"the question has {len(question)} characters; at most {max_chars} are allowed")
    if any(unicodedata.category(char) == "Cs" for char in question):
        raise QuestionError("the question contains half a character (a lone surrogate)")
    text = "".join(" " if unicodedata.category(char) == "Cc" else char for char in question).strip()
    if not text:
        raise QuestionError("the question is empty")
    return text


def check_turn(turn: Turn, max_chars: int, *, is_trusted: bool) -> Turn:
    """Return an earlier turn of a conversation with its question as one line.

    Args:
        turn: turn as it was sent.
        max_chars: maximum number of characters of the question.
        is_trusted: whether the principal may run queries of its own.

    Raises:
        QuestionError: the question or the parameters are invalid, or the query is too long.
    """
    if turn.cypher is not None and len(turn.cypher) > MAX_CHARS:
        raise QuestionError(
            f"a query of the conversation has {len(turn.cypher)} characters; at most {MAX_CHARS} are allowed",
            pointer="conversation",
        )
    check_parameters(turn.parameters)
    return replace(turn, question=normalize_question(turn.question, max_chars), is_trusted=is_trusted)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check the parameters of a query.

    Args:
        parameters: JSON values by name.

    Raises:
        QuestionError: there are too many parameters, or the database cannot represent one of them.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise _invalid(f"{len(parameters)} parameters; at most {MAX_PARAMETERS} are allowed")
    for name, value in parameters.items():
        _check_value(name)
        if sum(1 for _ in _parts(value)) > MAX_ITEMS:
            raise _invalid(f"a value of more than {MAX_ITEMS} parts")
        for each in _parts(value):
            _check_value(each)


def _check_value(value: Any) -> None:
    if isinstance(value, int) and not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise _invalid("an integer of more than 64 bits")
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise _invalid("half a character (a lone surrogate)")


def _parts(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yield a value, and the keys and values inside lists and maps.

    Raises:
        QuestionError: they are nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise _invalid(f"lists and maps nested more than {MAX_DEPTH} deep")
    yield value
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _parts(each, depth + 1)


def _invalid(found: str) -> QuestionError:
    return QuestionError(f"the parameters contain {found}", pointer="parameters")
