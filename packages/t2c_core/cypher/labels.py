"""Label expressions of nodes and relationships: `A`, `A|B`, `A&!B`, `%`, `$(…)`, and the older `A:B` and `A|:B`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from t2c_core.cypher.ast_nodes import AnyLabel, DynamicLabel, Label, LabelAnd, LabelNot, LabelOr
from t2c_core.cypher.lexer import MAX_DEPTH
from t2c_core.cypher.token_stream import TokenStream

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import LabelExpression


class LabelParser(TokenStream):
    """Reads label expressions, after their colon or IS."""

    def labels(self) -> LabelExpression:
        """Read a whole label expression."""
        position = self.starts[self.at]
        found = [self._conjunction()]
        while self.key == "|" and self.at not in self.reserved:
            self.advance()
            self.accept(":")
            found.append(self._conjunction())
        return found[0] if len(found) == 1 else LabelOr(tuple(found), position=position)

    def _conjunction(self) -> LabelExpression:
        position = self.starts[self.at]
        found = [self._negation()]
        while self.key in ("&", ":"):
            self.advance()
            found.append(self._negation())
        return found[0] if len(found) == 1 else LabelAnd(tuple(found), position=position)

    def _negation(self) -> LabelExpression:
        marks = []
        while self.key == "!":
            marks.append(self.starts[self.at])
            self.advance()
        if len(marks) > MAX_DEPTH:
            raise self.error(f"there are more than {MAX_DEPTH} ! in a row", "depth")
        found = self._label()
        for position in reversed(marks):
            found = LabelNot(found, position=position)
        return found

    def _label(self) -> LabelExpression:
        position = self.starts[self.at]
        if self.accept("("):
            found = self.labels()
            self.expect(")")
            return found
        if self.accept("%"):
            return AnyLabel(position=position)
        if self.accept("$"):
            quantity: Literal["ALL", "ANY"] = "ANY" if self.key == "ANY" else "ALL"
            if self.key in ("ALL", "ANY"):
                self.advance()
            self.expect("(")
            expression = self.expression()
            self.expect(")")
            return DynamicLabel(expression, quantity, position=position)
        return Label(self.name("a label or type"), position=position)
