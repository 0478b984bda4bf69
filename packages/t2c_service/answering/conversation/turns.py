"""Earlier turns of a conversation, as clients send them, and the choice among readings of a question."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.values.normalization import fold, stem, words
from t2c_core.values.stopwords import STOPWORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_service.answering.records import Choice

MAX_TURNS = 10
"""Maximum number of earlier turns that are looked at; older ones are left out."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """An earlier question, with the query that answered it if it is known."""

    question: str
    cypher: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_trusted: bool = False
    """Whether the query may be run again, changed: the principal may run queries of its own."""


_ORDINALS = (
    r"1|1st|first|former|a|one", r"2|2nd|second|latter|b|two", r"3|3rd|third|c|three", r"4|4th|fourth|d|four",
)  # fmt: skip
_PICK = re.compile(
    r"(?:i (?:mean|meant) |take |use |the |option |number |choice |reading |no |#)*(?P<word>\w+)"
    r"(?: (?:one|option|choice|reading|please))*"
)


def pick(text: str, choices: Sequence[Choice]) -> int | None:
    """Return the number of the choice that a text takes, from 0, or None.

    Args:
        text: `the second`, `2`, or words that only one of the readings has.
        choices: readings in the order in which they were shown.
    """
    form = fold(text)
    found = _PICK.fullmatch(form)
    for number, pattern in enumerate(_ORDINALS[: len(choices)]):
        if found and re.fullmatch(pattern, found["word"]):
            return number
    said = {stem(each.folded) for each in words(text) if each.folded not in STOPWORDS}
    held = [{stem(each.folded) for each in words(choice.interpretation)} for choice in choices]
    common = set.intersection(*held) if held else set()
    fitting = [number for number, stems in enumerate(held) if said and said <= stems]
    return fitting[0] if len(fitting) == 1 and said - common else None
