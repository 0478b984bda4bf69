"""The text of strings and numbers, both ways."""

from __future__ import annotations

import math
import re

from t2c_core.cypher.ast_nodes import Float, Integer
from t2c_core.errors import CypherSyntaxError

_ESCAPE = re.compile(r"\\([tbnrf'\"\\])")
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_WRITTEN = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\t": "\\t", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
)
_DECIMAL = re.compile(r"0|[1-9](?:_?[0-9])*")
_BASED = re.compile(r"0x[0-9A-Fa-f_]*[0-9A-Fa-f]|0o[0-7_]*[0-7]")
_FLOAT = re.compile(r"(?:[0-9](?:_?[0-9])*)?(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?(?:_?[0-9])+)?")


def read_string(text: str) -> str:
    """Take the quotes off a string and decode its escapes; a backslash before any other character stays."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text[1:-1]) if "\\" in text else text[1:-1]


def write_string(value: str) -> str:
    r"""Write a string so that it reads back, also where the server would see a Unicode escape.

    The server decodes `\uXXXX` before anything else, but leaves pairs of backslashes alone, and all of ours are pairs.
    """
    return f"'{value.translate(_WRITTEN)}'"


def read_integer(text: str, position: int, *, negative: bool) -> Integer:
    """Read a decimal, hexadecimal or octal number.

    Raises:
        CypherSyntaxError: it is written in a way that the server does not take, or does not fit 64 bits.
    """
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        if len(plain) > 19:
            raise CypherSyntaxError("an integer is too large", position=position, reason="syntax")
        value = int(plain)
    elif _BASED.fullmatch(text):
        value = int(plain[:40], 0)
    else:
        raise CypherSyntaxError(f"{text[:40]} is no number", position=position, reason="token")
    value = -value if negative else value
    if not -(2**63) <= value < 2**63:
        raise CypherSyntaxError("an integer is too large", position=position, reason="syntax")
    return Integer(value, position=position)


def read_float(text: str, position: int, *, negative: bool) -> Float:
    """Read a number with a point or exponent.

    Raises:
        CypherSyntaxError: letters follow it, or it is too large.
    """
    if not _FLOAT.fullmatch(text):
        raise CypherSyntaxError(f"{text[:40]} is no number", position=position, reason="token")
    value = float(text)
    if math.isinf(value):
        raise CypherSyntaxError("a number is too large", position=position, reason="syntax")
    return Float(-value if negative else value, position=position)
