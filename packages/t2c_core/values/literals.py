"""Numbers, dates, years, months and quotations in a question, recognised from the text alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from t2c_core.values.locales import FORMS, Locale, WrittenForms
from t2c_core.values.normalization import Word, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.schema.model import Scalar

LiteralKind = Literal["number", "date", "year", "month"]

MAX_QUOTED = 300
"""Maximum number of characters between quotes."""
FIRST_YEAR, LAST_YEAR = 1900, 2100


@dataclass(frozen=True, slots=True)
class LiteralMention:
    """A literal in a text: `text[start:end]` and its value.

    A unit or percent sign after a number is not part of the mention.
    """

    start: int
    end: int
    kind: LiteralKind
    value: Scalar
    """A number, a date or time in ISO 8601, a year, or a month from 1 to 12."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """A quoted part of a text: `text[start:end]` with its quotes, and its content without."""

    start: int
    end: int
    content: str
    inside_word: bool = False
    """Whether a letter follows the closing quote, as in `'MEMBER's`."""


_MISTAKABLE_MONTHS = frozenset({"march", "sept", "mars", "août", "aout", "mayo", "janv", "juin"})
"""Names of more than three letters that are other words as well."""
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|er)?"
_YEAR = r"(?P<year>\d{4})"
_CLOCK = r"(?:(?:T|\s+(?:at\s+)?)(?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?))?"
_AFTER_MONTH = re.compile(
    r",?\s+(?:of\s+|de\s+)?(?:the\s+year\s+)?\d{4}\b|\s+\d{1,2}(?:st|nd|rd|th)?\b", re.IGNORECASE
)
_BEFORE_MONTH = re.compile(
    r"\b(?:in|of|during|since|until|till|before|after|from|by|through|between|every|each|im|seit|bis|vor|nach|ab|en|de|du"
    r"|depuis|avant|apr\u00e8s|desde|hasta)\s+$",
    re.IGNORECASE,
)

_UNITS = (
    r"mc?g|[uµμ]g|k?g|lbs?|oz|[cdm]?l|[mck]?m|mi|ft|secs?|mins?|h(?:rs?)?|wks?|mos?|y(?:rs?)?|px|[kmgt]b|"
    r"[kmg]?hz|[km]?w|k?v|usd|eur|gbp|iu|[ap]m|x"
)
_SCALES = {
    "k": 10**3, "thousand": 10**3, "million": 10**6, "mio": 10**6, "billion": 10**9, "bn": 10**9,
}  # fmt: skip
_DIGITS = {
    ".": r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+",
    ",": r"\d{1,3}(?:[{groups}]\d{3})+(?:,\d+)?(?![.,]?\d)|\d+(?:,\d+)?(?:e[+-]?\d+)?|,\d+",
}
"""Numbers by their decimal separator; `{groups}` stands for the separators of thousands."""
_BEHIND_NUMBER = (
    r"(?:(?P<scale>\s?(?:thousand|million|billion|bn|mio)|k)\b"
    rf"|(?=(?:{_UNITS})\b)|(?P<decade>)(?='?s\b)|(?!\w|[./]\d))"
)


class _Patterns:
    """Patterns of the written forms of one locale."""

    def __init__(self, forms: WrittenForms) -> None:
        self.forms = forms
        names = sorted(forms.months, key=len, reverse=True)
        self.certain_months = {name for name in names if len(name) > 3} - _MISTAKABLE_MONTHS
        month = rf"(?P<month>{'|'.join(names)})\b\.?"
        self.dates = tuple(
            re.compile(rf"(?<![\w/.-]){pattern}(?![\w/]|[.-]\d)", re.IGNORECASE)
            for pattern in (
                r"(?P<year>\d{4})-(?P<number>\d{1,2})-(?P<day>\d{1,2})" + _CLOCK,
                r"(?P<year>\d{4})(?P<mark>[/.])(?P<number>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
                r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})",
                rf"{_DAY}\.?(?:\s+(?:of|de))?[\s-]+{month},?(?:\s+de)?[\s-]+{_YEAR}",
                rf"{month}[\s-]+{_DAY},?[\s-]+{_YEAR}",
                rf"{_YEAR},?[\s-]+{month}[\s-]+{_DAY}",
            )
        )
        self.any_month = re.compile(rf"(?<![\w-]){month}(?!\w)", re.IGNORECASE)
        digits = _DIGITS[forms.decimal].replace("{groups}", re.escape(forms.groups))
        points = ".," if forms.decimal == "," else "."
        self.number = re.compile(
            rf"(?<![\w/{points}])(?<![\w)][-–—])(?P<sign>[-−](?=[{points}]?\d))?(?P<digits>{digits}){_BEHIND_NUMBER}",
            re.IGNORECASE,
        )
        self.range_end = re.compile(
            rf"(?<=\d)[-–—](?P<digits>\d+(?:{re.escape(forms.decimal)}\d+)?)(?!\w|[./-]\d)"
        )


@lru_cache
def _patterns(locale: Locale) -> _Patterns:
    return _Patterns(FORMS[locale])


_INSIDE = re.compile(r"(?!s\b)\w")
_OPENING = {"'": "'", '"': '"', "`": "`", "‘": "’", "“": "”", "«": "»", "„": "“”", "‹": "›"}

_SMALL_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_SMALL = _SMALL_UNITS | _TENS
_LARGE = {"hundred": 100, "dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_NUMBERS = _SMALL.keys() | _LARGE.keys()
_AMBIGUOUS = frozenset({"one", *_TIMES})
"""Words that are numbers only after "at least" and similar words, or before "or more"."""
_COUNTING = frozenset(
    """
    least most than exactly only just over under above below top within equals equal precisely to
    """.split()
)


def find_literals(text: str, locale: Locale = "en") -> list[LiteralMention]:
    """Return the numbers, dates, years and months of a text, in order and without overlap.

    `7/1/2021` is month first in the locale `en` and day first in others, unless only the other order is a date;
    `1.7.2021` is day first.

    Args:
        text: a question.
        locale: how numbers and dates are written in it; those of English are read in all of them.
    """
    patterns = _patterns(locale)
    found: list[LiteralMention] = []
    taken = bytearray(len(text))
    for find in (_dates, _months, _digits, _number_words):
        for each in find(text, patterns):
            if not any(taken[each.start : each.end]):
                taken[each.start : each.end] = b"x" * (each.end - each.start)
                found.append(each)
    return sorted(found, key=lambda each: each.start)


def find_quotations(text: str) -> list[list[Quotation]]:
    """Return the quoted parts of a text, in order; each with its possible ends, nearest first.

    A single quote opens only after whitespace or punctuation and closes only before them, so that an apostrophe within
    a word is no quote. `'the patients' disease'` still has two possible ends.
    """
    found: list[list[Quotation]] = []
    position = 0
    while position < len(text):
        closing = _OPENING.get(text[position])
        if closing is None or not _opens(text, position):
            position += 1
            continue
        ends = list(_closings(text, position, closing))
        if ends:
            found.append([_quotation(text, position, end) for end in ends])
        position = ends[0] + 1 if ends else position + 1
    return found


def _quotation(text: str, opening: int, closing: int) -> Quotation:
    inside_word = text[closing + 1 : closing + 2].isalnum()
    return Quotation(opening, closing + 1, text[opening + 1 : closing].strip(), inside_word)


def _opens(text: str, position: int) -> bool:
    before = text[position - 1] if position else " "
    after = text[position + 1 : position + 2]
    return not before.isalnum() and bool(after.strip())


def _closings(text: str, opening: int, closing: str) -> Iterator[int]:
    for position in range(opening + 2, min(len(text), opening + MAX_QUOTED)):
        if text[position] in closing:
            if not _INSIDE.match(text, position + 1) or closing not in "'’":
                yield position
                if closing not in "'’":
                    return
        elif text[position] == text[opening] and _opens(text, position) and text[position - 1].isspace():
            return


def _dates(text: str, patterns: _Patterns) -> Iterator[LiteralMention]:
    for pattern in patterns.dates:
        for found in pattern.finditer(text):
            day = _parse_date(found.groupdict(), patterns.forms)
            if day is not None:
                clock = found.groupdict().get("clock")
                value = f"{day}T{clock}" if clock else day
                yield LiteralMention(found.start(), found.end(), "date", value)


def _parse_date(parts: dict[str, str | None], forms: WrittenForms) -> str | None:
    year = int(parts["year"] or 0)
    if year < 100:
        year += 2000 if year < 70 else 1900
    if parts.get("first"):
        first, second = int(parts["first"] or 0), int(parts["second"] or 0)
        orders = [(first, second), (second, first)]
        if parts["mark"] == "." or forms.day_first:
            orders.reverse()
    else:
        name = parts.get("month")
        month = forms.months[name.lower()] if name else int(parts["number"] or 0)
        orders = [(month, int(parts["day"] or 0))]
    for month, day in orders:
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            continue
    return None


def _months(text: str, patterns: _Patterns) -> Iterator[LiteralMention]:
    for found in patterns.any_month.finditer(text):
        name = found["month"]
        certain = (
            name.lower() in patterns.certain_months
            or _AFTER_MONTH.match(text, found.end())
            or (
                _BEFORE_MONTH.search(text, 0, found.start())
                and (name.lower() != "march" or name[0].isupper())
            )
        )
        if certain:
            end = found.start() + len(name)
            yield LiteralMention(found.start(), end, "month", patterns.forms.months[name.lower()])


def _digits(text: str, patterns: _Patterns) -> Iterator[LiteralMention]:
    position = 0
    while found := patterns.number.search(text, position):
        digits, scale = found["digits"], (found["scale"] or "").strip().lower()
        value = patterns.forms.number(digits) * _SCALES.get(scale, 1)
        if found["sign"]:
            value = -value
        kind: LiteralKind = "year" if _is_year(digits, found) else "number"
        yield LiteralMention(found.start(), found.end(), kind, _integer_if_large(value))
        position = found.end()
        if until := patterns.range_end.match(text, position):
            end_kind: LiteralKind = (
                "year" if kind == "year" and _is_year(until["digits"], until) else "number"
            )
            yield LiteralMention(
                until.start("digits"), until.end(), end_kind, patterns.forms.number(until["digits"])
            )
            position = until.end()


def _is_year(digits: str, found: re.Match[str]) -> bool:
    parts = found.groupdict()
    plain = not parts.get("sign") and not parts.get("scale")
    return plain and len(digits) == 4 and digits.isdigit() and FIRST_YEAR <= int(digits) <= LAST_YEAR


def _integer_if_large(value: float) -> int | float:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) > 1e6 else value


def _number_words(text: str, _: _Patterns) -> Iterator[LiteralMention]:
    """Yield the numbers in words, such as `twenty-five` and `at least once`, in order."""
    run: list[Word] = []
    for word in [*words(text), None]:
        if word and run and _continues(text, run[-1], word):
            run.append(word)
            continue
        while run and run[-1].folded == "and":
            run.pop()
        if run and _counts(text, run):
            yield LiteralMention(run[0].start, run[-1].end, "number", _value(run))
        run = [word] if word and word.folded in _NUMBERS | _TIMES.keys() else []


def _continues(text: str, last: Word, word: Word) -> bool:
    if text[last.end : word.start].strip() not in {"", "-"}:
        return False
    if word.folded == "and":
        return last.folded in _LARGE
    if word.folded in _LARGE or last.folded == "and":
        return last.folded not in _TIMES and word.folded in _NUMBERS
    tens = last.folded in _TENS and 0 < _SMALL_UNITS.get(word.folded, 0) < 10
    return tens or (last.folded in _LARGE and word.folded in _SMALL)


def _counts(text: str, run: list[Word]) -> bool:
    if len(run) > 1 or run[0].folded not in _AMBIGUOUS:
        return True
    before = text[: run[0].start].lower().split()[-1:]
    after = text[run[0].end :].lower().split()[:2]
    return after == ["or", "more"] or not _COUNTING.isdisjoint(before)


def _value(run: list[Word]) -> int:
    total = current = 0
    for word in run:
        if word.folded in _LARGE:
            scale = _LARGE[word.folded]
            current = max(current, 1) * scale
            if scale >= 10**3:
                total, current = total + current, 0
        else:
            current += _SMALL.get(word.folded, 0) + _TIMES.get(word.folded, 0)
    return total + current
