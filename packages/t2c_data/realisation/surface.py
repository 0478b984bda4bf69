"""Writes a draft out: mentions as people write them, parameters numbered in their order, sentences finished."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from t2c_data.lexicon.draft import singular_of
from t2c_data.planning.query_tree import MARK_CLOSE, MARK_OPEN, ValueMention

if TYPE_CHECKING:
    from random import Random

    from t2c_core.schema.model import Scalar

_MARK = re.compile(f"{MARK_OPEN}(\\d+){MARK_CLOSE}")
_COUNTED = re.compile(
    f"{MARK_OPEN}(\\d+){MARK_CLOSE} ([a-z]+s)\\b(?<! has)(?<! is)(?<! was)(?<! does)(?<! as)"
)
_WHERE = re.compile("\ue003([^\ue003]*)\ue003")
MONTHS = tuple(date(2000, number, 1).strftime("%B") for number in range(1, 13))
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ASKING = re.compile(
    r"(what|which|how|who|when|is|are|do|does|did|was|were|have|has|can|could|in how|in which)\b"
    r"|.*,? (what|how many|which) ",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RealisedPair:
    """A question and the query that it means."""

    question: str
    cypher: str
    parameters: dict[str, Scalar]


def realise(text: str, cypher: str, mentions: dict[int, ValueMention], rng: Random) -> RealisedPair:
    """Write out a wording and number its parameters.

    Args:
        text: wording with marks.
        cypher: query with marks.
        mentions: what the marks stand for.
        rng: chooses quotes, dates and capitals.
    """
    order: dict[int, int] = {}
    for found in _MARK.findall(text):
        order.setdefault(int(found), len(order) + 1)
    quote = rng.choices(("'", '"', ""), (5, 2, 3.5))[0]
    spelt = {number: format_value(mentions[number], quote, rng) for number in order}
    text = _COUNTED.sub(lambda match: _of_one(match, mentions[int(match[1])]), text)
    question = _MARK.sub(lambda match: spelt[int(match[1])], text)
    return RealisedPair(
        _finish(question, rng),
        number_parameters(cypher, order),
        {f"v{place}": mentions[number].value for number, place in order.items()},
    )


def _of_one(found: re.Match[str], mention: ValueMention) -> str:
    """Put the noun behind a one into the singular: `1 days` gives `1 day`."""
    if mention.value != 1 or isinstance(mention.value, bool) or mention.kind not in {"count", "number"}:
        return found[0]
    return found[0].removesuffix(found[2]) + singular_of(found[2])


def number_parameters(cypher: str, order: dict[int, int]) -> str:
    """Replace marks by `$v1`, ... and put conditions into the order of their parameters."""
    numbered = _MARK.sub(lambda match: f"v{order[int(match[1])]}", cypher)

    def conditions(found: re.Match[str]) -> str:
        parts = [part for part in found[1].split("\ue002") if part]
        return " AND ".join(sorted(parts, key=_first))

    return _WHERE.sub(conditions, numbered)


def _first(condition: str) -> int:
    numbers = [int(each) for each in re.findall(r"\$v(\d+)", condition)]
    return min(numbers, default=99)


def format_value(mention: ValueMention, quote: str, rng: Random) -> str:
    """Write a mention as a person would."""
    spell = _SPELLINGS.get(mention.kind, _plain)
    return spell(mention.value, quote, rng)


def _month(value: Scalar, quote: str, rng: Random) -> str:  # noqa: ARG001
    return MONTHS[int(value) - 1]


def _count(value: Scalar, quote: str, rng: Random) -> str:  # noqa: ARG001
    spelt = isinstance(value, int) and value < len(WORDS) and rng.random() < 0.15
    return WORDS[int(value)] if spelt else str(value)


def _part(value: Scalar, quote: str, rng: Random) -> str:  # noqa: ARG001
    mark = quote or "'"
    return f"{mark}{value}{mark}"


def _string(value: Scalar, quote: str, rng: Random) -> str:  # noqa: ARG001
    text = str(value)
    return f"{quote}{text}{quote}" if quote and quote not in text else text


def _plain(value: Scalar, quote: str, rng: Random) -> str:  # noqa: ARG001
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)


def _date(value: Scalar, quote: str, rng: Random) -> str:
    roll = rng.random()
    if roll < 0.45:
        return _part(value, quote, rng)
    if roll < 0.8:
        return str(value)
    day = date.fromisoformat(str(value))
    month = MONTHS[day.month - 1]
    return f"{month} {day.day}, {day.year}" if roll < 0.9 else f"{day.day} {month} {day.year}"


_SPELLINGS = {"month": _month, "date": _date, "count": _count, "part": _part, "string": _string}


def _finish(text: str, rng: Random) -> str:
    text = re.sub(r"\s+", " ", text).replace(" ,", ",").replace(" .", ".").strip()
    if rng.random() < 0.75:
        text = text[:1].upper() + text[1:]
        text = re.sub(r"(?<!\bno)(?<!\bnos)\. ([a-z])", lambda match: ". " + match[1].upper(), text)
    roll = rng.random()
    if _ASKING.match(text):
        return text + "?" if roll < 0.8 else text
    return text + "." if roll < 0.6 else text
