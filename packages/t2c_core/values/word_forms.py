"""Other endings that a word may have as a value: singular, adverb, and the name that a word is made from."""

from __future__ import annotations

from functools import lru_cache

MIN_ENDING = 4
MIN_DERIVED = 7

GENDERS = {
    "male": ("m",), "males": ("m",), "man": ("m", "male"), "men": ("m", "male"),
    "female": ("f",), "females": ("f",), "woman": ("f", "female"), "women": ("f", "female"),
}  # fmt: skip
_ENDINGS = {"ies": ("y", "ie"), "es": ("e", ""), "s": ("", "ses"), "ly": ("",)}
_DERIVED = {
    "icians": ("ics", "y"), "ician": ("ics", "y"), "ists": ("y", "ics"), "ist": ("y", "ics"),
    "tics": ("", "sis", "sy", "s"), "tic": ("", "sis", "sy", "s"), "ics": ("es", "is", "ia", "y"),
    "ic": ("es", "is", "ia", "y"), "ives": ("ion",), "ive": ("ion",), "ed": ("ion",),
}  # fmt: skip
"""Endings of words made from a name: a cardiologist's is Cardiology, an asthmatic's is Asthma."""


def other_endings(form: str) -> tuple[str, ...]:
    """Give other endings of the last word: plural, singular, adjective for adverb; letters for genders."""
    start, blank, last = form.rpartition(" ")
    return tuple(f"{start}{blank}{each}" for each in _of_word(last)) if blank else _of_word(form)


@lru_cache(maxsize=65_536)
def _of_word(word: str) -> tuple[str, ...]:
    if word in GENDERS or len(word) < MIN_ENDING:
        return GENDERS.get(word, ())
    derived = _derived(word) if len(word) >= MIN_DERIVED else ()
    for ending, others in _ENDINGS.items():
        if word.endswith(ending):
            return (*(word.removesuffix(ending) + each for each in others), *derived)
    return (*derived, word + "s", word + "es") if word[-1].isalpha() else ()


def _derived(word: str) -> tuple[str, ...]:
    return tuple(
        word.removesuffix(ending) + each
        for ending, others in _DERIVED.items()
        if word.endswith(ending)
        for each in others
    )
