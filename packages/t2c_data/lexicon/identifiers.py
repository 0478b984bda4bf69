"""Identifiers in words: `reportDate` is "report date", `NHS_NO` is "NHS number", `isbn13` is "ISBN 13".

Abbreviations that people write out are expanded, others stay as they are, and parts written together (`birthdate`) are
separated. Which words exist is known from lemminflect's lexicon and the general vocabulary.
"""

from __future__ import annotations

import re
from functools import cache

from t2c_data.lexicon.general_vocabulary import vocabulary

MIN_WORD_LETTERS = 4
"""An unknown word of fewer letters is an abbreviation."""
MIN_INFLECTED_LETTERS = 5
"""An unknown word of fewer letters has no plural."""
_ATTRIBUTES = frozenset(
    "name date number code time type year count address title status price amount size level group id key".split()
)
"""Words that are often written together with the one in front: `birthdate`, `zipcode`, `customerid`."""
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^0-9A-Za-z\u00c0-\uffff]+")
_NUMBERED = re.compile(r"([a-z]{3,})(\d+)")


@cache
def split_identifier(name: str) -> str:
    """Split an identifier into words, in lower case except abbreviations: `reportDate` gives `report date`."""
    parts = [part for part in _SEPARATORS.split(_BOUNDARY.sub(" ", name)) if part]
    is_cased = any(each.islower() for each in name)
    words = [
        word
        for position, part in enumerate(parts)
        for word in _words(part, is_cased=is_cased, behind=parts[position + 1 : position + 2])
    ]
    return " ".join(words) or name


def is_word(word: str) -> bool:
    """Return whether a word in lower case is in the dictionary."""
    known = vocabulary()
    return bool(lemmas_of(word)) or word in known.words or word in known.function_words


def is_inflected(word: str) -> bool:
    """Return whether a noun has a plural: no abbreviation, number or word of another language has."""
    if not (word.isascii() and word.isalpha() and word.islower()) or word in vocabulary().function_words:
        return False
    return is_word(word) or (len(word) >= MIN_INFLECTED_LETTERS and bool(re.search("[aeiouy]", word)))


@cache
def lemmas_of(word: str) -> dict[str, tuple[str, ...]]:
    """Return the lemmas of a word by part of speech; empty if it is no word."""
    import lemminflect

    found: dict[str, tuple[str, ...]] = lemminflect.getAllLemmas(word)
    return found


def _words(part: str, *, is_cased: bool, behind: list[str]) -> list[str]:
    """Return the words of a part of an identifier.

    Args:
        part: part, as written.
        is_cased: whether the identifier has small letters, so that capitals mean something.
        behind: the part behind, if any.
    """
    known = vocabulary()
    word = part.lower()
    if numbered := _NUMBERED.fullmatch(word):
        return [*_words(numbered[1], is_cased=False, behind=[]), numbered[2]]
    if not word.isascii() or word in known.units or _is_written_out(word, behind):
        return [word]
    if word in known.abbreviations or word in known.acronyms:
        return [known.abbreviations.get(word, word.upper())]
    is_emphasized = is_cased and part.isupper() and len(word) > 1
    if is_word(word) and not (is_emphasized and len(word) < MIN_WORD_LETTERS):
        return [word]
    is_abbreviated = is_emphasized or _is_abbreviation(word)
    return (not is_emphasized and _separated(word)) or [word.upper() if is_abbreviated else word]


def _is_written_out(word: str, behind: list[str]) -> bool:
    """Return whether what may be an abbreviation is none here: `no show`, `temperature min`."""
    if word == "no":
        return bool(behind) and behind[0].lower() != "of"
    return word in {"min", "max"} and not behind


def _is_abbreviation(word: str) -> bool:
    return len(word) > 1 and (
        len(word) < MIN_WORD_LETTERS or not re.search("[aeiouy]", word) or bool(re.search(r"\d", word))
    )


def _separated(word: str) -> list[str]:
    """Separate two words written together."""
    for last in _ATTRIBUTES:
        first = word.removesuffix(last)
        if first != word and len(first) >= 3 and (is_word(first) or first in vocabulary().abbreviations):
            return [*_words(first, is_cased=False, behind=[]), *_words(last, is_cased=False, behind=[])]
    return []
