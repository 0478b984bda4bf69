"""Values as they stand between operators: literals, names, calls, CASE, and everything in brackets.

Holds no patterns (see `patterns`) and no text of literals (see `literals`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher.ast_nodes import (
    Boolean,
    CaseAlternative,
    CaseExpression,
    CaseOperand,
    Comparison,
    FloatConstant,
    ListComprehension,
    ListLiteral,
    MapLiteral,
    Null,
    Parameter,
    PatternComprehension,
    PatternExpression,
    String,
)
from t2c_core.cypher.invocations import CallParser
from t2c_core.cypher.lexer import END, FLOAT, INTEGER, NAME_STARTS, STRING
from t2c_core.cypher.literals import read_float, read_integer, read_string
from t2c_core.cypher.operators import PRECEDENCE, TEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Expression, Float, Integer

MAX_CASES = 20
"""CASE expressions within each other; more make the server's own parser run out of stack."""

_AFTER_NAME = (END, ".", ",", ":", ")", "]", "}", "AS")


class AtomParser(CallParser):
    """Reads what operators stand between."""

    def atom(self) -> Expression:
        """Read a value without operators around it."""
        key = self.key
        special = _SPECIAL.get(key)
        if special is not None:
            found = special(self)
            if found is not None:
                return found
        if key[0] in NAME_STARTS:
            return self.parse_named()
        raise self.unexpected("a value")

    def _constant(self) -> Expression:
        position, key = self.starts[self.at], self.key
        self.advance()
        if key == "NULL":
            return Null(position=position)
        if key in ("TRUE", "FALSE"):
            return Boolean(key == "TRUE", position=position)
        return FloatConstant("NaN" if key == "NAN" else "INF", position=position)

    def _string(self) -> String:
        found = String(read_string(self.texts[self.at]), position=self.starts[self.at])
        self.advance()
        return found

    def _number(self) -> Integer | Float:
        position = self.starts[self.at]
        negative = self.key == "-"
        if negative:
            self.advance()
        if self.key not in (INTEGER, FLOAT):
            raise self.unexpected("a number")
        read = read_float if self.key == FLOAT else read_integer
        found = read(self.texts[self.at], position, negative=negative)
        self.advance()
        return found

    def parameter(self) -> Parameter:
        """Read `$name`."""
        position = self.starts[self.at]
        self.expect("$")
        if self.key == INTEGER:
            name = self.texts[self.at]
            self.advance()
        else:
            name = self.name("the name of a parameter")
        return Parameter(name, position=position)

    def map_literal(self) -> MapLiteral:
        """Read `{key: value, …}`."""
        position = self.starts[self.at]
        self.expect("{")
        entries = []
        while self.key != "}":
            entries.append(self.parse_map_entry())
            if self.key != "}":
                self.expect(",")
                if self.key == "}":
                    raise self.unexpected("a key")
        self.advance()
        return MapLiteral(tuple(entries), position=position)

    def _begins_case(self, at: int) -> bool:
        """Tell whether the word is no name."""
        following = self.keys[at + 1]
        is_name = following in _AFTER_NAME or following in PRECEDENCE.keys() - {"-", "+"}
        return not is_name and self.keys[at - 1] != "."

    def _case(self) -> CaseExpression | None:
        if not self._begins_case(self.at):
            return None
        position = self.starts[self.at]
        self.cases += 1
        if self.cases > MAX_CASES:
            raise self.error(f"CASE nests deeper than {MAX_CASES}", "depth")
        self.advance()
        subject = None if self.key == "WHEN" else self.expression()
        branches = []
        while self.key == "WHEN":
            branches.append(self._branch(subject))
        if not branches:
            raise self.unexpected("WHEN")
        default = self.expression() if self.accept("ELSE") else None
        self.expect("END")
        self.cases -= 1
        return CaseExpression(subject, tuple(branches), default, position=position)

    def _branch(self, subject: Expression | None) -> CaseAlternative:
        position = self.starts[self.at]
        self.expect("WHEN")
        read = self.expression if subject is None else self._condition
        conditions = [read()]
        while subject is not None and self.accept(","):
            conditions.append(read())
        self.expect("THEN")
        return CaseAlternative(tuple(conditions), self.expression(), position=position)

    def _condition(self) -> Expression:
        """Read what the subject may equal, or an operator and its right side."""
        position, key = self.starts[self.at], self.key
        level = PRECEDENCE.get(key, 0)
        subject = CaseOperand(position=position)
        is_value = self.version == 5 and key in ("CONTAINS", "IN")
        if level == TEST and not is_value:
            return self.test(subject, position)
        if level == TEST - 1:
            self.advance()
            return Comparison((subject, self.expression(TEST)), (cast("Any", key),), position=position)
        return self.expression()

    def _parenthesised(self) -> Expression:
        if self.is_pattern(self.at):
            position = self.starts[self.at]
            return PatternExpression(self.pattern_in_expression(), position=position)
        self.advance()
        found = self.expression()
        self.expect(")")
        return found

    def _list(self) -> Expression:
        at = self.at
        position = self.starts[at]
        self.advance()
        if self.is_name(at + 1) and self.keys[at + 2] == "IN" and not self._has_comma(at):
            return self._list_comprehension(at)
        path = at + 3 if self.is_name(at + 1) and self.keys[at + 2] == "=" else at + 1
        may_be_pattern = (
            at in self.tokens.last_pipe_in_bracket and self.keys[path] == "(" and self.is_pattern(path)
        )
        if may_be_pattern and not self._has_comma(at):
            return self._pattern_comprehension(at)
        items = []
        if self.key != "]":
            items.append(self.expression())
            while self.accept(","):
                items.append(self.expression())
        self.expect("]")
        return ListLiteral(tuple(items), position=position)

    def _has_comma(self, opening: int) -> bool:
        """Tell whether a comma stands directly inside a bracket, but for those between conditions of a CASE."""
        at, cases = opening + 1, 0
        while at < self.closings[opening]:
            key = self.keys[at]
            if key == "," and not cases:
                return True
            cases += key == "CASE" and self._begins_case(at)
            cases -= key == "END" and cases > 0 and self.keys[at - 1] != "."
            at = self.closings.get(at, at) + 1
        return False

    def _list_comprehension(self, at: int) -> ListComprehension:
        variable = self.variable()
        self.expect("IN")
        bar = self.reserve_last_bar(at)
        source = self.expression()
        where = self.where()
        self.reserved.discard(bar)
        result = self.expression() if self.accept("|") else None
        self.expect("]")
        return ListComprehension(variable, source, where, result, position=self.starts[at])

    def _pattern_comprehension(self, at: int) -> PatternComprehension:
        variable = None
        if self.keys[self.at + 1] == "=":
            variable = self.variable()
            self.expect("=")
        bar = self.reserve_last_bar(at)
        pattern = self.pattern_in_expression(variable)
        where = self.where()
        self.reserved.discard(bar)
        self.expect("|")
        result = self.expression()
        self.expect("]")
        return PatternComprehension(pattern, where, result, position=self.starts[at])


_SPECIAL: dict[str, Callable[[AtomParser], Expression | None]] = {
    "(": AtomParser._parenthesised,
    "[": AtomParser._list,
    "{": AtomParser.map_literal,
    "$": AtomParser.parameter,
    "-": AtomParser._number,
    STRING: AtomParser._string,
    INTEGER: AtomParser._number,
    FLOAT: AtomParser._number,
    "COUNT": AtomParser._count,
    "EXISTS": AtomParser._subquery,
    "COLLECT": AtomParser._subquery,
    "TRIM": AtomParser._trim,
    "NORMALIZE": AtomParser._normalize,
    "REDUCE": AtomParser._reduce,
    "CASE": AtomParser._case,
    "SHORTESTPATH": AtomParser._shortest,
    "ALLSHORTESTPATHS": AtomParser._shortest,
}
_SPECIAL |= dict.fromkeys(("TRUE", "FALSE", "NULL", "INF", "INFINITY", "NAN"), AtomParser._constant)
_SPECIAL |= dict.fromkeys(("ALL", "ANY", "NONE", "SINGLE"), AtomParser._list_predicate)
"""What a value may begin with, but for plain names; these read on or, giving None, leave it to be a name."""
