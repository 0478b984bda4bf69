"""Names of value types, as in `x IS :: LIST<INTEGER NOT NULL>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2c_core.cypher.token_stream import TokenStream

_SYNONYMS = {
    "BOOL": "BOOLEAN", "VARCHAR": "STRING", "INT": "INTEGER", "VERTEX": "NODE", "EDGE": "RELATIONSHIP", "PATHS": "PATH",
}  # fmt: skip
_SYNONYMS_25 = _SYNONYMS | {"INT64": "INTEGER", "INTEGER64": "INTEGER", "FLOAT64": "FLOAT"}
_SINGLE_WORD = frozenset(
    "NOTHING NULL BOOLEAN STRING INTEGER FLOAT DATE DURATION POINT NODE RELATIONSHIP MAP PATH".split()
)
_TIMES = ("TIME", "DATETIME")
_SECOND_WORDS = {"PROPERTY": ("VALUE",), "SIGNED": ("INTEGER",), "LOCAL": _TIMES, "ZONED": _TIMES}
_AFTER_ANY = frozenset({"NODE", "RELATIONSHIP", "MAP"})


def value_type(tokens: TokenStream) -> str:
    """Read a type and return its canonical name in upper case, alternatives separated by ` | `."""
    parts = [_alternative(tokens)]
    while tokens.key == "|" and tokens.at not in tokens.reserved:
        tokens.advance()
        parts.append(_alternative(tokens))
    return " | ".join(parts)


def _alternative(tokens: TokenStream) -> str:
    name = _plain_type(tokens) + _nullability(tokens)
    while tokens.accept_any(("LIST", "ARRAY")):
        name = f"LIST<{name}>{_nullability(tokens)}"
    return name


def _nullability(tokens: TokenStream) -> str:
    if tokens.accept("!"):
        return " NOT NULL"
    if tokens.accept("NOT"):
        tokens.expect("NULL")
        return " NOT NULL"
    return ""


def _plain_type(tokens: TokenStream) -> str:
    key = _word(tokens)
    if key in _SINGLE_WORD:
        return key
    if key == "ANY":
        return _any_type(tokens)
    if key in ("LIST", "ARRAY"):
        return f"LIST<{_inner_type(tokens)}>"
    if key in _SECOND_WORDS:
        word = _one_of(tokens, *_SECOND_WORDS[key])
        return word if key == "SIGNED" else f"{key} {word}"
    if key in ("TIME", "TIMESTAMP"):
        zone = "ZONED" if _one_of(tokens, "WITH", "WITHOUT") == "WITH" else "LOCAL"
        if _one_of(tokens, "TIMEZONE", "TIME") == "TIME":
            tokens.expect("ZONE")
        return f"{zone} {'TIME' if key == 'TIME' else 'DATETIME'}"
    raise tokens.error(f"unknown type: {tokens.texts[tokens.at - 1]}", at=tokens.at - 1)


def _any_type(tokens: TokenStream) -> str:
    if tokens.accept("PROPERTY"):
        tokens.expect("VALUE")
        return "PROPERTY VALUE"
    if _SYNONYMS.get(tokens.key, tokens.key) in _AFTER_ANY:
        return _word(tokens)
    tokens.accept("VALUE")
    return f"ANY<{_inner_type(tokens)}>" if tokens.key == "<" else "ANY"


def _inner_type(tokens: TokenStream) -> str:
    tokens.expect("<")
    name = value_type(tokens)
    tokens.expect(">")
    return name


def _word(tokens: TokenStream) -> str:
    key = tokens.key
    if not tokens.is_name(tokens.at):
        raise tokens.unexpected("a type")
    tokens.advance()
    return (_SYNONYMS_25 if tokens.version == 25 else _SYNONYMS).get(key, key)


def _one_of(tokens: TokenStream, *keys: str) -> str:
    key = tokens.key
    if key not in keys:
        raise tokens.unexpected(" or ".join(keys))
    tokens.advance()
    return key
