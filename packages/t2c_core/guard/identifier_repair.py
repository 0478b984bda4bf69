"""Puts names with blanks or signs into the back-ticks that they lack: `(:Adverse Event)`, `n.first name`.

Works on the tokens of a text that could not be read, which has no tree. Only names that the schema has are put into
back-ticks, and only where nothing but such a name can stand; what comes out is judged like any other text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.cypher.lexer import END, NAME_STARTS, tokenize
from t2c_core.errors import CypherSyntaxError
from t2c_core.guard.verdict import Repair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.lexer import Tokens
    from t2c_core.guard.verdict import GuardVerdict
    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

_Names = dict[str, list[tuple[int, str]]]
"""Names in small letters with the number of their tokens, the longest first, by their first token."""
_BEFORE_LABELS = frozenset(":|&!")
_BEFORE_KEYS = frozenset("{,")


@dataclass(frozen=True, slots=True)
class RepairedText:
    """A text with back-ticks, and where they came in."""

    cypher: str
    repairs: tuple[Repair, ...]
    added: tuple[int, ...]
    """Where back-ticks were put in, as positions of the text before."""

    def with_repairs(self, verdict: GuardVerdict) -> GuardVerdict:
        """Tell these repairs first, and all places as those of the text before."""
        others = [replace(each, position=self.original_position(each.position)) for each in verdict.repairs]
        return replace(verdict, repairs=(*self.repairs, *others))

    def original_position(self, position: int) -> int:
        """Give the position in the text before."""
        for number, place in enumerate(self.added):
            if place + number >= position:
                return position - number
        return position - len(self.added)


class BacktickRepairer:
    """The names of a schema that are no plain words.

    Args:
        schema: what may be named.
    """

    def __init__(self, schema: GraphSchema) -> None:
        holders: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        self._labels = _by_first(each.name for each in holders)
        self._keys = _by_first(key.name for each in holders for key in each.properties)

    def repair(self, cypher: str) -> RepairedText | None:
        """Put names into back-ticks; none if there is none that lacks them.

        Args:
            cypher: a text that could not be read.
        """
        if (
            not (self._labels or self._keys) or "\\u" in cypher
        ):  # what is escaped stands elsewhere than its tokens
            return None
        try:
            tokens = tokenize(cypher)
        except CypherSyntaxError:
            return None
        added: list[int] = []
        repairs = []
        opened = [""]
        place = 0
        while (key := tokens.keys[place]) != END:
            if key in ("(", "[", "{"):
                opened.append(key)
            elif key in (")", "]", "}"):
                opened.pop()
            length = self._length(cypher, tokens, place, opened[-1]) if place else 0
            if length:
                start, end = _span(tokens, place, length)
                added += [start, end]
                repairs.append(Repair("repair.backticks", f"{cypher[start:end]} in back-ticks", start))
            place += length or 1
        if not added:
            return None
        pieces = [cypher[one:other] for one, other in zip([0, *added], [*added, len(cypher)], strict=True)]
        return RepairedText("`".join(pieces), tuple(repairs), tuple(added))

    def _length(self, cypher: str, tokens: Tokens, place: int, inside: str) -> int:
        """Count the tokens of the name that begins at a place and lacks back-ticks."""
        before = tokens.keys[place - 1]
        if before in _BEFORE_LABELS and inside != "{":  # a colon in a map stands before a value
            return _longest(self._labels, cypher, tokens, place)
        if before == ".":
            return _longest(self._keys, cypher, tokens, place)
        if before in _BEFORE_KEYS and inside == "{":
            length = _longest(self._keys, cypher, tokens, place)
            return length if tokens.keys[place + length] == ":" else 0
        return 0


def _by_first(names: Iterable[str]) -> _Names:
    found: _Names = {}
    for name in sorted({each.casefold() for each in names if format_identifier(each) != each}):
        try:
            texts = [text for text in tokenize(name).texts if text]
        except CypherSyntaxError:  # holds a quote or the like, so that nobody could tell its end
            continue
        if texts:
            found.setdefault(texts[0], []).append((len(texts), name))
    for each in found.values():
        each.sort(reverse=True)
    return found


def _longest(names: _Names, cypher: str, tokens: Tokens, place: int) -> int:
    for length, name in names.get(tokens.texts[place].casefold(), ()):
        if length == 1 and tokens.keys[place][0] in NAME_STARTS:  # a name as it stands
            continue
        start, end = _span(tokens, place, length)
        if cypher[start:end].casefold() == name:
            return length
    return 0


def _span(tokens: Tokens, place: int, length: int) -> tuple[int, int]:
    last = min(place + length, len(tokens.texts)) - 1
    return tokens.starts[place], tokens.starts[last] + len(tokens.texts[last])
