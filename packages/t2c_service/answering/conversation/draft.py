"""The query of the turn before as a draft that edits change: patterns, conditions, columns, order and limit.

A draft is `MATCH … [MATCH …] [WITH …] RETURN …`; a query of another form can only have values replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import MIRRORED, has_aggregate, transform, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from t2c_core.cypher.ast_nodes import Clause, Expression, LabelExpression, Node
    from t2c_core.schema.model import GraphSchema

_LITERALS = (t.String, t.Integer, t.Float)
_PARTS = frozenset({"year", "month", "day"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that compares a property with a value, or reads its truth."""

    owner: str
    """Label or relationship type."""
    variable: str
    key: str
    part: str
    """`year`, `month` or `day` of a date; empty for the whole value."""
    operator: str
    """Operator with the value on its right; `is` for a truth."""
    parameter: str
    """Name of the parameter; empty for a truth."""
    node: Node
    """The term in the query, with its negation."""
    negated: bool = False


class Draft:
    """A parsed query with its parameters; edits change it in place.

    Args:
        cypher: query of the read-only subset.
        parameters: values of its parameters.
        schema: schema of the graph.

    Raises:
        CypherSyntaxError: the text is no such query.
    """

    def __init__(self, cypher: str, parameters: Mapping[str, Any], schema: GraphSchema) -> None:
        self.schema = schema
        self.parameters = dict(parameters)
        self.tree = self._lift(_named(parse(cypher)))
        self.owners = _owners(self.tree)
        """Label or relationship type by variable; absent where it is not one."""
        clauses = list(self.tree.parts[0].clauses) if len(self.tree.parts) == 1 else []
        count = next((i for i, each in enumerate(clauses) if not isinstance(each, t.Match)), len(clauses))
        rest = clauses[count:]
        self.is_open = (
            count > 0
            and bool(rest)
            and all(isinstance(each, t.With) and not each.star for each in rest[:-1])
            and isinstance(rest[-1], t.Return)
            and not rest[-1].star
            and not any(isinstance(each, t.Match) and each.optional for each in clauses[:count])
        )
        """Whether conditions and columns can be changed, not only values."""
        self.matches = cast("list[t.Match]", clauses[:count]) if self.is_open else []
        self.stages = cast("list[t.With]", rest[:-1]) if self.is_open else []
        self.result = cast("t.Return", rest[-1]) if self.is_open else t.Return()

    # Reading

    @property
    def variables(self) -> list[str]:
        """Variables of the patterns in order, nodes and relationships."""
        found: dict[str, None] = {}
        for match in self.matches:
            for path in match.patterns:
                for node in walk(path):
                    if isinstance(node, t.NodePattern | t.RelationshipPattern) and node.variable:
                        found[node.variable.name] = None
        return list(found)

    @property
    def visible(self) -> set[str]:
        """Variables that the result can read."""
        visible = set(self.variables)
        for stage in self.stages:
            visible = {
                item.expression.name
                for item in stage.items
                if isinstance(item.expression, t.Variable) and item.alias is None
            } & visible
        return visible

    def conditions(self) -> list[Condition]:
        """Return the conditions of the whole query, subqueries included."""
        return list(_conditions(self.tree if not self.is_open else self.to_query(), self.owners))

    def edges(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield start variable, relationship variable, its type and end variable."""
        for match in self.matches:
            for path in match.patterns:
                for before, link, after in zip(path.parts, path.parts[1:], path.parts[2:], strict=False):
                    if isinstance(link, t.RelationshipPattern):
                        ends = [_variable(before), _variable(after)]
                        if link.direction == "<-":
                            ends.reverse()
                        name = _variable(link)
                        yield ends[0], name, self.owners.get(name, ""), ends[1]

    @property
    def measures(self) -> list[t.ProjectionItem]:
        """Columns of the result that aggregate, or that a WITH aggregated."""
        return [item for item in self.result.items if self.is_measure(item.expression)]

    def is_measure(self, expression: Expression) -> bool:
        """Return whether an expression aggregates, or names an aggregate of a WITH."""
        if isinstance(expression, t.Variable):
            return any(
                item.alias is not None
                and item.alias.name == expression.name
                and has_aggregate(item.expression)
                for stage in self.stages
                for item in stage.items
            )
        return has_aggregate(expression)

    def returned(self) -> list[tuple[str, str]]:
        """Return variable and key of the columns that are plain properties."""
        return [
            (item.expression.subject.name, item.expression.key)
            for item in self.result.items
            if isinstance(item.expression, t.Property) and isinstance(item.expression.subject, t.Variable)
        ]

    # Writing

    def require(self, term: Expression) -> None:
        """Add a condition to the last MATCH."""
        last = self.matches[-1]
        self.matches[-1] = replace(last, where=_both(last.where, term))

    def drop(self, condition: Condition) -> None:
        """Remove a condition."""
        self.exchange(condition.node, None)

    def exchange(self, term: Node, new: Expression | None) -> None:
        """Replace a condition by another one; None removes it."""
        for number, match in enumerate(self.matches):
            if match.where is not None:
                kept = [new if each is term else each for each in conjuncts(match.where)]
                self.matches[number] = replace(match, where=_all([each for each in kept if each is not None]))

    def add_pattern(self, path: t.PathPattern) -> None:
        """Add a MATCH."""
        self.matches.append(t.Match((path,)))
        self.owners |= _owners(path)

    def parameter(self, value: Any) -> t.Parameter:
        """Add a parameter with a value."""
        number = 1
        while f"v{number}" in self.parameters:
            number += 1
        self.parameters[f"v{number}"] = value
        return t.Parameter(f"v{number}")

    def new_variable(self, name: str) -> str:
        """Return a variable that no pattern has yet."""
        used = {node.name for node in walk(self.tree) if isinstance(node, t.Variable)} | set(self.owners)
        base = name[:1].lower() + name[1:]
        return next(each for each in (base, *(f"{base}{n}" for n in range(2, 99))) if each not in used)

    def to_query(self) -> t.Query:
        """Return the draft as a tree."""
        if not self.is_open:
            return self.tree
        clauses: tuple[Clause, ...] = (*self.matches, *self.stages, self.result)
        return t.Query((t.SingleQuery(clauses),))

    def render(self) -> tuple[str, dict[str, Any]]:
        """Return text and parameters, those that the text does not use left out."""
        query = self.to_query()
        used = {node.name for node in walk(query) if isinstance(node, t.Parameter)}
        return render(query), {name: value for name, value in self.parameters.items() if name in used}

    def _lift(self, tree: t.Query) -> t.Query:
        """Make parameters of the literals that properties are compared with."""

        def change(node: Node) -> Node:
            if (
                isinstance(node, t.Comparison)
                and len(node.operators) == 1
                and any(map(access, node.operands))
            ):
                return replace(node, operands=tuple(map(lift, node.operands)))
            if isinstance(node, t.BinaryPredicate):
                return replace(node, left=lift(node.left), right=lift(node.right))
            return node

        def lift(operand: Expression) -> Expression:
            if _is_date(operand) and isinstance(operand, t.FunctionInvocation):
                return replace(operand, arguments=tuple(map(lift, operand.arguments)))
            return self.parameter(operand.value) if isinstance(operand, _LITERALS) else operand

        return transform(tree, change)


def access(expression: Node) -> tuple[str, str, str] | None:
    """Return variable, key and part of a property access such as `v.date.year`, or None."""
    if _is_date(expression):
        expression = cast("Node", cast("t.FunctionInvocation", expression).arguments[0])
    part = ""
    if (
        isinstance(expression, t.Property)
        and expression.key in _PARTS
        and isinstance(expression.subject, t.Property)
    ):
        part, expression = expression.key, expression.subject
    if isinstance(expression, t.Property) and isinstance(expression.subject, t.Variable):
        return expression.subject.name, expression.key, part
    return None


def conjuncts(where: Expression) -> list[Expression]:
    """Return the terms of a condition that must all hold."""
    if isinstance(where, t.Logical) and where.operator == "AND":
        return list(where.operands)
    return [where]


def _conditions(node: Node, owners: Mapping[str, str]) -> Iterator[Condition]:
    for match in walk(node):
        if isinstance(match, t.Match | t.With) and match.where is not None:
            for term in conjuncts(match.where):
                yield from _read(term, owners)


def _read(term: Node, owners: Mapping[str, str]) -> Iterator[Condition]:
    inner, negated = (term.operand, True) if isinstance(term, t.Not) else (term, False)
    held: tuple[str, str, str] | None = None
    operator = parameter = ""
    if isinstance(inner, t.Comparison) and len(inner.operators) == 1:
        left, right = inner.operands
        operator = inner.operators[0]
        if access(cast("Node", left)) is None:
            left, right, operator = right, left, MIRRORED.get(operator, operator)
        held = access(cast("Node", left))
        value = right.arguments[0] if _is_date(right) else right  # type: ignore[union-attr]
        if isinstance(value, t.Parameter):
            parameter = value.name
        elif isinstance(value, t.Boolean):
            operator, negated = "is", negated ^ (not value.value) ^ (operator == "<>")
        else:
            held = None
    elif isinstance(inner, t.BinaryPredicate):
        sides = {"IN": (inner.right, inner.left)}.get(inner.operator, (inner.left, inner.right))
        held, value, operator = access(cast("Node", sides[0])), sides[1], inner.operator
        parameter = value.name if isinstance(value, t.Parameter) else ""
        held = held if parameter else None
    elif (held := access(inner)) is not None:
        operator = "is"
    if held is not None and held[0] in owners:
        yield Condition(owners[held[0]], *held, operator, parameter, term, negated)


def _is_date(expression: Any) -> bool:
    return isinstance(expression, t.FunctionInvocation) and [each.lower() for each in expression.name] == [
        "date"
    ]


def _named(tree: t.Query) -> t.Query:
    """Give each labelled node and typed relationship a variable, and move property maps into WHERE."""
    used = {node.name for node in walk(tree) if isinstance(node, t.Variable)}
    terms: list[Expression] = []

    def change(node: Node) -> Node:
        if isinstance(node, t.NodePattern | t.RelationshipPattern):
            kinds = node.labels if isinstance(node, t.NodePattern) else node.types
            length = getattr(node, "length", None) or getattr(node, "quantifier", None)
            name = _single(kinds)
            if node.variable is None and name and not length:
                base = name.lower()
                free = next(
                    each for each in (base, *(f"{base}{n}" for n in range(2, 99))) if each not in used
                )
                used.add(free)
                node = replace(node, variable=t.Variable(free))
            if isinstance(node.properties, t.MapLiteral) and node.variable is not None and not length:
                terms.extend(
                    t.Comparison((t.Property(node.variable, entry.key), entry.value), ("=",))
                    for entry in node.properties.entries
                )
                node = replace(node, properties=None)
        elif isinstance(node, t.Match) and terms:
            node = replace(
                node, where=_all([*(conjuncts(node.where) if node.where is not None else ()), *terms])
            )
            terms.clear()
        return node

    return transform(tree, change)


def _owners(tree: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in walk(tree):
        if isinstance(node, t.NodePattern) and node.variable and (name := _single(node.labels)):
            found[node.variable.name] = name
        elif isinstance(node, t.RelationshipPattern) and node.variable and (name := _single(node.types)):
            found |= {node.variable.name: name} if node.length is None and node.quantifier is None else {}
    return found


def _single(labels: LabelExpression | None) -> str:
    return labels.name if isinstance(labels, t.Label) else ""


def _variable(part: Node) -> str:
    variable = getattr(part, "variable", None)
    return variable.name if variable else ""


def _both(one: Expression | None, other: Expression) -> Expression:
    return other if one is None else cast("Expression", _all([*conjuncts(one), other]))


def _all(terms: list[Expression]) -> Expression | None:
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else t.Logical("AND", tuple(terms))
