"""Hints to the planner after the patterns of MATCH: read, checked and left out.

A hint changes how a query is run and never its result; the server refuses a hint that it cannot follow, for example of
an index that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.token_stream import Rewrite

if TYPE_CHECKING:
    from t2c_core.cypher.token_stream import TokenStream

_HINTS = ("INDEX", "SCAN", "JOIN", "TEXT", "RANGE", "POINT")


def skip_hints(tokens: TokenStream) -> None:
    """Move past all `USING INDEX …`, `USING SCAN …` and `USING JOIN ON …`, and record each."""
    while tokens.key == "USING" and tokens.keys[tokens.at + 1] in _HINTS:
        position = tokens.starts[tokens.at]
        tokens.advance()
        kind = tokens.key
        tokens.advance()
        if kind == "JOIN":
            tokens.expect("ON")
            _names(tokens)
        elif kind == "SCAN":
            _labelled(tokens)
        else:
            if kind != "INDEX":
                tokens.expect("INDEX")
            if tokens.key == "SEEK" and tokens.keys[tokens.at + 1] != ":":
                tokens.advance()
            _labelled(tokens)
            tokens.expect("(")
            _names(tokens)
            tokens.expect(")")
        tokens.rewrites.append(Rewrite("hint", f"USING {kind} removed", position))


def _labelled(tokens: TokenStream) -> None:
    """Move past `variable:Label`."""
    tokens.variable()
    tokens.expect(":")
    tokens.name("a label or type")


def _names(tokens: TokenStream) -> None:
    tokens.name()
    while tokens.accept(","):
        tokens.name()
