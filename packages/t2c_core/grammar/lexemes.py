"""Incremental lexer of compact Cypher: lexemes of a growing text, and the part that may still grow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from t2c_core.prompt.compact_cypher import NODE, TRIPLE

LexemeKind = Literal["pattern", "name", "function", "parameter", "text", "number", "sign"]

_NAME = r"(?:`(?:[^`]|``)*`|[A-Za-z_]\w*)"
_SPACE = re.compile(r"\s+")
_PATTERN_START = re.compile(r"\([A-Za-z_`]")
_LEXEME = re.compile(
    rf"""
      (?P<function>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\()
    | (?P<name>{_NAME}(?:\.{_NAME})*)
    | (?P<parameter>\$v\d+)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<sign><>|<=|>=|[=<>,()\[\]{{}}|+*/%-])
    """,
    re.VERBOSE,
)
_GROWING = frozenset({"name", "parameter", "number"})


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A complete lexeme; multi-word keywords are several."""

    kind: LexemeKind
    text: str


def split_lexemes(text: str) -> tuple[list[Lexeme], str]:
    """Return the complete lexemes of a text and its tail, which a continuation may still change.

    A character that begins no lexeme is left out.
    """
    found: list[Lexeme] = []
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            position = space.end()
            continue
        lexeme = _lexeme(text, position)
        if lexeme is None:
            return found, text[position:]
        found.append(lexeme)
        position += max(1, len(lexeme.text))
    return [each for each in found if each.text], ""


def _lexeme(text: str, position: int) -> Lexeme | None:
    """Return the lexeme at a position, an empty one for an unknown character, or None if it may still grow."""
    if text[position] == "(":
        return _bracket_or_pattern(text, position)
    match = _LEXEME.match(text, position)
    if match is None:
        return None if text[position] in "'`$" else Lexeme("sign", "")
    kind = match.lastgroup
    ends_text = match.end() == len(text)
    if ends_text and (kind in _GROWING or match[0] in {"<", ">"}):
        return None
    if kind == "name" and text[match.end() :].startswith("."):
        return None
    return Lexeme(kind, match[0])  # type: ignore[arg-type]


def _bracket_or_pattern(text: str, position: int) -> Lexeme | None:
    if position + 1 == len(text):
        return None
    if not _PATTERN_START.match(text, position):
        return Lexeme("sign", "(")
    if triple := TRIPLE.match(text, position):
        return Lexeme("pattern", triple[0])
    node = NODE.match(text, position)
    if node is None or text[node.end() : node.end() + 1] in {"", "-"}:
        return None
    return Lexeme("pattern", node[0])
