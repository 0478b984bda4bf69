"""Inflects phrases: singular and plural, articles, verbs that agree with what stands before them, negations.

`[is|are]` inflects with the noun in front; `{}` stands for the far end of a link. Knows no graph and makes no choice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

INTROS = ("that ", "who ", "where ", "in which ", "whose ")
_MARKER = re.compile(r"\[([^|\[\]]*)\|([^|\[\]]*)\]")
AGREED = {"is": "are", "was": "were", "has": "have", "does": "do"}
"""Verbs in the singular, and their plural."""
_WERE = re.compile(r"^((?:that|who) )(were|have)\b")
SUBJECT = re.compile(r"^((?:that|where|(?:\w+ )?(?:which|whom)) \{(?:value)?\} )([a-z]+)")
"""A phrase in which the far end is what does or is something, so that the verb behind agrees with it."""


def inflect(text: str, *, plural: bool) -> str:
    """Choose between singular and plural where a phrase offers both: `[is|are]`."""
    return _MARKER.sub(lambda match: match[2 if plural else 1], text)


def subject_verb_agreement(phrase: str) -> str:
    """Put the verb behind a hole that is its subject into the plural: `that {} takes` gives `that {} take`."""
    return SUBJECT.sub(lambda found: found[1] + _plural_verb(found[2]), phrase)


def _plural_verb(verb: str) -> str:
    if verb in AGREED:
        return AGREED[verb]
    if re.search(r"(ch|sh|ss|x|z|o)es$", verb):
        return verb[:-2]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb.removesuffix("s")


def inflect_number(phrase: str, *, plural: bool) -> str:
    """Inflect a phrase behind a noun; in the singular `that were` and `that have` become `that was` and `that has`."""
    if not plural:
        phrase = _WERE.sub(lambda found: found[1] + {"were": "was", "have": "has"}[found[2]], phrase)
    return inflect(phrase, plural=plural)


def article(text: str) -> str:
    """Put the indefinite article before a noun."""
    start = text.lower()
    vowel = start[:1] in "aeiou" and not start.startswith(("uni", "use", "eu", "one "))
    return ("an " if vowel or start.startswith("hour") else "a ") + text


def join_with_or(marks: Sequence[str]) -> str:
    """Join alternatives."""
    return marks[0] if len(marks) == 1 else ", ".join(marks[:-1]) + " or " + marks[-1]


def split_introducer(text: str) -> tuple[str, str]:
    """Split a phrase into what introduces it (`that`, `where`, `pre`, nothing) and the rest."""
    if text.startswith("pre:"):
        return "pre", text.removeprefix("pre:")
    intro = next((each for each in INTROS if text.startswith(each)), "")
    return intro.strip(), text.removeprefix(intro)


def is_negative(phrase: str) -> bool:
    """Tell whether a phrase denies something already: `that must not be given to {}`."""
    return bool(re.search(r"\b(not|no|never|cannot|without)\b", phrase))


def negate(phrase: str) -> str:
    """Turn a phrase for a link into its negation: `that do not treat {}`; empty if that takes more grammar."""
    intro, body = split_introducer(phrase)
    if is_negative(phrase):
        return ""
    if match := re.match(r"\[[a-z]+\|([a-z]+)\] (.*)", body):
        verb, rest = match[1], match[2]
        if verb in {"are", "were"}:
            return f"{intro} [{'is|are' if verb == 'are' else 'was|were'}] not {rest}"
        if verb == "have":
            return ""
        return f"{intro} [does|do] not {verb} {rest}"
    if match := re.match(r"(was|were|can|may|must) (.*)", body):
        return f"{intro} {match[1]} not {match[2]}"
    return f"not {body}" if not intro and re.match(r"[a-z]+(ed|en|ing) ", body) else ""
