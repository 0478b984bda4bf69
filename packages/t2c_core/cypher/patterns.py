"""Patterns: nodes, relationships, quantified paths, selectors of shortest paths.

Whether a bracket begins a pattern or an expression is told from the tokens after its closing one, so that nothing is
read twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher.ast_nodes import (
    NodePattern,
    ParenthesizedPath,
    PathLength,
    PathPattern,
    PathSelector,
    Quantifier,
    RelationshipPattern,
)
from t2c_core.cypher.lexer import DASH, INTEGER, LEFT, RIGHT
from t2c_core.cypher.primary_expressions import AtomParser

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import LabelExpression, MapLiteral, Parameter, PathPart, Variable

_DASHES = ("-", DASH)
_LEFTS = ("<", LEFT)
_RIGHTS = (">", RIGHT)
_SELECTORS = ("ANY", "ALL", "SHORTEST")
_AFTER_SELECTOR = ("(", INTEGER, "SHORTEST", "PATH", "PATHS", "GROUP", "GROUPS")
_SHORTEST = {"SHORTESTPATH": "shortestPath", "ALLSHORTESTPATHS": "allShortestPaths"}
_AFTER_NODE_NAME = (")", ":", "{", "$", "WHERE", "IS")
_AFTER_TYPE_NAME = ("]", ":", "*", "{", "$", "WHERE", "IS")


class PatternParser(AtomParser):
    """Reads patterns."""

    def patterns(self) -> tuple[PathPattern, ...]:
        """Read patterns parted by commas."""
        found = [self.path_pattern()]
        while self.accept(","):
            found.append(self.path_pattern())
        return tuple(found)

    def path_pattern(self) -> PathPattern:
        """Read `[variable =] [selector] parts`."""
        position = self.starts[self.at]
        variable = None
        if self.is_name(self.at) and self.keys[self.at + 1] == "=":
            variable = self.variable()
            self.advance()
        selector = self._selector() if self.key in _SELECTORS else None
        if self.key in _SHORTEST:
            parts, shortest = self._shortest_path()
        else:
            parts, shortest = self._parts(), None
        return PathPattern(parts, variable, selector, cast("Any", shortest), position=position)

    def pattern_in_expression(self, variable: Variable | None = None) -> PathPattern:
        """Read nodes and relationships, or shortestPath(…), where a value may stand."""
        position = self.starts[self.at] if variable is None else variable.position
        if self.key in _SHORTEST:
            parts, shortest = self._shortest_path()
            return PathPattern(parts, variable, shortest=cast("Any", shortest), position=position)
        found: list[PathPart] = [self._node()]
        while self._is_relationship(self.at):
            found.append(self._relationship())
            found.append(self._node())
        return PathPattern(tuple(found), variable, position=position)

    def is_pattern(self, at: int) -> bool:
        """Tell whether the bracket at a token begins a pattern with a relationship, and not an expression."""
        return self._is_relationship(self.closings[at] + 1) and self._is_node(at)

    def _is_node(self, at: int) -> bool:
        at += 1
        if self.keys[at] in ("WHERE", ")"):
            return True
        return self.keys[at + 1 if self.is_name(at) else at] in _AFTER_NODE_NAME

    def _is_relationship(self, at: int) -> bool:
        """Tell whether a relationship and the bracket of a node begin at a token."""
        keys = self.keys
        at += keys[at] in _LEFTS
        if keys[at] not in _DASHES:
            return False
        at += 1
        if keys[at] == "[":
            inside = at + 1
            if keys[inside + 1 if self.is_name(inside) else inside] not in _AFTER_TYPE_NAME and (
                keys[inside] not in ("WHERE", "IS")
            ):
                return False
            at = self.closings[at] + 1
        if keys[at] not in _DASHES:
            return False
        at += 1
        return keys[at + (keys[at] in _RIGHTS)] == "("

    # Parts

    def _shortest_path(self) -> tuple[tuple[PathPart, ...], str]:
        function = _SHORTEST[self.key]
        self.advance()
        self.expect("(")
        parts = self._parts()
        self.expect(")")
        return parts, function

    def _selector(self) -> PathSelector:
        position, kind = self.starts[self.at], self.key
        self.advance()
        if kind != "SHORTEST" and self.accept("SHORTEST"):
            kind += " SHORTEST"
        count = self.count() if kind in ("ANY", "SHORTEST") and self.key == INTEGER else None
        if self.key in ("PATH", "PATHS"):
            self.advance()
        if kind == "SHORTEST" and self.key in ("GROUP", "GROUPS"):
            self.advance()
            kind = "SHORTEST GROUPS"
        elif kind == "SHORTEST" and count is None:
            raise self.unexpected("how many, or GROUP,")
        return PathSelector(cast("Any", kind), count, position=position)

    def _parts(self) -> tuple[PathPart, ...]:
        found: list[PathPart] = [self._node_or_group()]
        while True:
            if self.key in _LEFTS or self.key in _DASHES:
                if not isinstance(found[-1], NodePattern):
                    raise self.unexpected("a node")
                found.append(self._relationship())
                found.append(self._node())
            elif self.key == "(":
                found.append(self._node_or_group())
            else:
                return tuple(found)

    def _node_or_group(self) -> NodePattern | ParenthesizedPath:
        if self.key != "(":
            raise self.unexpected("a pattern")
        first, second = self.keys[self.at + 1], self.keys[self.at + 2]
        is_group = first == "(" or (self.is_name(self.at + 1) and second == "=")
        if is_group or (first in _SELECTORS and second in _AFTER_SELECTOR):
            return self._group()
        return self._node()

    def _group(self) -> ParenthesizedPath:
        position = self.starts[self.at]
        self.expect("(")
        pattern = self.path_pattern()
        where = self.where()
        self.expect(")")
        return ParenthesizedPath(pattern, where, self._quantifier(), position=position)

    def _node(self) -> NodePattern:
        position = self.starts[self.at]
        self.expect("(")
        variable = self._pattern_variable(_AFTER_NODE_NAME)
        labels = self._pattern_labels()
        properties = self._properties()
        where = self.where()
        self.expect(")")
        return NodePattern(variable, labels, properties, where, position=position)

    def _relationship(self) -> RelationshipPattern:
        position = self.starts[self.at]
        to_left = self._take_one(_LEFTS)
        self._expect_dash()
        variable = types = length = properties = where = None
        if self.accept("["):
            variable = self._pattern_variable(_AFTER_TYPE_NAME)
            types = self._pattern_labels()
            length = self._length() if self.key == "*" else None
            properties = self._properties()
            where = self.where()
            self.expect("]")
        self._expect_dash()
        to_right = self._take_one(_RIGHTS)
        direction = "-" if to_left == to_right else "<-" if to_left else "->"
        quantifier = self._quantifier()
        return RelationshipPattern(
            variable, types, cast("Any", direction), length, properties, where, quantifier, position=position
        )

    def _take_one(self, keys: tuple[str, ...]) -> bool:
        return self.key in keys and self.accept(self.key)

    def _expect_dash(self) -> None:
        if not self._take_one(_DASHES):
            raise self.unexpected("- of a relationship")

    def _pattern_variable(self, following: tuple[str, ...]) -> Variable | None:
        """Read the variable of a node or relationship, unless the word is WHERE or IS with what belongs to it."""
        if not self.is_name(self.at):
            return None
        if self.keys[self.at + 1] not in following and self.key in ("WHERE", "IS"):
            return None
        return self.variable()

    def _pattern_labels(self) -> LabelExpression | None:
        if self.key in (":", "IS"):
            self.advance()
            return self.labels()
        return None

    def _properties(self) -> MapLiteral | Parameter | None:
        if self.key == "{":
            return self.map_literal()
        return self.parameter() if self.key == "$" else None

    def _length(self) -> PathLength:
        position = self.starts[self.at]
        self.expect("*")
        least = self.count() if self.key == INTEGER else None
        if not self.accept(".."):
            return PathLength(least, least, position=position)
        return PathLength(least, self.count() if self.key == INTEGER else None, position=position)

    def _quantifier(self) -> Quantifier | None:
        position = self.starts[self.at]
        if self.accept("+"):
            return Quantifier(1, None, position=position)
        if self.accept("*"):
            return Quantifier(0, None, position=position)
        if not self.accept("{"):
            return None
        least = self.count() if self.key == INTEGER else None
        if least is not None and self.accept("}"):
            return Quantifier(least, least, position=position)
        self.expect(",")
        most = self.count() if self.key == INTEGER else None
        self.expect("}")
        return Quantifier(least or 0, most, position=position)
