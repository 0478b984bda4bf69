"""Inflection of nouns and phrases: articles, plurals, subject-verb agreement, negation.

In phrases, `[is|are]` inflects with the noun in front and `{}` stands for the far end of a relationship.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import inflect

from t2c_data.lexicon.identifiers import is_inflected, lemmas_of

if TYPE_CHECKING:
    from collections.abc import Sequence

INTRODUCERS = ("that ", "who ", "where ", "in which ", "whose ")
PLURAL_VERBS = {"is": "are", "was": "were", "has": "have", "does": "do"}
"""Irregular plurals by singular."""
COUNTED_ABBREVIATIONS = frozenset(
    {"ID", "URL", "URI", "UUID", "ISBN", "ISSN", "SKU", "GP", "VIP", "KPI", "PC", "CD", "DVD"}
)
"""Abbreviations that have a plural; others stay as they are."""
_COUNTED_HEADS = frozenset({"number", "date"})
"""Nouns with a participle behind them: `number killed`, `date created`."""
FAR_END_SUBJECT = re.compile(r"^((?:that|where|(?:\w+ )?(?:which|whom)) \{(?:value)?\} )([a-z]+)")
"""A phrase whose subject is the far end, so that the verb behind agrees with it."""
_ENGINE = inflect.engine()
_ALTERNATIVE = re.compile(r"\[([^|\[\]]*)\|([^|\[\]]*)\]")
_PLURAL_CLAUSE = re.compile(r"^((?:that|who) )(were|have)\b")


def article(noun: str) -> str:
    """Put the indefinite article before a noun phrase."""
    return f"{_article(noun.partition(' ')[0])} {noun}"


@cache
def _article(word: str) -> str:
    return _ENGINE.a(word).partition(" ")[0] if word else "a"


@cache
def plural_of(noun: str) -> str:
    """Return the plural of a noun phrase; its head is inflected: `dates of birth`."""
    head, preposition, rest = noun, "", ""
    if match := re.search(r" (of|by|in|for|on|at|to|with|from|per) ", noun):
        head, preposition, rest = noun[: match.start()], match[0], noun[match.end() :]
    words = head.split(" ")
    last = words[-1]
    if last in COUNTED_ABBREVIATIONS:
        words[-1] = f"{last}s"
    elif not is_inflected(last) or _is_plural(last):
        pass
    elif _is_noun(last):
        words[-1] = str(_ENGINE.plural_noun(last))
    elif len(words) > 1 and words[0] in _COUNTED_HEADS:
        words[0] = str(_ENGINE.plural_noun(words[0]))
    return " ".join(words) + preposition + rest


def singular_of(noun: str) -> str:
    """Return the singular of a noun; the noun itself if it is one."""
    return str(_ENGINE.singular_noun(noun) or noun) if _is_plural(noun.rpartition(" ")[2]) else noun


def _is_plural(word: str) -> bool:
    """Return whether a word is a plural; `status`, `series` and `diagnosis` are none."""
    if word.endswith(("ss", "us", "is")) or not _ENGINE.singular_noun(word):
        return False
    return not word.endswith("s") or word not in lemmas_of(word).get("NOUN", ())


def _is_noun(word: str) -> bool:
    """Return whether a word can be a noun; a word that the dictionary lacks may be one."""
    kinds = lemmas_of(word)
    return not kinds or not kinds.keys().isdisjoint({"NOUN", "PROPN"})


def number_word(number: int) -> str:
    """Spell a number: `seven`."""
    return str(_ENGINE.number_to_words(str(number)))


def inflect_alternatives(text: str, *, plural: bool) -> str:
    """Resolve `[singular|plural]` alternatives."""
    return _ALTERNATIVE.sub(lambda match: match[2 if plural else 1], text)


def inflect_number(phrase: str, *, plural: bool) -> str:
    """Inflect a phrase behind a noun; in the singular, `that were` and `that have` become `that was` and `that has`."""
    if not plural:
        phrase = _PLURAL_CLAUSE.sub(lambda found: found[1] + {"were": "was", "have": "has"}[found[2]], phrase)
    return inflect_alternatives(phrase, plural=plural)


def subject_verb_agreement(phrase: str) -> str:
    """Put the verb behind a far end that is its subject into the plural: `that {} takes` gives `that {} take`."""
    return FAR_END_SUBJECT.sub(lambda found: found[1] + plural_verb(found[2]), phrase)


def plural_verb(verb: str) -> str:
    """Return the plural of a verb in the third person singular."""
    if verb in PLURAL_VERBS:
        return PLURAL_VERBS[verb]
    if re.search(r"(ch|sh|ss|x|z|o)es$", verb):
        return verb[:-2]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb.removesuffix("s")


def join_with_or(items: Sequence[str]) -> str:
    """Join alternatives: `A, B or C`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " or " + items[-1]


def split_introducer(phrase: str) -> tuple[str, str]:
    """Split a phrase into its introducer (`that`, `where`, ..., `pre` or none) and the rest."""
    if phrase.startswith("pre:"):
        return "pre", phrase.removeprefix("pre:")
    introducer = next((each for each in INTRODUCERS if phrase.startswith(each)), "")
    return introducer.strip(), phrase.removeprefix(introducer)


def is_negative(phrase: str) -> bool:
    """Return whether a phrase contains a negation: `that must not be given to {}`."""
    return bool(re.search(r"\b(not|no|never|cannot|without)\b", phrase))


def negate(phrase: str) -> str:
    """Negate a relationship phrase: `that do not treat {}`; return an empty text if the phrase is not supported."""
    introducer, body = split_introducer(phrase)
    if is_negative(phrase):
        return ""
    if match := re.match(r"\[[a-z]+\|([a-z]+)\] (.*)", body):
        verb, rest = match[1], match[2]
        if verb in {"are", "were"}:
            return f"{introducer} [{'is|are' if verb == 'are' else 'was|were'}] not {rest}"
        return "" if verb == "have" else f"{introducer} [does|do] not {verb} {rest}"
    if match := re.match(r"(was|were|can|may|must) (.*)", body):
        return f"{introducer} {match[1]} not {match[2]}"
    return f"not {body}" if not introducer and re.match(r"[a-z]+(ed|en|ing) ", body) else ""
