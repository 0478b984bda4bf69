r"""Whitespace, identifier characters and `\uXXXX` escapes as in the server's lexer.

A character that only a newer Unicode version assigns is rejected by the server, by this parser, or by both; it is never
read in two ways.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Literal

from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterable

Version = Literal[5, 25]

_WHITESPACE_5 = "\\x09-\\x0d\\x1c-\\x20\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
WHITESPACE: dict[Version, str] = {5: _WHITESPACE_5, 25: _WHITESPACE_5 + "\\x85"}
"""Token separators, as the inside of a character class."""
ASCII_PARTS: dict[Version, str] = {5: "A-Za-z0-9_$\\x00-\\x08\\x0e-\\x1b\\x7f", 25: "A-Za-z0-9_"}
"""ASCII characters inside an identifier; Cypher 5 allows control characters and `$`."""
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Pc"})
_MARKS = frozenset({"Mn", "Mc", "Nd", "Sc"})
_IGNORABLE = frozenset({"Cf", "Cc"})

_ESCAPE = re.compile(r"\\(?:\\|u([0-9A-Fa-f]{4})?)")
_SURROGATE = re.compile("[\ud800-\udfff]")


@cache
def name_classes(version: Version) -> tuple[str, str]:
    """Return the insides of two character classes: first characters and further characters of an identifier.

    Only the first 65,536 code points may occur in an identifier without backticks.
    """
    letters, parts = [], []
    whitespace = re.compile(f"[{WHITESPACE[version]}]")
    for code in range(128, 0x10000):
        category = unicodedata.category(chr(code))
        is_letter = category in _LETTERS
        if is_letter:
            letters.append(code)
        if is_letter or category in _MARKS or (version == 5 and category in _IGNORABLE):
            parts.append(code)
    parts = [code for code in parts if not whitespace.match(chr(code))]
    return "A-Za-z_" + _ranges(letters), ASCII_PARTS[version] + _ranges(parts)


def _ranges(codes: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


def decode_unicode_escapes(text: str) -> tuple[str, list[int] | None]:
    r"""Decode `\uXXXX` everywhere, comments and identifiers included; pairs of backslashes are left unchanged.

    Returns:
        The decoded text, and the source position of each of its characters and of its end; None if nothing changed.

    Raises:
        CypherSyntaxError: `\u` without four hexadecimal digits, or an unpaired surrogate.
    """
    surrogate = None if text.isascii() else _SURROGATE.search(text)
    if surrogate:
        raise _unpaired_surrogate_error(surrogate.start())
    if "\\u" not in text:
        return text, None
    characters: list[str] = []
    origins: list[int] = []
    end_of_last = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        if match[0] == "\\\\":
            continue
        if match[1] is None:
            raise CypherSyntaxError(
                "invalid Unicode escape: expected four hexadecimal digits after \\u",
                position=start,
                reason="token",
            )
        characters.extend(text[end_of_last:start])
        origins.extend(range(end_of_last, start))
        code = int(match[1], 16)
        if 0xDC00 <= code < 0xE000 and characters and "\ud800" <= characters[-1] < "\udc00":
            characters[-1] = chr(0x10000 + ((ord(characters[-1]) - 0xD800) << 10) + code - 0xDC00)
        else:
            characters.append(chr(code))
            origins.append(start)
        end_of_last = end
    characters.extend(text[end_of_last:])
    origins.extend(range(end_of_last, len(text) + 1))
    decoded = "".join(characters)
    surrogate = _SURROGATE.search(decoded)
    if surrogate:
        raise _unpaired_surrogate_error(origins[surrogate.start()])
    return decoded, origins


def _unpaired_surrogate_error(position: int) -> CypherSyntaxError:
    return CypherSyntaxError("unpaired surrogate (half a character)", position=position, reason="token")
