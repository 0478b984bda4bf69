"""Words of a text, the normalized form under which values are compared, and variants of that form."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_APOSTROPHES = "'\u2019\u02bc\u0060\u00b4"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Characters of scripts in which words are not separated by spaces.

Each is a word, and the value index shows which of them belong together.
"""
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(
    rf"[{_UNSPACED}]|%|[^\W_{_UNSPACED}]+(?:[{_APOSTROPHES}][^\W_{_UNSPACED}]+)*(?:[+#]+(?!\w))?"
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
    | dict.fromkeys(_APOSTROPHES)
)

_HEAD = re.compile(r"(?P<head>[^\W\d_].*?)(?:\s*[(\[]|\s+[-–—]\s|:\s).")
_ARTICLE = re.compile(r"(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_PATH = re.compile(r"(?:[\w$-]+(?:\.|::|#)){2,}(?P<last>[^\W\d][\w$-]*)")
_BRACKETS = re.compile(r"[(\[]([^()\[\]]+)[)\]]")
_NAMES = re.compile(
    r"(?P<last>[^\W\d_]+(?:[\s-][^\W\d_]+){0,2}),\s+(?P<first>[^\W\d_]+\.?(?:[\s-][^\W\d_]+\.?){0,2})"
)
MIN_ALIAS_LENGTH = 4

MIN_INFLECTED_LENGTH = 4
MIN_DERIVED_LENGTH = 7
GENDERS = {
    "male": ("m",), "males": ("m",), "man": ("m", "male"), "men": ("m", "male"),
    "female": ("f",), "females": ("f",), "woman": ("f", "female"), "women": ("f", "female"),
}  # fmt: skip
_INFLECTIONS = {"ies": ("y", "ie"), "es": ("e", ""), "s": ("", "ses"), "ly": ("",)}
_DERIVATIONS = {
    "icians": ("ics", "y"), "ician": ("ics", "y"), "ists": ("y", "ics"), "ist": ("y", "ics"),
    "tics": ("", "sis", "sy", "s"), "tic": ("", "sis", "sy", "s"), "ics": ("es", "is", "ia", "y"),
    "ic": ("es", "is", "ia", "y"), "ives": ("ion",), "ive": ("ion",), "ed": ("ion",),
}  # fmt: skip
"""Suffixes of derived words and those of their bases: cardiologist of Cardiology, asthmatic of Asthma."""

_STEM_SUFFIXES = ("ings", "ing", "ies", "ied", "es", "ed", "s", "e", "y")
_MIN_STEM_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: `text[start:end]` and its normalized form."""

    start: int
    end: int
    folded: str


def words(text: str) -> list[Word]:
    """Split a text into words at whitespace and punctuation; each ideograph, or letter of Thai or the like, is one."""
    return [Word(found.start(), found.end(), _fold_word(found[0])) for found in _WORD.finditer(text)]


def fold(text: str) -> str:
    """Return the form of a text that ignores case, accents, punctuation and whitespace.

    The form is the normalized words of `words(text)`, joined by spaces, so that consecutive words of a question can be
    looked up. A text without words becomes lower case.
    """
    return " ".join([_fold_word(each) for each in _WORD.findall(text)]) or text.casefold().strip()


def is_unspaced(words: Sequence[str]) -> bool:
    """Return whether words are single characters of a script without spaces, so that two of them may be a name."""
    return all(_IS_UNSPACED.match(each) for each in words)


def aliases(text: str) -> list[str]:
    """Return the normalized parts of a value that people use as its name.

    These are the text before brackets, a dash or a colon, brackets with two or more words, `First Last` of
    `Last, First`, the text after an article, and the last name of a path such as `shop.tax.VatManager`.
    """
    found: list[str] = []
    head = _HEAD.match(text)
    if head:
        found.append(fold(head["head"]))
    found += [form for form in map(fold, _BRACKETS.findall(text)) if " " in form]
    path = _PATH.fullmatch(text)
    if path:
        found.append(fold(path["last"]))
    article = _ARTICLE.match(text)
    if article:
        found.append(fold(text[article.end() :]))
    names = _NAMES.fullmatch(text)
    if names:
        found.append(fold(f"{names['first']} {names['last']}"))
    whole = fold(text)
    return [each for each in dict.fromkeys(found) if len(each) >= MIN_ALIAS_LENGTH and each != whole]


def word_forms(form: str) -> tuple[str, ...]:
    """Return other forms of the last word: plural, singular, adjective of an adverb, base of a derived word.

    The forms need not be words; the value index shows which of them occur. Words for a gender give its letter.
    """
    start, space, last = form.rpartition(" ")
    return tuple(f"{start}{space}{each}" for each in _forms_of_word(last))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Remove plural and verb suffixes of a normalized word; the result is for comparison with other stems."""
    for suffix in _STEM_SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _MIN_STEM_LENGTH:
            return word[: -len(suffix)]
    return word


@lru_cache(maxsize=65_536)
def _fold_word(word: str) -> str:
    if word.isascii():
        return word.lower().translate(_LETTERS)
    plain = word.casefold().translate(_LETTERS) or word
    parts = [each for each in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(each)]
    bare = "".join(parts).casefold().translate(_LETTERS)
    return bare if bare.rstrip("+#").isalnum() else plain


@lru_cache(maxsize=65_536)
def _forms_of_word(word: str) -> tuple[str, ...]:
    if word in GENDERS or len(word) < MIN_INFLECTED_LENGTH:
        return GENDERS.get(word, ())
    derived = _replace_suffixes(word, _DERIVATIONS) if len(word) >= MIN_DERIVED_LENGTH else ()
    for suffix, others in _INFLECTIONS.items():
        if word.endswith(suffix):
            return (*(word.removesuffix(suffix) + each for each in others), *derived)
    return (*derived, word + "s", word + "es") if word[-1].isalpha() else ()


def _replace_suffixes(word: str, suffixes: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        word.removesuffix(suffix) + each
        for suffix, others in suffixes.items()
        if word.endswith(suffix)
        for each in others
    )
