"""A position in the tokens of a query, with the primitive steps and lookahead which all parsing functions share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.ast_nodes import Variable
from t2c_core.cypher.lexer import DASH, END, INTEGER, LEFT, NAME, NAME_STARTS, RIGHT, Tokens
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import PathPattern, Query
    from t2c_core.cypher.unicode import Version
    from t2c_core.errors import SyntaxErrorReason

MAX_NUMBER_DIGITS = 18
DASHES = ("-", DASH)
LEFT_HEADS = ("<", LEFT)
RIGHT_HEADS = (">", RIGHT)
AFTER_NODE_VARIABLE = (")", ":", "{", "$", "WHERE", "IS")
AFTER_RELATIONSHIP_VARIABLE = ("]", ":", "*", "{", "$", "WHERE", "IS")


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A part of the text that the tree does not contain as written."""

    kind: Literal["hint", "language"]
    """A hint to the planner, which is left out, or a clause of Cypher 25, which becomes one of Cypher 5."""
    message: str
    position: int


class TokenStream:
    """A position in the tokens of one query.

    Args:
        tokens: the tokens.
        version: language version.
        pattern: parses a path pattern inside an expression, whose variable may have been read already.
        query: parses the query inside `EXISTS {…}`, `COUNT {…}` or `COLLECT {…}`. Both functions are passed in because
            expressions contain patterns and queries, whose modules are built on the one of expressions.
    """

    __slots__ = (
        "at", "cases", "closings", "key", "keys", "last_pipe_in_bracket", "pattern", "query", "reserved", "rewrites",
        "starts", "texts", "version",
    )  # fmt: skip

    def __init__(
        self,
        tokens: Tokens,
        version: Version,
        *,
        pattern: Callable[[TokenStream, Variable | None], PathPattern],
        query: Callable[[TokenStream, str], Query],
    ) -> None:
        self.version = version
        self.pattern = pattern
        self.query = query
        self.keys = tokens.keys
        self.texts = tokens.texts
        self.starts = tokens.starts
        self.closings = tokens.matching_brackets
        self.last_pipe_in_bracket = tokens.last_pipe_in_bracket
        self.at = 0
        self.key = self.keys[0]
        self.reserved: set[int] = set()
        """Indexes of `|` tokens which separate the parts of a comprehension or reduce(), not label alternatives."""
        self.cases = 0
        """Number of CASE expressions which are open."""
        self.rewrites: list[Rewrite] = []
        """What was read as something else."""

    def advance(self, count: int = 1) -> None:
        """Move to the next token."""
        self.at += count
        self.key = self.keys[self.at]

    def accept(self, key: str) -> bool:
        """Move past the token if it has this key, and return whether it has."""
        if self.key == key:
            self.at += 1
            self.key = self.keys[self.at]
            return True
        return False

    def accept_any(self, keys: tuple[str, ...]) -> bool:
        """Move past the token if it has one of these keys, and return whether it has."""
        return self.key in keys and self.accept(self.key)

    def expect(self, key: str) -> None:
        """Move past a token which must have this key."""
        if self.key != key:
            raise self.unexpected(key)
        self.at += 1
        self.key = self.keys[self.at]

    def is_name(self, at: int) -> bool:
        """Return whether a token can be a name."""
        return self.keys[at][0] in NAME_STARTS

    def name(self, expected: str = "a name") -> str:
        """Read a name and return it without backticks."""
        if self.key[0] not in NAME_STARTS:
            raise self.unexpected(expected)
        text = self.texts[self.at]
        if self.key == NAME and text[0] == "`":
            text = text[1:-1].replace("``", "`")
            if not text:
                raise self.error("empty identifier")
        self.at += 1
        self.key = self.keys[self.at]
        return text

    def variable(self) -> Variable:
        """Read a variable."""
        position = self.starts[self.at]
        return Variable(self.name("a variable"), position=position)

    def count(self) -> int:
        """Read an unsigned integer, as in `*1..3` and `{2}`."""
        text = self.texts[self.at].replace("_", "")
        if self.key != INTEGER or not text.isdigit() or (text[0] == "0" and text != "0"):
            raise self.unexpected("an unsigned integer")
        if len(text) > MAX_NUMBER_DIGITS:
            raise self.error(f"number out of range: {text}")
        self.advance()
        return int(text)

    def begins_relationship(self, at: int) -> bool:
        """Return whether a relationship pattern, followed by the bracket of a node, begins at a token."""
        keys = self.keys
        at += keys[at] in LEFT_HEADS
        if keys[at] not in DASHES:
            return False
        at += 1
        if keys[at] == "[":
            inside = at + 1
            if keys[inside + 1 if self.is_name(inside) else inside] not in AFTER_RELATIONSHIP_VARIABLE and (
                keys[inside] not in ("WHERE", "IS")
            ):
                return False
            at = self.closings[at] + 1
        if keys[at] not in DASHES:
            return False
        at += 1
        return keys[at + (keys[at] in RIGHT_HEADS)] == "("

    def begins_pattern(self, at: int) -> bool:
        """Return whether a bracket begins a pattern with a relationship, rather than an expression."""
        if not self.begins_relationship(self.closings[at] + 1):
            return False
        inside = at + 1
        if self.keys[inside] in ("WHERE", ")"):
            return True
        return self.keys[inside + 1 if self.is_name(inside) else inside] in AFTER_NODE_VARIABLE

    def reserve_last_pipe(self, opening: int) -> int:
        """Keep the last `|` directly inside a bracket from being read as part of a label expression."""
        pipe = self.last_pipe_in_bracket.get(opening, -1)
        self.reserved.add(pipe)
        return pipe

    def error(
        self, message: str, reason: SyntaxErrorReason = "syntax", at: int | None = None
    ) -> CypherSyntaxError:
        """Return an error at a token, by default the current one."""
        return CypherSyntaxError(message, position=self.starts[self.at if at is None else at], reason=reason)

    def unexpected(self, expected: str) -> CypherSyntaxError:
        """Return the error for a token which may not stand here."""
        found = "end of the query" if self.key == END else self.texts[self.at]
        if len(found) > 40:
            found = f"{found[:40]}…"
        return self.error(f"unexpected {found}; expected {expected}")
