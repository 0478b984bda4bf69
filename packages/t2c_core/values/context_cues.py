"""Words beside a mention that tell how it is meant: part of a value, a limit, a bound.

Holds no values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from t2c_core.values.stopwords import STOPWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.values.stopwords import SchemaWords

CONTEXT_CHARS = 60
"""Characters before a mention that are looked at."""

_NOUN = r"(?:letters?|words?|text|string|phrase|substring|prefix|suffix|characters?)"
_ENDED = r"(?:start|begin|end|prefix|suffix)(?:s|ed|ing|ning)?\s+(?:with|in|by)"
_CONTAIN = rf"\b(?:{{}}contain(?:s|ing|ed)?|{_ENDED})(?:\s+the)?+(?:\s+{_NOUN}\b)?+"
_IN_NAME = (
    r"\s+in\s+(?:its|their|the|his|her)\s+(?:full\s+)?(?:names?|titles?|descriptions?|texts?|labels?|summary|subject"
    r"|comments?|notes?|content|address(?:es)?|e-?mails?)\b"
)
_WORD = r"(?P<word>[^\s'\"“‘(),;?!]+?)"
_BEFORE_PART = re.compile(_CONTAIN.format(r"like|includ(?:es|ing)|matching|") + r"\s*$", re.IGNORECASE)
_AFTER_PART = re.compile(_IN_NAME, re.IGNORECASE)
_PART_WORDS = (
    re.compile(_CONTAIN.format("") + rf"\s+{_WORD}(?=[.,;?!)]*(?:\s|$))", re.IGNORECASE),
    re.compile(rf"\b(?:with|ha(?:s|ve|ving))\s+{_WORD}{_IN_NAME}", re.IGNORECASE),
)
_LIMIT = re.compile(r"\b(?:top|first|last|bottom|best|limit(?:ed)?)(?:\s+(?:of|to|the))?\s*$", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:than|least|most|over|under|above|below|exceed(?:s|ing)?|between|up\s+to|older|younger|aged?|maximum"
    r"|minimum|only|exactly|from|within)(?:\s+(?:of|is|the))?\s*$",
    re.IGNORECASE,
)


def is_substring_cue(text: str, start: int, end: int) -> bool:
    """Tell whether `text[start:end]` is said to be contained in a value rather than to be one."""
    before = _BEFORE_PART.search(text, max(0, start - CONTEXT_CHARS), start)
    return before is not None or _AFTER_PART.match(text, end) is not None


def part_words(text: str, schema_words: SchemaWords) -> Iterator[re.Match[str]]:
    """Find single unquoted words, as group `word`, that are said to be contained in a value."""
    for pattern in _PART_WORDS:
        for found in pattern.finditer(text):
            word = found["word"].lower()
            if word == "a" or not (word in STOPWORDS or schema_words.holds(word)):
                yield found


def numeric_role_before(text: str, start: int) -> Literal["limit", "bound"] | None:
    """Tell whether a number is how many rows are wanted, or one end of a range."""
    if _LIMIT.search(text, max(0, start - CONTEXT_CHARS), start):
        return "limit"
    return "bound" if _BOUND.search(text, max(0, start - CONTEXT_CHARS), start) else None
