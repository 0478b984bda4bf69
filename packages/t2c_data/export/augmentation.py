"""Perturbations of questions as people write them: no quotes, lower case, typing errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from t2c_data.pairs import Pair

_KEYS = dict(
    pair.split(":")
    for pair in """
    a:sq b:vn c:xv d:sf e:wr f:dg g:fh h:gj i:uo j:hk k:jl l:k m:n n:bm o:ip p:o q:w r:et s:ad t:ry
    u:yi v:cb w:qe x:zc y:tu z:x
    """.split()
)
"""Keys beside each key of the keyboard."""


def perturb(pair: Pair, rng: Random) -> tuple[str, str]:
    """Return a perturbed question and the kind of perturbation."""
    kind = rng.choices(("unquoted", "lower", "both", "typo", "both typo"), (3, 2, 3, 1.2, 0.8))[0]
    text = pair.question
    if kind in {"unquoted", "both", "both typo"}:
        text = unquote(text, pair)
    if kind in {"typo", "both typo"}:
        text = add_typos(text, pair, rng)
    if kind in {"lower", "both", "both typo"}:
        text = text.lower()
    return text, kind


def unquote(text: str, pair: Pair) -> str:
    """Remove the quotes around every value."""
    for value in sorted(map(str, pair.parameters.values()), key=len, reverse=True):
        for quote in ("'", '"'):
            text = text.replace(f"{quote}{value}{quote}", value)
    return text


def add_typos(text: str, pair: Pair, rng: Random) -> str:
    """Misspell one or two words that are not part of a value."""
    values = " ".join(map(str, pair.parameters.values())).casefold()
    words = [match for match in re.finditer(r"[A-Za-z]{5,}", text) if match[0].casefold() not in values]
    for match in sorted(
        rng.sample(words, min(len(words), rng.choice((1, 1, 2)))), key=lambda each: -each.start()
    ):
        text = text[: match.start()] + typo(match[0], rng) + text[match.end() :]
    return text


def typo(word: str, rng: Random) -> str:
    """Swap, drop, double or replace one letter of a word that is not the first."""
    place = rng.randrange(1, len(word) - 1)
    kind = rng.choice(("swap", "drop", "double", "replace"))
    if kind == "swap":
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if kind == "drop":
        return word[:place] + word[place + 1 :]
    if kind == "double":
        return word[:place] + word[place] + word[place:]
    return word[:place] + rng.choice(_KEYS.get(word[place].lower(), "e")) + word[place + 1 :]
