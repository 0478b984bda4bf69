"""What a query matches, compares, computes and returns, read from its syntax tree.

A query outside the read-only subset has an empty analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import AGGREGATES, MIRRORED, children, transform, walk
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.cypher.ast_nodes import Expression, LabelExpression, Node
    from t2c_core.schema.model import Scalar

_NESTED = (t.SubqueryExpression, t.PatternComprehension, t.PatternExpression)
"""Expressions whose inner accesses and literals belong to comparisons of their own."""
_LITERALS = (t.String, t.Integer, t.Float)
_UNKNOWN = "?"
"""Name of the parameter with which a pattern property is compared if its value cannot be known."""


@dataclass(frozen=True, slots=True)
class Access:
    """A property of a variable."""

    variable: str
    property: str


@dataclass(frozen=True, slots=True)
class RelationshipPattern:
    """A relationship of a pattern; nodes and relationships without a variable get an invented one."""

    variable: str
    types: tuple[str, ...]
    source: str
    target: str
    directed: bool
    is_variable_length: bool = False
    """Whether it stands for several relationships in a row."""


@dataclass(frozen=True, slots=True)
class ValueComparison:
    """A comparison of properties with a value."""

    accesses: tuple[Access, ...]
    """Properties compared; empty if an aggregate, a count or another computed value is compared."""
    operator: str
    """Operator with the value on its right."""
    value: Scalar
    parameter: str = ""
    """Name of the parameter whose value it is; empty for a literal."""
    negated: bool = False
    """Whether the comparison stands below an odd number of negations."""
    computed: bool = False
    """Whether the value is an argument of a function."""
    figures: frozenset[str] = frozenset()
    """Aggregating functions on the compared side."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of the result."""

    name: str
    expression: Expression
    """The expression, with aliases of earlier clauses replaced by their own expressions."""
    aggregate: bool
    accesses: tuple[Access, ...]
    functions: frozenset[str]
    """Names of the functions called in it, in lower case."""


class QueryAnalysis:
    """Analysis of a query.

    Args:
        cypher: One query.
        parameters: Values by parameter name, without the dollar sign.
    """

    def __init__(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> None:
        self.cypher = cypher
        self.parameters = parameters or {}
        self.tree: t.Query | None = None
        """The syntax tree; None if the query is not in the read-only subset."""
        try:
            self.tree = parse(cypher)
        except CypherSyntaxError:
            self._nodes: list[Node] = []
        else:
            self._nodes = list(walk(self.tree))
        self.labels: dict[str, set[str]] = {}
        """Labels which the patterns require of each node variable; empty if none."""
        self.edges: list[RelationshipPattern] = []
        self.entries: list[ValueComparison] = []
        """Comparisons written as `{name: value}` in a pattern."""
        self.nested: list[Access] = []
        """Properties which a pattern compares with a map, which no property can hold: `{age: {gt: 60}}`."""
        for node in self._nodes:
            if isinstance(node, t.PathPattern):
                self._read_path(node)

    # Patterns

    def _read_path(self, path: t.PathPattern) -> None:
        groups = [part for part in path.parts if isinstance(part, t.ParenthesizedPath)]
        in_group = {id(part) for group in groups if group.quantifier for part in group.pattern.parts}
        names = [_variable_name(part) for part in path.parts]
        for number, part in enumerate(path.parts):
            if isinstance(part, t.NodePattern):
                self.labels.setdefault(names[number], set()).update(_required_names(part.labels))
                self._read_entries(part, names[number])
            elif isinstance(part, t.RelationshipPattern):
                ends = names[number - 1], names[number + 1]
                source, target = reversed(ends) if part.direction == "<-" else ends
                is_path = part.length is not None or part.quantifier is not None or id(part) in in_group
                types = _required_names(part.types)
                self.edges.append(
                    RelationshipPattern(names[number], types, source, target, part.direction != "-", is_path)
                )
                self._read_entries(part, names[number])

    def _read_entries(self, part: t.NodePattern | t.RelationshipPattern, variable: str) -> None:
        if not isinstance(part.properties, t.MapLiteral):
            return
        for entry in part.properties.entries:
            access = Access(variable, entry.key)
            if isinstance(entry.value, t.MapLiteral):
                self.nested.append(access)
                continue
            values = list(self._values(self.resolved(entry.value))) or [("", _UNKNOWN)]
            self.entries += [ValueComparison((access,), "=", value, name) for value, name in values]

    # Names

    @cached_property
    def variables(self) -> dict[str, str]:
        """Variables of patterns to which later variables refer, by the later name."""
        known = {*self.labels, *(edge.variable for edge in self.edges)}
        return {
            item.alias.name: item.expression.name
            for item in self._nodes
            if isinstance(item, t.ProjectionItem) and item.alias and isinstance(item.expression, t.Variable)
            if item.expression.name in known
        }

    @cached_property
    def _aliases(self) -> dict[str, Expression]:
        """Expressions by the name which WITH or UNWIND gives them."""
        found: dict[str, Expression] = {}
        for node in self._nodes:
            if isinstance(node, t.Unwind):
                found[node.variable.name] = node.expression
            elif isinstance(node, t.With):
                found.update({item.alias.name: item.expression for item in node.items if item.alias})
        return {
            name: expression for name, expression in found.items() if not isinstance(expression, t.Variable)
        }

    def resolved(self, expression: Expression, seen: frozenset[str] = frozenset()) -> Expression:
        """Return an expression with aliases replaced by their expressions."""

        def change(node: Node) -> Node:
            name = node.name if isinstance(node, t.Variable) else ""
            if name in seen or name not in self._aliases:
                return node
            return cast("Node", self.resolved(self._aliases[name], seen | {name}))

        if not self._aliases or isinstance(expression, t.SubqueryExpression):
            return expression
        try:
            return cast("Expression", transform(cast("Node", expression), change))
        except RecursionError:
            return expression

    # Properties and values

    @cached_property
    def accesses(self) -> tuple[Access, ...]:
        """Every property which is read, each once."""
        compared = [access for entry in self.entries for access in entry.accesses]
        nested = self.nested
        return tuple(dict.fromkeys([*compared, *nested, *_accesses(self._nodes)]))

    @cached_property
    def comparisons(self) -> tuple[ValueComparison, ...]:
        """Every comparison with a value."""
        found = list(self.entries)
        for node, negated in _with_polarity(self.tree) if self.tree else ():
            if isinstance(node, t.BinaryPredicate):
                found += self._compared(node.left, node.operator, node.right, negated=negated)
            elif isinstance(node, t.Comparison):
                for number, operator in enumerate(node.operators):
                    left, right = node.operands[number : number + 2]
                    found += self._compared(left, operator, right, negated=negated)
        return tuple(found)

    def _compared(
        self, left: Expression, operator: str, right: Expression, *, negated: bool
    ) -> Iterator[ValueComparison]:
        sides = [list(_outer(self.resolved(each))) for each in (left, right)]
        figures = [functions(side) & AGGREGATES for side in sides]
        accesses = [
            () if figure else tuple(_accesses(side)) for side, figure in zip(sides, figures, strict=True)
        ]
        for held, side, other in ((0, right, 1), (1, left, 0)):
            if accesses[other] or figures[other]:
                continue
            shown = MIRRORED.get(operator, operator) if held else operator
            for value, name in self._values(self.resolved(side)):
                computed = any(isinstance(node, t.FunctionInvocation) for node in sides[other])
                own = tuple(dict.fromkeys(accesses[held]))
                yield ValueComparison(own, shown, value, name, negated, computed, figures[held])

    def _values(self, expression: Expression) -> Iterator[tuple[Scalar, str]]:
        """Yield the literals and parameter values of an expression, with the names of the parameters."""
        for node in _outer(expression):
            if isinstance(node, _LITERALS):
                yield node.value, ""
            elif isinstance(node, t.Parameter):
                given = self.parameters.get(node.name)
                for value in given if isinstance(given, list | tuple) else [given]:
                    if isinstance(value, str | int | float):
                        yield value, node.name

    @cached_property
    def values(self) -> frozenset[Scalar]:
        """Every literal of the query, the values of its parameters, and the lengths of its paths."""
        found: set[Scalar] = set()
        for node in self._nodes:
            if isinstance(node, t.PathLength | t.Quantifier):
                found |= {length for length in (node.least, node.most) if length is not None}
            elif isinstance(node, t.Parameter | t.String | t.Integer | t.Float):
                found.update(value for value, _ in self._values(node))
        return frozenset(found)

    # Result

    @cached_property
    def result(self) -> t.Return | None:
        """The last RETURN of the query itself."""
        last = self.tree.parts[-1].clauses[-1] if self.tree else None
        return last if isinstance(last, t.Return) else None

    @cached_property
    def items(self) -> tuple[ResultColumn, ...]:
        """The columns of the result, except those of `RETURN *`."""
        found = []
        for item in self.result.items if self.result else ():
            expression = self.resolved(item.expression)
            nodes = list(walk(cast("Node", expression)))
            called = functions(nodes)
            name = item.alias.name if item.alias else _column_name(item.expression)
            accesses = tuple(_accesses(nodes))
            found.append(ResultColumn(name, expression, bool(called & AGGREGATES), accesses, called))
        return tuple(found)

    @cached_property
    def returns_elements(self) -> bool:
        """Whether the result has whole nodes or relationships, or all their properties."""
        whole = {*self.labels, *self.variables}
        return bool(self.result and self.result.star) or any(
            (isinstance(item.expression, t.Variable) and item.expression.name in whole)
            or "properties" in item.functions
            or any(isinstance(node, t.AllPropertiesSelector) for node in walk(cast("Node", item.expression)))
            for item in self.items
            if not item.aggregate
        )

    @cached_property
    def functions(self) -> frozenset[str]:
        """Names of all functions called, in lower case."""
        return functions(self._nodes)

    @cached_property
    def averages(self) -> bool:
        """Whether an average is computed, by avg() or as a quotient of a sum."""
        quotients = [node for node in self._nodes if isinstance(node, t.Arithmetic) and "/" in node.operators]
        return "avg" in self.functions or any("sum" in functions(list(walk(node))) for node in quotients)

    @cached_property
    def order(self) -> tuple[t.SortItem, ...]:
        """The sort items of the last ORDER BY, of the result if it is sorted."""
        if self.result and self.result.order:
            return self.result.order
        sorted_clauses = [node.order for node in self._paged if node.order]
        return sorted_clauses[-1] if sorted_clauses else ()

    @cached_property
    def limit(self) -> Scalar | None:
        """The value of LIMIT of the result, else of the last LIMIT; None without one or if it is computed."""
        limits = [node.limit for node in self._paged if node.limit]
        if self.result and self.result.limit:
            limits.append(self.result.limit)
        values = list(self._values(limits[-1])) if limits else []
        return values[0][0] if len(values) == 1 else None

    @property
    def limits(self) -> set[Scalar]:
        """The values of all LIMITs."""
        return {value for node in self._paged if node.limit for value, _ in self._values(node.limit)}

    @cached_property
    def negates(self) -> bool:
        """Whether the query negates a condition other than an order comparison, or compares by `<>` with a value."""
        for node in self._nodes:
            if isinstance(node, t.Not):
                operand = node.operand
                is_range = isinstance(operand, t.Comparison) and operand.operators[0] in MIRRORED
                if not is_range and not isinstance(operand, t.IsNull):
                    return True
            if isinstance(node, t.LabelNot) or (
                isinstance(node, t.IterablePredicate) and node.kind == "NONE"
            ):
                return True
        return any(each.operator == "<>" and each.accesses for each in self.comparisons)

    @cached_property
    def is_lenient_negation(self) -> bool:
        """Whether the query may express a negation otherwise: a null test, false, a comparison with 0, or CASE."""
        kinds = (t.IsNull, t.CaseExpression, t.Boolean)
        optional = any(isinstance(node, t.Match) and node.optional for node in self._nodes)
        negated = any(isinstance(node, t.Not) for node in self._nodes)
        compared = any(
            each.value in (0, 1) and each.operator in {"=", "<", "<=", "<>"} for each in self.comparisons
        )
        return optional or negated or compared or any(isinstance(node, kinds) for node in self._nodes)

    @property
    def has_limit(self) -> bool:
        """Whether any clause has a LIMIT."""
        return any(node.limit for node in self._paged)

    @property
    def _paged(self) -> list[t.Projection | t.OrderBySkipLimit]:
        return [node for node in self._nodes if isinstance(node, t.Projection | t.OrderBySkipLimit)]


def functions(nodes: list[Node]) -> frozenset[str]:
    """Return the names of the functions and subquery expressions among nodes, in lower case."""
    found = {".".join(node.name).lower() for node in nodes if isinstance(node, t.FunctionInvocation)}
    found |= {node.kind.lower() for node in nodes if isinstance(node, t.SubqueryExpression)}
    return frozenset(found | ({"count"} if any(isinstance(node, t.CountStar) for node in nodes) else set()))


def _variable_name(part: Node) -> str:
    variable = getattr(part, "variable", None)
    return variable.name if variable else f"#{part.position}"


def _required_names(labels: LabelExpression | None) -> tuple[str, ...]:
    """Return the labels or types of a label expression; none if it is negated or computed."""
    nodes = list(walk(labels)) if labels else []
    if any(isinstance(node, t.LabelNot | t.AnyLabel | t.DynamicLabel) for node in nodes):
        return ()
    return tuple(node.name for node in nodes if isinstance(node, t.Label))


def _column_name(expression: Expression) -> str:
    return expression.name if isinstance(expression, t.Variable) else render(expression)


def _accesses(nodes: list[Node]) -> Iterator[Access]:
    """Yield the properties of variables among nodes."""
    for node in nodes:
        if isinstance(node, t.Property) and isinstance(node.subject, t.Variable):
            yield Access(node.subject.name, node.key)
        elif isinstance(node, t.ContainerIndex):
            if isinstance(node.subject, t.Variable) and isinstance(node.index, t.String):
                yield Access(node.subject.name, node.index.value)
        elif isinstance(node, t.MapProjection):
            for item in node.items:
                if isinstance(item, t.PropertySelector):
                    yield Access(node.variable.name, item.key)


def _outer(expression: Expression) -> Iterator[Node]:
    """Yield the nodes of an expression, without those inside subqueries and patterns."""
    stack: list[Node] = [cast("Node", expression)]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _NESTED):
            stack.extend(reversed(tuple(children(node))))


def _with_polarity(tree: t.Query) -> Iterator[tuple[Node, bool]]:
    """Yield all nodes, with whether they stand below an odd number of negations."""
    stack: list[tuple[Node, bool]] = [(tree, False)]
    while stack:
        node, negated = stack.pop()
        yield node, negated
        flips = isinstance(node, t.Not) or (isinstance(node, t.IterablePredicate) and node.kind == "NONE")
        stack.extend((child, negated ^ flips) for child in reversed(tuple(children(node))))
