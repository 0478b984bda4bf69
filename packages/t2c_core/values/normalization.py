"""Words of a text with their places, and the folded form under which values are compared.

Holds no knowledge of any graph (see `index`) and none of numbers or dates (see `literals`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_APOSTROPHES = "'\u2019\u02bc\u0060\u00b4"
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(
    rf"[{_IDEOGRAPHS}]|%|[^\W_{_IDEOGRAPHS}]+(?:[{_APOSTROPHES}][^\W_{_IDEOGRAPHS}]+)*(?:[+#]+(?!\w))?"
)
_HEAD = re.compile(r"(?P<head>[^\W\d_].*?)(?:\s*[(\[]|\s+[-–—]\s|:\s).")
_ARTICLE = re.compile(r"(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
_NAMES = re.compile(
    r"(?P<last>[^\W\d_]+(?:[\s-][^\W\d_]+){0,2}),\s+(?P<first>[^\W\d_]+\.?(?:[\s-][^\W\d_]+\.?){0,2})"
)
MIN_SHORT_FORM = 4

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    | dict.fromkeys(_APOSTROPHES)
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: `text[start:end]` and its folded form."""

    start: int
    end: int
    folded: str


def words(text: str) -> list[Word]:
    """Cut a text into words; punctuation and blanks only separate, ideographs stand alone."""
    return [Word(found.start(), found.end(), _fold_word(found[0])) for found in _WORD.finditer(text)]


def fold(text: str) -> str:
    """Bring a text to the form under which case, accents, punctuation and blanks make no difference.

    The folded form is the folded words of `words(text)` joined by blanks, so that a run of words of a
    question can be looked up as it stands. A text without any word folds to itself in lower case.
    """
    return " ".join([_fold_word(each) for each in _WORD.findall(text)]) or text.casefold().strip()


def aliases(text: str) -> list[str]:
    """Give the folded forms of parts that people call a value by.

    What stands before brackets, a dash or a colon; brackets of two words and more; `First Last` of
    `Last, First`; what follows an article.
    """
    found: list[str] = []
    head = _HEAD.match(text)
    if head:
        found.append(fold(head["head"]))
    found += [form for form in map(fold, _BRACKETS.findall(text)) if " " in form]
    article = _ARTICLE.match(text)
    if article:
        found.append(fold(text[article.end() :]))
    names = _NAMES.fullmatch(text)
    if names:
        found.append(fold(f"{names['first']} {names['last']}"))
    whole = fold(text)
    return [each for each in dict.fromkeys(found) if len(each) >= MIN_SHORT_FORM and each != whole]


@lru_cache(maxsize=65_536)
def _fold_word(word: str) -> str:
    if word.isascii():
        return word.lower().translate(_LETTERS)
    plain = word.casefold().translate(_LETTERS) or word
    parts = [each for each in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(each)]
    bare = "".join(parts).casefold().translate(_LETTERS)
    return bare if bare.rstrip("+#").isalnum() else plain
