"""Names, calls of functions, and the forms that look like calls: `reduce(…)`, `any(x IN …)`, `EXISTS { … }`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher.ast_nodes import (
    AllPropertiesSelector,
    CountStar,
    FunctionInvocation,
    IterablePredicate,
    MapEntry,
    MapProjection,
    Normalize,
    PatternExpression,
    PropertySelector,
    ReduceExpression,
    SubqueryExpression,
    Trim,
    Variable,
)
from t2c_core.cypher.lexer import INTEGER, NAME_STARTS, STRING
from t2c_core.cypher.operators import PRECEDENCE, OperatorParser

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression

_OPERAND_STARTS = NAME_STARTS | {STRING, INTEGER[0], "$", "[", "{"}
_WORD_OPERATORS = frozenset({"AND", "OR", "XOR", "IN", "IS", "STARTS", "ENDS", "CONTAINS", "AS"})


class CallParser(OperatorParser):
    """Reads what begins with a name."""

    def parse_named(self) -> Expression:
        """Read a variable, a map projection of one, or a call."""
        following = self.keys[self.at + 1]
        if following == "(":
            return self._call()
        if following == ".":
            at = self.at
            while self.keys[at + 1] == "." and self.is_name(at + 2):
                at += 2
            if self.keys[at + 1] == "(":
                return self._call()
        variable = self.variable()
        return self._projection(variable) if self.key == "{" else variable

    def _call(self) -> FunctionInvocation:
        position = self.starts[self.at]
        name = self.dotted_name()
        self.expect("(")
        distinct = self.key == "DISTINCT" and self._begins_operand(self.at + 1)
        if distinct or (self.key == "ALL" and self._begins_operand(self.at + 1)):
            self.advance()
        return FunctionInvocation(name, self.parse_arguments(), distinct, position=position)

    def _begins_operand(self, at: int) -> bool:
        key = self.keys[at]
        if self.keys[at - 1] == "DISTINCT" and key in ("(", "-", "+"):
            return True
        return key[0] in _OPERAND_STARTS and key not in _WORD_OPERATORS

    def dotted_name(self) -> tuple[str, ...]:
        """Read the name of a function or procedure."""
        parts = [self.name()]
        while self.accept("."):
            parts.append(self.name())
        return tuple(parts)

    def parse_arguments(self) -> tuple[Expression, ...]:
        """Read what stands between brackets, after the opening one, and the closing one."""
        found = []
        if self.key != ")":
            found.append(self.expression())
            while self.accept(","):
                found.append(self.expression())
        self.expect(")")
        return tuple(found)

    def _projection(self, variable: Variable) -> MapProjection:
        self.expect("{")
        items: list[AllPropertiesSelector | PropertySelector | Variable | MapEntry] = []
        while self.key != "}":
            items.append(self._projected())
            if self.key != "}":
                self.expect(",")
                if self.key == "}":
                    raise self.unexpected("a key")
        self.advance()
        return MapProjection(variable, tuple(items), position=variable.position)

    def _projected(self) -> AllPropertiesSelector | PropertySelector | Variable | MapEntry:
        if self.accept("."):
            position = self.starts[self.at]
            if self.accept("*"):
                return AllPropertiesSelector(position=position)
            return PropertySelector(self.name("a property"), position=position)
        return self.parse_map_entry() if self.keys[self.at + 1] == ":" else self.variable()

    def _count(self) -> Expression | None:
        if self.keys[self.at + 1 : self.at + 4] != ["(", "*", ")"]:
            return self._subquery()
        position = self.starts[self.at]
        for _ in range(4):
            self.advance()
        return CountStar(position=position)

    def _subquery(self) -> SubqueryExpression | None:
        following = self.keys[self.at + 2]
        is_projection = following in (".", "}") or (
            self.is_name(self.at + 2) and self.keys[self.at + 3] in (":", ",", "}")
        )
        if self.keys[self.at + 1] != "{" or is_projection:
            return None
        position, kind = self.starts[self.at], self.key
        self.advance()
        self.advance()
        query = self.query() if kind == "COLLECT" else self.query_or_pattern()
        self.expect("}")
        return SubqueryExpression(cast("Any", kind), query, position=position)

    def _trim(self) -> Trim | FunctionInvocation | None:
        if self.keys[self.at + 1] != "(":
            return None
        begin = self.at
        position = self.starts[begin]
        self.advance()
        self.advance()
        mode = self.key if self.key in ("BOTH", "LEADING", "TRAILING") else None
        following = self.keys[self.at + 1]
        if mode and (following in (")", ",", ".") or following in PRECEDENCE.keys() - {"-", "+"}):
            mode = None
        if mode:
            self.advance()
        characters = None if self.key == "FROM" else self.expression()
        if mode is None and self.key != "FROM":
            self.accept(",")
            return FunctionInvocation(
                (self.texts[begin],), (cast("Any", characters), *self.parse_arguments()), position=position
            )
        self.expect("FROM")
        source = self.expression()
        self.expect(")")
        return Trim(cast("Any", mode or "BOTH"), characters, source, position=position)

    def _normalize(self) -> Normalize | None:
        begin = self.at
        end = self.closings.get(begin + 1, 0)
        if self.keys[begin + 1] != "(" or self.keys[end - 2] != ",":
            return None
        position = self.starts[begin]
        self.advance()
        self.advance()
        source = self.expression()
        self.expect(",")
        form = self.normal_form()
        self.expect(")")
        return Normalize(source, form, position=position)

    def _list_predicate(self) -> IterablePredicate | None:
        at = self.at
        if self.keys[at + 1] != "(" or not self.is_name(at + 2) or self.keys[at + 3] != "IN":
            return None
        position, kind = self.starts[at], self.key
        self.advance()
        self.advance()
        variable = self.variable()
        self.expect("IN")
        source = self.expression()
        where = self.where()
        self.expect(")")
        return IterablePredicate(cast("Any", kind), variable, source, where, position=position)

    def _reduce(self) -> ReduceExpression | None:
        at = self.at
        if self.keys[at + 1] != "(" or not self.is_name(at + 2) or self.keys[at + 3] != "=":
            return None
        position = self.starts[at]
        self.advance()
        self.advance()
        accumulator = self.variable()
        self.expect("=")
        bar = self.reserve_last_bar(at + 1)
        initial = self.expression()
        self.expect(",")
        variable = self.variable()
        self.expect("IN")
        source = self.expression()
        self.reserved.discard(bar)
        self.expect("|")
        step = self.expression()
        self.expect(")")
        return ReduceExpression(accumulator, initial, variable, source, step, position=position)

    def _shortest(self) -> PatternExpression | None:
        if self.keys[self.at + 1] != "(":
            return None
        position = self.starts[self.at]
        return PatternExpression(self.pattern_in_expression(), position=position)

    def parse_map_entry(self) -> MapEntry:
        """Read `key: value`."""
        position = self.starts[self.at]
        key = self.name("a key")
        self.expect(":")
        return MapEntry(key, self.expression(), position=position)

    def reserve_last_bar(self, opening: int) -> int:
        """Keep the last `|` directly inside a bracket from being read as part of a label expression."""
        bar = self.tokens.last_pipe_in_bracket.get(opening, -1)
        self.reserved.add(bar)
        return bar
