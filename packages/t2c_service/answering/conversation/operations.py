"""Words of a follow-up that mean an operation: sort, limit, count, group, compute, list or turn round.

A text is the folded words of a follow-up between spaces, with `#0`, `#1` for its linked mentions. Each rule returns it
without the words that it took.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_service.answering.conversation.follow_up import Sorting
from t2c_service.answering.conversation.vocabulary import LIGHT, content_key, content_stem, spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.values.linker import LinkedMention
    from t2c_service.answering.conversation.follow_up import FollowUp
    from t2c_service.answering.conversation.vocabulary import PropertyOf, Vocabulary

HIGHEST = re.compile(r"highest|largest|biggest|greatest|most|longest|maximum|max|top|latest|newest|best|last")
LOWEST = re.compile(r"lowest|smallest|fewest|least|shortest|minimum|min|bottom|earliest")


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    """Compile alternatives of which the first one that occurs is taken."""
    return tuple(map(re.compile, patterns))


_N = r"#(?P<n>\d+)"
_THEM = r"(?:them|that|it|these|those|this|the (?:list|rows|results?))"
_LIMITS = _any(
    rf"\b(?:(?:only|just|show|give|me|the) )*(?P<end>top|first|bottom|best) {_N}(?: rows| results| ones)?\b",
    rf"\b(?:limit(?:ed)?|cut|reduce)(?: {_THEM})?(?: to)? {_N}(?!\S)",
    rf"\bmake {_THEM} {_N}(?!\S)",
    rf"\b(?:only|just|show|give me|show me) {_N}(?: of them| rows| results| ones)?(?= $)",
    rf"{_N} (?:rows|results|of them)\b",
)
_NO_LIMIT = _any(
    r"\b(?:show|list|give me|see)(?: me)?(?: them)? all(?: of them)?(?= $)",
    r"\b(?:no|without|remove the) limit\b",
    r"^ all(?: of them)? $",
)
_DESCENDING = _any(
    r"\b(?:in )?(?:the )?(?:descending|decreasing)(?: order)?\b",
    r"\bdesc\b",
    r"\b(?:from )?(?:high(?:est)? to low(?:est)?|largest to smallest|new(?:est)? to old(?:est)?)\b",
)
_ASCENDING = _any(
    r"\b(?:in )?(?:the )?(?:ascending|increasing)(?: order)?\b",
    r"\basc\b",
    r"\b(?:from )?(?:low(?:est)? to high(?:est)?|smallest to largest|old(?:est)? to new(?:est)?)\b",
)
_REVERSED = _any(
    r"\breversed?(?: the)?(?: order)?\b",
    r"\b(?:the )?other way (?:a?round)\b",
    r"\b(?:in )?(?:the )?(?:opposite|reverse) order\b",
    r"\bbackwards\b",
)
_SORTED = _any(
    rf"\b(?:sort|order|rank|arrange)(?:e?d)?(?: {_THEM})?(?: in)?(?: alphabetical(?:ly)?)?(?: order)?\b",
    r"\b(?:in )?alphabetical(?:ly)?(?: order)?\b",
)
_BY = re.compile(r"\bby(?: the| their)? ")
_FIRST = re.compile(r"\b(?P<words>[\w-]+(?: (?!the )[\w-]+){0,2}) first(?= $| and )")
_COUNTS = _any(
    rf"\bhow many(?: of)? (?:are|were|is|was) (?:there|they|{_THEM})(?: there)?\b",
    r"\bhow many(?: of)? (?:them|those|these)(?: (?:are|were|is|have|do))?(?: there)?\b",
    r"\bhow many (?:are|were|is|was)\b",
    r"\bcount(?: them| those| these| it| that| only)?(?!\S)",
    r"\b(?:the |their )?(?:number|count)(?: of (?:them|those|these))?(?= $)",
    r"\bhow many(?= $)",
)
_GROUPS = _any(
    r"\b(?:per|by|for each|for every|grouped by|broken down by|split by|on each|in each|each)"
    r" (?P<noun>(?!#)[^#]+?)(?: $| and | only $| please $)"
)
_AVERAGE = _any(r"\b(?:(?:on|the|an) )*(?:average|mean|avg)(?: of)?\b")
_SUM = _any(r"\b(?:in total|total|sum|altogether|all together|overall|summed(?: up)?)(?: of)?\b")
_LISTS = _any(
    r"\b(?:who|which|what)(?: ones)? (?:are|were|is|was) (?:they|those|these|it)(?= $)",
    r"\b(?:list|show|name|give me|show me|tell me)(?: me)?"
    r" (?:them|those|these|their names?|the names?|all of them)(?: all)?(?= $)",
    r"^ (?:which|what) ones $",
    r"^ (?:and )?who $",
    r"^ (?:(?:show|give)(?: me)? )?(?:the |their )?names(?: too| as well| please)? $",
)
_TURNS = _any(
    r"\b(?:(?:and|but) )?(?:which|who|what|those|the ones)?(?: ones| of them)?(?: that| who| which)? ?"
    r"(?:are|is|do|does|were|have|did|was|has) not(?= $)",
    r"^ (?:and )?the (?:others?|rest) $",
)


class Operations:
    """Reads operations with the words of one graph.

    Args:
        vocabulary: words of the graph.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def read(self, text: str, links: list[LinkedMention], found: FollowUp) -> str:
        """Add the operations of a text to the edits, and return the text without their words."""
        text = self._limit(text, links, found)
        text = self._sorting(text, found)
        text = self._count(text, found)
        text = self._group(text, found)
        return self._list(self._function(text, found), found)

    def _limit(self, text: str, links: list[LinkedMention], found: FollowUp) -> str:
        for pattern in _LIMITS:
            match = pattern.search(text)
            value = links[int(match["n"])].value if match and links[int(match["n"])].kind != "year" else None
            if match is None or not isinstance(value, int):
                continue
            found.limit = value
            text = cut(text, match)
            end = match.groupdict().get("end")
            if end in {"top", "best", "bottom"} and (by := _BY.search(text)):
                order = "ascending" if end == "bottom" else "descending"
                text = f"{text[: by.start()]}sort by {text[by.end() :]}{order} "
            return text
        match = first(_NO_LIMIT, text)
        found.drops_limit = match is not None
        return cut(text, match) if match else text

    def _sorting(self, text: str, found: FollowUp) -> str:
        if match := first(_REVERSED, text):
            found.sorting = Sorting(flips=True)
            return cut(text, match)
        sorting: Sorting | None = None
        for patterns, descending in ((_DESCENDING, True), (_ASCENDING, False)):
            if match := first(patterns, text):
                sorting = Sorting(descending=descending)
                text = cut(text, match)
        if match := first(_SORTED, text):
            sorting = sorting or Sorting()
            sorting.by_name = "alphabetical" in match[0]
            text = _BY.sub("", cut(text, match), count=1)
        sorting, text = self._superlative_first(sorting, text)
        if sorting is not None and not sorting.of and not sorting.by_name:
            text = self._order_property(sorting, text)
        found.sorting = sorting
        return text

    def _superlative_first(self, sorting: Sorting | None, text: str) -> tuple[Sorting | None, str]:
        """Read `heaviest first` and `highest dose first`."""
        match = _FIRST.search(text)
        said = match["words"].split() if match else []
        for start in range(len(said)):
            extreme = self._extreme(said[start:])
            if extreme is not None:
                sorting = sorting or Sorting()
                sorting.of = extreme[0]
                sorting.descending = extreme[1] if sorting.descending is None else sorting.descending
                return sorting, text.replace(f" {' '.join(said[start:])} first ", " ", 1)
        return sorting, text

    def _order_property(self, sorting: Sorting, text: str) -> str:
        """Note the properties that remaining words name, and return the text without them."""
        tokens = text.split()
        words = self._vocabulary
        if "age" in tokens and not words.nouns.get((content_stem("age"),)):
            oldest = words.extremes.get((content_stem("oldest"),), ())
            sorting.of = frozenset(each.of for each in oldest if words.is_date(each.of))
            sorting.is_age = True
            return text.replace(" age ", " ", 1)
        for start, end, key in spans(tokens, words.longest):
            if key in words.nouns:
                sorting.of = frozenset(words.nouns[key])
                return joined(tokens[:start] + tokens[end:])
        return text

    def _extreme(self, tokens: list[str]) -> tuple[frozenset[PropertyOf], bool] | None:
        """Return properties and direction of a superlative, alone or beside a noun."""
        for number, word in enumerate(tokens):
            key = content_key(tokens[:number] + tokens[number + 1 :])
            nouns = frozenset(self._vocabulary.nouns.get(key, ()))
            if (HIGHEST.fullmatch(word) or LOWEST.fullmatch(word)) and (nouns or not key):
                return nouns, HIGHEST.fullmatch(word) is not None
        meanings = self._vocabulary.extremes.get(content_key(tokens), set())
        highs = {each.is_high for each in meanings}
        return (frozenset(each.of for each in meanings), bool(highs.pop())) if len(highs) == 1 else None

    def _count(self, text: str, found: FollowUp) -> str:
        match = first(_COUNTS, text)
        if match is None:
            return text
        found.function = "count"
        return cut(text, match)

    def _group(self, text: str, found: FollowUp) -> str:
        match = first(_GROUPS, text)
        key = content_key(match["noun"].split()) if match else ()
        words = self._vocabulary
        held: set[PropertyOf | str] = {*words.nouns.get(key, ()), *words.label_nouns.get(key, ())}
        if match is None or not held:
            return text
        found.groups.append(frozenset(held))
        return cut(text, match)

    def _function(self, text: str, found: FollowUp) -> str:
        if match := first(_AVERAGE, text):
            found.function = "avg"
        elif match := first(_SUM, text):
            found.function = "sum"
        return cut(text, match) if match else text

    def _list(self, text: str, found: FollowUp) -> str:
        if match := first(_LISTS, text):
            found.lists = True
        elif match := first(_TURNS, text):
            found.negates = True
        return cut(text, match) if match else text


def first(patterns: Iterable[re.Pattern[str]], text: str) -> re.Match[str] | None:
    """Return the match of the first pattern that occurs in a text."""
    return next((match for pattern in patterns if (match := pattern.search(text))), None)


def cut(text: str, match: re.Match[str]) -> str:
    """Return a text without a match."""
    return joined(f"{text[: match.start()]} {text[match.end() :]}".split())


def joined(tokens: Iterable[str]) -> str:
    """Return words as a text."""
    return " ".join(["", *(each for each in tokens if each), ""])


__all__ = ["HIGHEST", "LIGHT", "LOWEST", "Operations", "cut", "joined"]
