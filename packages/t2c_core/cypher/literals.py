"""String and number literals: reading their text and writing it."""

from __future__ import annotations

import math
import re

from t2c_core.cypher.ast_nodes import Float, Integer
from t2c_core.errors import CypherSyntaxError

_ESCAPE = re.compile(r"\\([tbnrf'\"\\])")
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_TO_ESCAPE = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\t": "\\t", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
)
_DECIMAL = re.compile(r"0|[1-9](?:_?[0-9])*")
_BASED = re.compile(r"0x[0-9A-Fa-f_]*[0-9A-Fa-f]|0o[0-7_]*[0-7]")
_FLOAT = re.compile(r"(?:[0-9](?:_?[0-9])*)?(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?(?:_?[0-9])+)?[dDfF]?")
"""The server reads the suffixes of Java, all as double precision."""


def read_string(text: str) -> str:
    """Return the value of a quoted string; a backslash before any other character is kept."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], text[1:-1]) if "\\" in text else text[1:-1]


def write_string(value: str) -> str:
    r"""Return a quoted string which the server reads back as `value`.

    The server decodes `\uXXXX` before lexing but leaves pairs of backslashes alone; every backslash written here is
    part of a pair or of an escape.
    """
    return f"'{value.translate(_TO_ESCAPE)}'"


def read_integer(text: str, position: int, *, negative: bool) -> Integer:
    """Return the node of a decimal, hexadecimal or octal number.

    Raises:
        CypherSyntaxError: the server does not accept the notation, or the value does not fit into 64 bits.
    """
    digits = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        if len(digits) > 19:
            raise CypherSyntaxError("integer out of range", position=position, reason="syntax")
        value = int(digits)
    elif _BASED.fullmatch(text):
        value = int(digits[:40], 0)
    else:
        raise CypherSyntaxError(f"invalid number: {text[:40]}", position=position, reason="token")
    value = -value if negative else value
    if not -(2**63) <= value < 2**63:
        raise CypherSyntaxError("integer out of range", position=position, reason="syntax")
    return Integer(value, position=position)


def read_float(text: str, position: int, *, negative: bool) -> Float:
    """Return the node of a number with a decimal point or exponent, and possibly a suffix: `1.5d`, `1.5f`.

    Raises:
        CypherSyntaxError: letters follow the number, or it is too large.
    """
    if not _FLOAT.fullmatch(text):
        raise CypherSyntaxError(f"invalid number: {text[:40]}", position=position, reason="token")
    value = float(text.rstrip("dDfF"))
    if math.isinf(value):
        raise CypherSyntaxError("number out of range", position=position, reason="syntax")
    return Float(-value if negative else value, position=position)
