r"""Characters as the server's lexer sees them: blanks, letters, and `\uXXXX`, which it decodes before all else.

Holds no tokens (see `lexer`). What a newer Unicode knows and the server does not is refused by one or both, never read
differently.
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

_BLANKS_5 = "\\x09-\\x0d\\x1c-\\x20\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
WHITESPACE: dict[Version, str] = {5: _BLANKS_5, 25: _BLANKS_5 + "\\x85"}
"""What parts tokens, as the inside of a character class."""
ASCII_PARTS: dict[Version, str] = {5: "A-Za-z0-9_$\\x00-\\x08\\x0e-\\x1b\\x7f", 25: "A-Za-z0-9_"}
"""ASCII characters inside a name; control characters and `$` are legal in Cypher 5."""
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Pc"})
_MARKS = frozenset({"Mn", "Mc", "Nd", "Sc"})
_IGNORABLE = frozenset({"Cf", "Cc"})

_ESCAPE = re.compile(r"\\(?:\\|u([0-9A-Fa-f]{4})?)")
_SURROGATE = re.compile("[\ud800-\udfff]")


@cache
def name_classes(version: Version) -> tuple[str, str]:
    """Give the insides of two character classes: what a name begins with, and what it goes on with.

    Only the first 65,536 code points can stand in a name without back-ticks.
    """
    letters, parts = [], []
    blanks = re.compile(f"[{WHITESPACE[version]}]")
    for code in range(128, 0x10000):
        category = unicodedata.category(chr(code))
        is_letter = category in _LETTERS
        if is_letter:
            letters.append(code)
        if is_letter or category in _MARKS or (version == 5 and category in _IGNORABLE):
            parts.append(code)
    parts = [code for code in parts if not blanks.match(chr(code))]
    return "A-Za-z_" + _ranges(letters), ASCII_PARTS[version] + _ranges(parts)


def _ranges(codes: Iterable[int]) -> str:
    found: list[list[int]] = []
    for code in codes:
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in found)


def decode_unicode_escapes(text: str) -> tuple[str, list[int] | None]:
    r"""Decode Unicode escapes wherever they stand, comments and names included; a pair of backslashes is left alone.

    Returns:
        The text, and for each of its characters (and its end) where it came from; None if nothing changed.

    Raises:
        CypherSyntaxError: `\u` without four hexadecimal digits, or half a character (a lone surrogate).
    """
    surrogate = None if text.isascii() else _SURROGATE.search(text)
    if surrogate:
        raise unpaired_surrogate_error(surrogate.start())
    if "\\u" not in text:
        return text, None
    characters: list[str] = []
    origins: list[int] = []
    place = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        if match[0] == "\\\\":
            continue
        if match[1] is None:
            raise CypherSyntaxError("\\u wants four hexadecimal digits", position=start, reason="token")
        characters.extend(text[place:start])
        origins.extend(range(place, start))
        code = int(match[1], 16)
        if 0xDC00 <= code < 0xE000 and characters and "\ud800" <= characters[-1] < "\udc00":
            characters[-1] = chr(0x10000 + ((ord(characters[-1]) - 0xD800) << 10) + code - 0xDC00)
        else:
            characters.append(chr(code))
            origins.append(start)
        place = end
    characters.extend(text[place:])
    origins.extend(range(place, len(text) + 1))
    decoded = "".join(characters)
    surrogate = _SURROGATE.search(decoded)
    if surrogate:
        raise unpaired_surrogate_error(origins[surrogate.start()])
    return decoded, origins


def unpaired_surrogate_error(position: int) -> CypherSyntaxError:
    return CypherSyntaxError(
        "half a character (a lone surrogate) cannot be sent", position=position, reason="token"
    )
