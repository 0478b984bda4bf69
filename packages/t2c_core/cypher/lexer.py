"""Lexer: the text of a query as tokens, as Neo4j 2026.08 reads it.

It also matches brackets, so that a parser can look behind a closing one without reading what is inside.
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
"""Maximum nesting of brackets; the server itself hangs on a little more."""
END = "end"
"""Key of the tokens after the last one."""
NAME, STRING, INTEGER, FLOAT = "`", "'", "0", "0."
"""Keys of tokens which are neither ASCII words nor punctuation."""
NAME_STARTS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_`")
"""First characters of the keys of tokens which can be names: words, reserved or not, and identifiers in backticks."""

DASH, LEFT, RIGHT = "\u2010", "\u27e8", "\u27e9"
"""Keys of dashes and arrow heads other than the ASCII ones."""

_KEY_OF_GROUP = {2: FLOAT, 3: INTEGER, 5: STRING, 6: NAME}
"""Keys by the group of `_pattern`."""
_STRUCTURE = frozenset("()[]{}|/")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_DASHES = "\\xad\\u2010-\\u2015\\ufe58\\ufe63\\uff0d"
_LEFT_HEADS = "\\u27e8\\u3008\\ufe64\\uff1c"
_RIGHT_HEADS = "\\u27e9\\u3009\\ufe65\\uff1e"
_ARROWS = re.compile(f"(?P<dash>[{_DASHES}])|(?P<left>[{_LEFT_HEADS}])|[{_RIGHT_HEADS}]")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a query as parallel sequences, followed by three `END` tokens for lookahead."""

    keys: Sequence[str]
    """A word in upper case, punctuation as written, or one of `NAME`, `STRING`, `INTEGER`, `FLOAT`, `END`."""
    texts: Sequence[str]
    """As written, Unicode escapes decoded."""
    starts: Sequence[int]
    """Positions in the source text."""
    matching_brackets: Mapping[int, int]
    """Index of the closing bracket by the index of its opening one."""
    last_pipe_in_bracket: Mapping[int, int]
    """Index of the last `|` directly inside a bracket, by the index of the opening one."""


@cache
def _pattern(version: Version, ascii_only: bool) -> re.Pattern[str]:
    """Return a pattern with the groups word, float, integer, punctuation, string, quoted name, end, anything else."""
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
    """Return the tokens of a query.

    Raises:
        CypherSyntaxError: the text is too long, brackets do not match or nest too deep, a quote or comment is not
            closed, or a character begins no token.
    """
    if len(text) > MAX_CHARS:
        raise CypherSyntaxError(
            f"query too long: {len(text)} characters; at most {MAX_CHARS} are allowed",
            position=MAX_CHARS,
            reason="length",
        )
    decoded, origins = decode_unicode_escapes(text)
    builder = _TokensBuilder(origins)
    for match in _pattern(version, decoded.isascii()).finditer(decoded):
        group = match.lastindex or 0
        token = match[group]
        start = match.start(group)
        if group == 1:
            key = token.upper() if token.isascii() else NAME
        elif group == 4:
            key = token
            if token in _STRUCTURE:
                builder.add_structure(token, start, decoded)
        elif group == 7:
            break
        else:
            key = _KEY_OF_GROUP.get(group) or builder.arrow_key(token, start)
        builder.keys.append(key)
        builder.texts.append(token)
        builder.starts.append(start if origins is None else origins[start])
    return builder.build(len(text))


class _TokensBuilder:
    """The tokens read so far, with open brackets and what is directly inside them."""

    __slots__ = (
        "closing_signs", "keys", "last_pipe_in_bracket", "matching_brackets", "open_brackets", "origins", "starts",
        "texts",
    )  # fmt: skip

    def __init__(self, origins: list[int] | None) -> None:
        self.origins = origins
        self.keys: list[str] = []
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.matching_brackets: dict[int, int] = {}
        self.last_pipe_in_bracket: dict[int, int] = {}
        self.open_brackets: list[int] = []
        self.closing_signs: list[str] = []

    def add_structure(self, sign: str, start: int, text: str) -> None:
        """Record a sign of `_STRUCTURE` which is about to be added."""
        number = len(self.keys)
        if sign in "([{":
            self.open_brackets.append(number)
            self.closing_signs.append(_CLOSING[sign])
            if len(self.open_brackets) > MAX_DEPTH:
                raise self._error(f"brackets nest deeper than {MAX_DEPTH}", start, "depth")
        elif sign in ")]}":
            if not self.open_brackets:
                raise self._error(f"unmatched {sign}", start, "syntax")
            if self.closing_signs[-1] != sign:
                raise self._error(f"unmatched {sign}; expected {self.closing_signs[-1]}", start, "syntax")
            self.closing_signs.pop()
            self.matching_brackets[self.open_brackets.pop()] = number
        elif sign == "/":
            if text.startswith("/*", start):
                raise self._error("/* is never closed", start, "token")
        elif self.open_brackets:
            self.last_pipe_in_bracket[self.open_brackets[-1]] = number

    def arrow_key(self, character: str, start: int) -> str:
        """Return the key of a non-ASCII dash or arrow head, which the server accepts in patterns, or raise."""
        match = _ARROWS.fullmatch(character)
        if match:
            return {"dash": DASH, "left": LEFT}.get(match.lastgroup or "", RIGHT)
        if character in "'\"`":
            raise self._error(f"{character} is never closed", start, "token")
        raise self._error(f"unexpected character {character!r}", start, "token")

    def build(self, length: int) -> Tokens:
        """Return the tokens, followed by `END`."""
        if self.open_brackets:
            last = self.open_brackets[-1]
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
