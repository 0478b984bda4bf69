"""A place in the tokens of a query, and the small steps that all parts of the parser take from there.

Holds no grammar. The parser is one class, built up in a line: Cursor, LabelParser, OperatorParser, AtomParser,
PatternParser, ClauseParser; each part names in `Cursor` what it needs from a later one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import Variable
from t2c_core.cypher.lexer import END, INTEGER, NAME, NAME_STARTS, Tokens
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, PathPattern, Query
    from t2c_core.cypher.unicode import Version
    from t2c_core.errors import SyntaxErrorReason

MAX_NUMBER_DIGITS = 18


class TokenStream(ABC):
    """Where a parser stands in the tokens."""

    def __init__(self, tokens: Tokens, version: Version) -> None:
        self.tokens = tokens
        self.version = version
        self.keys = tokens.keys
        self.texts = tokens.texts
        self.starts = tokens.starts
        self.closings = tokens.matching_brackets
        self.at = 0
        self.key = self.keys[0]
        self.reserved: set[int] = set()
        """Numbers of `|` tokens that part a comprehension or reduce(), so belong to no label expression."""
        self.cases = 0
        """CASE expressions that are open."""

    @abstractmethod
    def expression(self, level: int = 1) -> Expression:
        """Read an expression whose operators bind at least as strongly as `level`."""

    @abstractmethod
    def is_pattern(self, at: int) -> bool:
        """Tell whether the bracket at a token begins a pattern with a relationship, and not an expression."""

    @abstractmethod
    def pattern_in_expression(self, variable: Variable | None = None) -> PathPattern:
        """Read nodes and relationships, or shortestPath(…), where a value may stand."""

    @abstractmethod
    def query(self) -> Query:
        """Read a query up to its end or a closing brace."""

    @abstractmethod
    def query_or_pattern(self) -> Query:
        """Read a query up to a closing brace, or a pattern with or without WHERE, which means one MATCH."""

    def advance(self) -> None:
        """Go to the next token."""
        self.at += 1
        self.key = self.keys[self.at]

    def accept(self, key: str) -> bool:
        """Go on if the token is this one, and tell so."""
        if self.key == key:
            self.at += 1
            self.key = self.keys[self.at]
            return True
        return False

    def expect(self, key: str) -> None:
        """Go past a token that must be there."""
        if self.key != key:
            raise self.unexpected(key)
        self.at += 1
        self.key = self.keys[self.at]

    def is_name(self, at: int) -> bool:
        """Tell whether a token can be a name."""
        return self.keys[at][0] in NAME_STARTS

    def name(self, wanted: str = "a name") -> str:
        """Read a name, back-ticks taken off."""
        if self.key[0] not in NAME_STARTS:
            raise self.unexpected(wanted)
        text = self.texts[self.at]
        if self.key == NAME and text[0] == "`":
            text = text[1:-1].replace("``", "`")
            if not text:
                raise self.error("a name cannot be empty")
        self.at += 1
        self.key = self.keys[self.at]
        return text

    def variable(self) -> Variable:
        """Read a variable."""
        position = self.starts[self.at]
        return Variable(self.name("a variable"), position=position)

    def count(self) -> int:
        """Read a whole number without a sign, as in `*1..3` and `{2}`."""
        text = self.texts[self.at].replace("_", "")
        if self.key != INTEGER or not text.isdigit() or (text[0] == "0" and text != "0"):
            raise self.unexpected("a whole number")
        if len(text) > MAX_NUMBER_DIGITS:
            raise self.error(f"{text} is too large")
        self.advance()
        return int(text)

    def error(
        self, message: str, reason: SyntaxErrorReason = "syntax", at: int | None = None
    ) -> CypherSyntaxError:
        """Make an error that points at a token, else at the one where the parser stands."""
        return CypherSyntaxError(message, position=self.starts[self.at if at is None else at], reason=reason)

    def unexpected(self, wanted: str) -> CypherSyntaxError:
        """Make the error for a token that cannot stand where it does."""
        found = "the end of the query" if self.key == END else self.texts[self.at]
        if len(found) > 40:
            found = f"{found[:40]}…"
        return self.error(f"{found} stands where {wanted} is wanted")
