"""From the text of a query to its tokens, as Neo4j 2026.08 lexes it.

Holds no grammar. It also pairs the brackets, so that a parser can look past one without reading what is inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from t2c_core.cypher.unicode import ASCII_PARTS, WHITESPACE, Version, decode_unicode_escapes, name_classes
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.errors import SyntaxErrorReason

MAX_CHARS = 10_000
MAX_DEPTH = 64
"""Brackets within brackets; the server itself hangs on little more."""
END = "end"
"""The key of what stands after the last token."""
NAME, STRING, INTEGER, FLOAT = "`", "'", "0", "0."
"""Keys of tokens that are not words or signs."""
NAME_STARTS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_`")
"""How the key of a token begins that can be a name: any word, reserved or not, and anything in back-ticks."""

DASH, LEFT, RIGHT = "\u2010", "\u27e8", "\u27e9"
"""Keys of dashes and arrow heads other than the ASCII ones."""

_KEYS = {2: FLOAT, 3: INTEGER, 5: STRING, 6: NAME}
"""By the group of `_pattern`."""
_STRUCTURE = frozenset("()[]{}|/")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_DASHES = "\\xad\\u2010-\\u2015\\ufe58\\ufe63\\uff0d"
_LEFT_HEADS = "\\u27e8\\u3008\\ufe64\\uff1c"
_RIGHT_HEADS = "\\u27e9\\u3009\\ufe65\\uff1e"
_ARROWS = re.compile(f"(?P<dash>[{_DASHES}])|(?P<left>[{_LEFT_HEADS}])|[{_RIGHT_HEADS}]")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a query, side by side; `END` three times after the last, so that one may look ahead."""

    keys: Sequence[str]
    """A word in capitals, a sign as it stands, or one of `NAME`, `STRING`, `INTEGER`, `FLOAT`, `END`."""
    texts: Sequence[str]
    """As written, Unicode escapes decoded."""
    starts: Sequence[int]
    """Positions in the text that was given."""
    matching_brackets: Mapping[int, int]
    """For each opening bracket, by its number, the number of the closing one."""
    last_pipe_in_bracket: Mapping[int, int]
    """For each opening bracket with a `|` directly inside, the number of the last."""


@cache
def _pattern(version: Version, ascii_only: bool) -> re.Pattern[str]:
    """Give a pattern whose groups are: word, sign, string, name in back-ticks, number, end, anything else."""
    starts, parts = ("A-Za-z_", ASCII_PARTS[version]) if ascii_only else name_classes(version)
    digits = r"[0-9](?:_?[0-9])*+"
    exponent = r"[eE][+-]?(?:_?[0-9])++"
    return re.compile(
        rf"""
        (?: [{WHITESPACE[version]}]++ | //[^\n\r]*+ | /\*.*?\*/ )*+
        (?: ([{starts}][{parts}]*+)
          | ( {digits}\.{digits}(?:{exponent})?[{parts}]*+ | \.{digits}(?:{exponent})?[{parts}]*+
            | {digits}{exponent}[{parts}]*+ )
          | ([0-9][{parts}]*+)
          | (=~ | <> | <= | >= | != | \+= | \|\| | \.\. | :: | [-()\[\]{{}},:.=+*/%^<>|&!$;?])
          | ('[^'\\]*+(?:\\.[^'\\]*+)*+' | "[^"\\]*+(?:\\.[^"\\]*+)*+")
          | (`[^`]*+(?:``[^`]*+)*+`)
          | (\Z)
          | (.)
        )
        """,
        re.VERBOSE | re.DOTALL,
    )


def tokenize(text: str, *, version: Version = 5) -> Tokens:
    """Part a query into tokens.

    Raises:
        CypherSyntaxError: it is too long, its brackets do not pair or nest too deep, a quote or comment is not
            closed, or a character is none that a query may have there.
    """
    if len(text) > MAX_CHARS:
        raise CypherSyntaxError(
            f"the query has {len(text)} characters; {MAX_CHARS} are allowed",
            position=MAX_CHARS,
            reason="length",
        )
    decoded, origins = decode_unicode_escapes(text)
    tokens = _Found(origins)
    for match in _pattern(version, decoded.isascii()).finditer(decoded):
        group = match.lastindex or 0
        found = match[group]
        start = match.start(group)
        if group == 1:
            key = found.upper() if found.isascii() else NAME
        elif group == 4:
            key = found
            if found in _STRUCTURE:
                tokens.note(found, start, decoded)
        elif group == 7:
            break
        else:
            key = _KEYS.get(group) or tokens.odd(found, start)
        tokens.keys.append(key)
        tokens.texts.append(found)
        tokens.starts.append(start if origins is None else origins[start])
    return tokens.finished(len(text))


class _Found:
    """The tokens so far, which bracket closes which, and what stands directly inside."""

    __slots__ = (
        "expected",
        "keys",
        "last_pipe_in_bracket",
        "matching_brackets",
        "opened",
        "origins",
        "starts",
        "texts",
    )

    def __init__(self, origins: list[int] | None) -> None:
        self.origins = origins
        self.keys: list[str] = []
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.matching_brackets: dict[int, int] = {}
        self.last_pipe_in_bracket: dict[int, int] = {}
        self.opened: list[int] = []
        self.expected: list[str] = []

    def note(self, sign: str, start: int, text: str) -> None:
        """Take note of a sign of `_STRUCTURE` that is about to be added."""
        number = len(self.keys)
        if sign in "([{":
            self.opened.append(number)
            self.expected.append(_CLOSING[sign])
            if len(self.opened) > MAX_DEPTH:
                raise self._error(f"brackets nest deeper than {MAX_DEPTH}", start, "depth")
        elif sign in ")]}":
            if not self.opened:
                raise self._error(f"{sign} closes nothing", start, "syntax")
            if self.expected[-1] != sign:
                raise self._error(f"{sign} stands where {self.expected[-1]} must come first", start, "syntax")
            self.expected.pop()
            self.matching_brackets[self.opened.pop()] = number
        elif sign == "/":
            if text.startswith("/*", start):
                raise self._error("/* is never closed", start, "token")
        elif self.opened:
            self.last_pipe_in_bracket[self.opened[-1]] = number

    def odd(self, character: str, start: int) -> str:
        """Give the key of another dash or arrow head, which the server takes in patterns, or refuse."""
        match = _ARROWS.fullmatch(character)
        if match:
            return {"dash": DASH, "left": LEFT}.get(match.lastgroup or "", RIGHT)
        if character in "'\"`":
            raise self._error(f"{character} is never closed", start, "token")
        raise self._error(f"{character!r} means nothing here", start, "token")

    def finished(self, length: int) -> Tokens:
        """Give the tokens, closed by `END`."""
        if self.opened:
            last = self.opened[-1]
            raise CypherSyntaxError(
                f"{self.keys[last]} is never closed", position=self.starts[last], reason="syntax"
            )
        return Tokens(
            self.keys + [END] * 3,
            self.texts + [""] * 3,
            self.starts + [length] * 3,
            self.matching_brackets,
            self.last_pipe_in_bracket,
        )

    def _error(self, message: str, start: int, reason: SyntaxErrorReason) -> CypherSyntaxError:
        position = start if self.origins is None else self.origins[start]
        return CypherSyntaxError(message, position=position, reason=reason)
