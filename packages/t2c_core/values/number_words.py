"""Numbers spelt in words: `three`, `twenty-five`, `two hundred and six`, `at least once`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.values.normalization import Word, words

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_SMALL = _UNITS | _TENS
_LARGE = {"hundred": 100, "dozen": 12, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_NUMBERS = _SMALL.keys() | _LARGE.keys()
_UNSURE = frozenset({"one", *_TIMES})
"""Words that count only after "at least" and the like, or before "or more"."""
_COUNTING = frozenset(
    """
    least most than exactly only just over under above below top within equals equal precisely to
    """.split()
)


def spelt_numbers(text: str) -> Iterator[tuple[int, int, int]]:
    """Find numbers in words: start, end and value of each, in order."""
    run: list[Word] = []
    for word in [*words(text), None]:
        if word and run and _continues(text, run[-1], word):
            run.append(word)
            continue
        while run and run[-1].folded == "and":
            run.pop()
        if run and _counts(text, run):
            yield run[0].start, run[-1].end, _value(run)
        run = [word] if word and word.folded in _NUMBERS | _TIMES.keys() else []


def _continues(text: str, last: Word, word: Word) -> bool:
    if text[last.end : word.start].strip() not in {"", "-"}:
        return False
    if word.folded == "and":
        return last.folded in _LARGE
    if word.folded in _LARGE or last.folded == "and":
        return last.folded not in _TIMES and word.folded in _NUMBERS
    tens = last.folded in _TENS and 0 < _UNITS.get(word.folded, 0) < 10
    return tens or (last.folded in _LARGE and word.folded in _SMALL)


def _counts(text: str, run: list[Word]) -> bool:
    if len(run) > 1 or run[0].folded not in _UNSURE:
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
