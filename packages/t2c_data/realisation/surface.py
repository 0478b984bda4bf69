"""Surface realisation: values as people write them, parameters numbered by first mention, capitals and punctuation."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from t2c_data.lexicon.morphology import article, number_word, singular_of
from t2c_data.planning.cypher_writer import CONDITION_SEPARATOR, WHERE_DELIMITER
from t2c_data.planning.query_tree import SENTINEL_CLOSE, SENTINEL_OPEN, ValueMention

if TYPE_CHECKING:
    from random import Random

    from t2c_core.schema.model import Scalar

MAX_SPELT_NUMBER = 10
_SENTINEL = re.compile(f"{SENTINEL_OPEN}(\\d+){SENTINEL_CLOSE}")
_COUNTED_NOUN = re.compile(_SENTINEL.pattern + r" ([a-z]+s)\b(?<! has)(?<! is)(?<! was)(?<! does)(?<! as)")
_ARTICLE = re.compile(r"\b([Aa]n?)( )" + _SENTINEL.pattern)
_CONTRACTED = re.compile(r"^(what|who|when|where|how) is\b")
_CONDITIONS = re.compile(f"{WHERE_DELIMITER}([^{WHERE_DELIMITER}]*){WHERE_DELIMITER}")
_INTERROGATIVE = re.compile(
    r"(what|which|how|who|when|is|are|do|does|did|was|were|have|has|can|could|in how|in which)\b"
    r"|.*,? (what|how many|which) ",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RealisedPair:
    """A question and its query."""

    question: str
    cypher: str
    parameters: dict[str, Scalar]


def realise(text: str, cypher: str, mentions: dict[int, ValueMention], rng: Random) -> RealisedPair:
    """Insert the values into a wording and number the parameters.

    Args:
        text: wording with sentinels.
        cypher: query with sentinels.
        mentions: values by the numbers of the sentinels.
        rng: source of random choices of quotes, date formats and capitals.
    """
    order: dict[int, int] = {}
    for found in _SENTINEL.findall(text):
        order.setdefault(int(found), len(order) + 1)
    quote = rng.choices(("'", '"', ""), (5, 2, 3.5))[0]
    if SENTINEL_CLOSE + "'s" in text:
        quote = ""
    formatted = {number: format_value(mentions[number], quote, rng) for number in order}
    text = _COUNTED_NOUN.sub(lambda match: _agree_with_one(match, mentions[int(match[1])]), text)
    text = _ARTICLE.sub(lambda match: _agree_with_value(match, formatted[int(match[3])]), text)
    question = _SENTINEL.sub(lambda match: formatted[int(match[1])], _finish(text, formatted, rng))
    return RealisedPair(
        question,
        number_parameters(cypher, order),
        {f"v{place}": mentions[number].value for number, place in order.items()},
    )


def _agree_with_one(found: re.Match[str], mention: ValueMention) -> str:
    """Put a noun behind the number one into the singular: `1 days` gives `1 day`."""
    if mention.value != 1 or isinstance(mention.value, bool) or mention.kind not in {"count", "number"}:
        return found[0]
    return found[0].removesuffix(found[2]) + singular_of(found[2])


def _agree_with_value(found: re.Match[str], value: str) -> str:
    """Choose the article before a value: `an 'oral' drug`."""
    word = re.match(r"[\w-]+", value.strip("'\""))
    chosen = article(word[0]).partition(" ")[0] if word else found[1]
    return (
        (chosen.capitalize() if found[1][0] == "A" else chosen)
        + found[2]
        + found[0][found.end(2) - found.start() :]
    )


def number_parameters(cypher: str, order: dict[int, int]) -> str:
    """Replace sentinels by `$v1`, `$v2`, ... and sort the conditions by their first parameter.

    Args:
        cypher: query with sentinels.
        order: numbers of the parameters by the numbers of the sentinels.
    """
    numbered = _SENTINEL.sub(lambda match: f"v{order[int(match[1])]}", cypher)

    def first_parameter(condition: str) -> int:
        return min(map(int, re.findall(r"\$v(\d+)", condition)), default=99)

    def sort(found: re.Match[str]) -> str:
        conditions = [each for each in found[1].split(CONDITION_SEPARATOR) if each]
        return " AND ".join(sorted(conditions, key=first_parameter))

    return _CONDITIONS.sub(sort, numbered)


def format_value(mention: ValueMention, quote: str, rng: Random) -> str:
    """Format a value as a person would write it.

    Args:
        mention: value with its kind.
        quote: quotation mark of strings; empty for none.
        rng: source of random choices.
    """
    value = mention.value
    if mention.kind == "month":
        return calendar.month_name[int(value)]
    if mention.kind == "count":
        is_spelt = isinstance(value, int) and value <= MAX_SPELT_NUMBER and rng.random() < 0.15
        return number_word(int(value)) if is_spelt else str(value)
    if mention.kind == "date":
        return _format_date(str(value), quote, rng)
    if mention.kind == "part":
        return f"{quote or chr(39)}{value}{quote or chr(39)}"
    if mention.kind == "string":
        return f"{quote}{value}{quote}" if quote and quote not in str(value) else str(value)
    return f"{value:.15g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)


def _format_date(value: str, quote: str, rng: Random) -> str:
    roll = rng.random()
    if roll < 0.45:
        return f"{quote or chr(39)}{value}{quote or chr(39)}"
    if roll < 0.8:
        return value
    day = date.fromisoformat(value)
    month = calendar.month_name[day.month]
    return f"{month} {day.day}, {day.year}" if roll < 0.9 else f"{day.day} {month} {day.year}"


def _converse(text: str, rng: Random) -> str:
    """Add what people say around a question, sometimes: contractions, requests, `please`."""
    roll = rng.random()
    if roll < 0.08:
        return _CONTRACTED.sub(r"\1's", text, count=1)
    if roll < 0.1 and re.match(r"(list|find|show|get|give|name|count)\b", text):
        return rng.choice(("please {}", "can you {}", "could you {}", "i want you to {}")).format(text)
    if roll < 0.12 and re.match(r"(list|find|show|get|give|name|count|how many|which|what)\b", text):
        return f"{text}{rng.choice((', please', ' please', ', thanks', ' here'))}"
    if roll < 0.13 and re.match(r"(how many|which|what|who|when)\b", text):
        return rng.choice(("tell me {}", "do you know {}", "i would like to know {}", "so {}")).format(text)
    return text


def _finish(text: str, values: dict[int, str], rng: Random) -> str:
    """Normalise whitespace and add capitals and punctuation; values keep theirs.

    Args:
        text: wording with sentinels.
        values: formatted values by the numbers of the sentinels.
        rng: source of random choices.
    """
    text = re.sub(r"\s+", " ", text).replace(" ,", ",").replace(" .", ".").strip()
    text = _converse(text, rng)
    if rng.random() < 0.75:
        text = text[:1].upper() + text[1:]
        text = re.sub(r"(?<!\bno)(?<!\bnos)\. ([a-z])", lambda match: ". " + match[1].upper(), text)
    roll = rng.random()
    if _INTERROGATIVE.match(_SENTINEL.sub(lambda match: values[int(match[1])], text)):
        return text + "?" if roll < 0.8 else text
    return text + "." if roll < 0.6 else text
