"""Operators between values, and what follows a value: `.key`, `[index]`, `IS NULL`, `:Label`.

Holds no values themselves (see `atoms`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, cast

from t2c_core.cypher.ast_nodes import (
    Arithmetic,
    BinaryPredicate,
    Comparison,
    ContainerIndex,
    IsNormalized,
    IsNull,
    IsTyped,
    LabelPredicate,
    ListSlice,
    Logical,
    Not,
    Property,
    UnaryOp,
)
from t2c_core.cypher.labels import LabelParser
from t2c_core.cypher.lexer import FLOAT, INTEGER, MAX_DEPTH
from t2c_core.cypher.value_types import TypeParser

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression

min_precedence, NEGATION, COMPARISON, TEST, ADDITION, POWER = 3, 4, 5, 6, 7, 9
"""How strongly operators bind: OR 1, XOR 2, AND 3, NOT 4, comparisons 5, tests 6, + 7, * 8, ^ 9."""
PRECEDENCE = (
    {"OR": 1, "XOR": 2, "AND": 3}
    | dict.fromkeys(("=", "<>", "<", ">", "<=", ">="), COMPARISON)
    | dict.fromkeys(("=~", "STARTS", "ENDS", "CONTAINS", "IN", "IS", "::"), TEST)
    | {"+": 7, "-": 7, "||": 7, "*": 8, "/": 8, "%": 8, "^": 9}
)
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]


class OperatorParser(TypeParser, LabelParser):
    """Reads expressions by the strength of their operators."""

    @abstractmethod
    def atom(self) -> Expression:
        """Read a value without operators around it."""

    def expression(self, level: int = 1) -> Expression:
        """Read an expression whose operators bind at least as strongly as `level`."""
        position = self.starts[self.at]
        left = self._not() if self.key == "NOT" and level <= NEGATION else self._signed()
        ceiling = POWER + 1
        while True:
            found = PRECEDENCE.get(self.key, 0)
            if not level <= found < ceiling:
                return left
            left = self.test(left, position) if found == TEST else self._chain(left, found, position)
            ceiling = found

    def where(self) -> Expression | None:
        """Read WHERE and its condition, if there is one."""
        return self.expression() if self.accept("WHERE") else None

    def _chain(self, left: Expression, level: int, position: int) -> Expression:
        operands, operators = [left], []
        first = self.key
        while PRECEDENCE.get(self.key) == level:
            operators.append(self.key)
            self.advance()
            operands.append(self.expression(level + 1))
        if level <= min_precedence:
            return Logical(cast("Any", first), tuple(operands), position=position)
        kind = Comparison if level == COMPARISON else Arithmetic
        return kind(tuple(operands), cast("Any", tuple(operators)), position=position)

    def _not(self) -> Expression:
        positions = []
        while self.key == "NOT":
            positions.append(self.starts[self.at])
            self.advance()
        if len(positions) > MAX_DEPTH:
            raise self.error(f"there are more than {MAX_DEPTH} NOT in a row", "depth")
        found = self.expression(COMPARISON)
        for position in reversed(positions):
            found = Not(found, position=position)
        return found

    def _signed(self) -> Expression:
        sign = self.key
        is_number = sign == "-" and self.keys[self.at + 1] in (INTEGER, FLOAT)
        if sign not in ("-", "+") or is_number:
            return self._accessed()
        position = self.starts[self.at]
        self.advance()
        return UnaryOp(cast("Any", sign), self._accessed(), position=position)

    def _accessed(self) -> Expression:
        """Read a value and the accesses after it."""
        found = self.atom()
        while True:
            if self.key == ".":
                self.advance()
                position = self.starts[self.at]
                found = Property(found, self.name("a property"), position=position)
            elif self.key == "[":
                found = self._item(found)
            elif self.key == ":":
                position = self.starts[self.at]
                self.advance()
                found = LabelPredicate(found, self.labels(), position=position)
            else:
                return found

    def _item(self, subject: Expression) -> Expression:
        position = self.starts[self.at]
        self.expect("[")
        start = None if self.key == ".." else self.expression()
        if start is not None and self.accept("]"):
            return ContainerIndex(subject, start, position=position)
        self.expect("..")
        end = None if self.key == "]" else self.expression()
        if start is None and end is None:
            raise self.unexpected("the start or end of a slice")
        self.expect("]")
        return ListSlice(subject, start, end, position=position)

    def test(self, left: Expression, position: int) -> Expression:
        """Read a test of a value that was read already: `IN …`, `STARTS WITH …`, `IS …`, `:: TYPE`."""
        operator = self.key
        self.advance()
        if operator == "IS":
            return self._is(left, position)
        if operator == "::":
            return IsTyped(left, self.type_name(), position=position)
        if operator in ("STARTS", "ENDS"):
            self.expect("WITH")
            operator += " WITH"
        return BinaryPredicate(cast("Any", operator), left, self.expression(ADDITION), position=position)

    def _is(self, left: Expression, position: int) -> Expression:
        following = self.keys[self.at + 1]
        negated = self.key == "NOT" and (following in ("NULL", "TYPED", "::", "NORMALIZED", *FORMS))
        if negated:
            self.advance()
        if self.accept("NULL"):
            return IsNull(left, negated, position=position)
        if self.key in ("TYPED", "::"):
            self.advance()
            return IsTyped(left, self.type_name(), negated, position=position)
        form = self.normal_form() if self.key in FORMS and self.keys[self.at + 1] == "NORMALIZED" else "NFC"
        if self.accept("NORMALIZED"):
            return IsNormalized(left, form, negated, position=position)
        if negated:
            raise self.unexpected("NULL or a type")
        return LabelPredicate(left, self.labels(), position=position)

    def normal_form(self) -> NormalForm:
        """Read the name of a Unicode normal form."""
        if self.key not in FORMS:
            raise self.unexpected(f"one of {', '.join(FORMS)}")
        form = self.key
        self.advance()
        return cast("NormalForm", form)
