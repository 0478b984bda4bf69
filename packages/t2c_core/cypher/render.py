"""Rendering of syntax trees as text; parsing the text gives an equal tree.

Brackets are written only where the text would otherwise have another meaning, to this parser or to the server. Some
only keep an expression from looking like another form: `(a:A) - -(b)` is a pattern, `[x IN xs]` a comprehension, and
`n:A|x` inside a comprehension a choice of labels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.expressions import COMPARISON, NOT, PRECEDENCE, PREDICATE
from t2c_core.cypher.identifiers import format_identifier, format_variable
from t2c_core.cypher.literals import write_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from t2c_core.cypher.ast_nodes import Expression, LabelExpression, Node

_UNARY, _POSTFIX, _PRIMARY = 10, 11, 12
_PRECEDENCE_OF: dict[type[Node], int] = {
    t.Not: NOT,
    t.Comparison: COMPARISON,
    t.PatternExpression: COMPARISON,
    t.BinaryPredicate: PREDICATE,
    t.IsNull: PREDICATE,
    t.IsTyped: PREDICATE,
    t.IsNormalized: PREDICATE,
    t.LabelPredicate: PREDICATE,
    t.UnaryOp: _UNARY,
    t.Integer: _UNARY,
    t.Float: _UNARY,
}
_OTHER_FORMS = frozenset(
    "ALL ANY CASE FALSE INF INFINITY NAN NONE NOT NULL REDUCE SHORTESTPATH ALLSHORTESTPATHS SINGLE TRUE".split()
)
"""Names which begin another form, so that a function of the name needs backticks."""
_LIKE_COMPREHENSION = re.compile(r"(?:\w+|`(?:[^`]|``)*`) IN ")
_NUMERIC_NAME = re.compile("[0-9][A-Za-z0-9_]*", re.ASCII)
_ARROWS = {"->": ("-", "->"), "<-": ("<-", "-"), "-": ("-", "-")}

_RENDERERS: dict[type[Node], Callable[[Any], str]] = {}
"""Renderers by class; `functools.singledispatch` took 1.6 times as long for the same queries."""


def render(node: Node) -> str:
    """Return the text of a query or any part of one, in one line."""
    return _RENDERERS[type(node)](node)


def _renders(*kinds: type[Node]) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    def register(function: Callable[[Any], str]) -> Callable[[Any], str]:
        _RENDERERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def _joined(nodes: Iterable[Node]) -> str:
    return ", ".join([render(node) for node in nodes])


# Clauses


@_renders(t.Query)
def _query(node: t.Query) -> str:
    return (" UNION ALL " if node.all else " UNION ").join([render(part) for part in node.parts])


@_renders(t.SingleQuery)
def _single_query(node: t.SingleQuery) -> str:
    return " ".join([render(clause) for clause in node.clauses])


def _where(condition: Expression | None) -> str:
    return f" WHERE {render(condition)}" if condition else ""


def _optional(node: t.Match | t.CallSubquery | t.CallProcedure) -> str:
    return "OPTIONAL " if node.optional else ""


@_renders(t.Match)
def _match(node: t.Match) -> str:
    mode = f" {node.mode}" if node.mode else ""
    return f"{_optional(node)}MATCH{mode} {_joined(node.patterns)}{_where(node.where)}"


@_renders(t.Unwind)
def _unwind(node: t.Unwind) -> str:
    return f"UNWIND {render(node.expression)} AS {render(node.variable)}"


@_renders(t.ProjectionItem)
def _projection_item(node: t.ProjectionItem) -> str:
    return render(node.expression) + (f" AS {render(node.alias)}" if node.alias else "")


@_renders(t.SortItem)
def _sort_item(node: t.SortItem) -> str:
    return render(node.expression) + (" DESC" if node.descending else "")


@_renders(t.Return)
def _return(node: t.Return) -> str:
    return f"RETURN {_projection(node)}"


@_renders(t.With)
def _with(node: t.With) -> str:
    return f"WITH {_projection(node)}{_where(node.where)}"


def _projection(node: t.Projection) -> str:
    items = ", ".join([*(["*"] if node.star else []), *map(render, node.items)])
    paging = _order_skip_limit(node)
    return ("DISTINCT " if node.distinct else "") + items + (f" {paging}" if paging else "")


@_renders(t.OrderBySkipLimit)
def _order_skip_limit(node: t.Projection | t.OrderBySkipLimit) -> str:
    parts = []
    if node.order:
        parts.append(f"ORDER BY {_joined(node.order)}")
    if node.skip:
        parts.append(f"SKIP {render(node.skip)}")
    if node.limit:
        parts.append(f"LIMIT {render(node.limit)}")
    return " ".join(parts)


@_renders(t.Finish)
def _finish(_node: t.Finish) -> str:
    return "FINISH"


@_renders(t.CallSubquery)
def _call_subquery(node: t.CallSubquery) -> str:
    scope = "(*) " if node.star else "" if node.imports is None else f"({_joined(node.imports)}) "
    return f"{_optional(node)}CALL {scope}{{ {render(node.query)} }}"


@_renders(t.YieldItem)
def _yield_item(node: t.YieldItem) -> str:
    return format_identifier(node.name) + (f" AS {render(node.alias)}" if node.alias else "")


@_renders(t.CallProcedure)
def _call_procedure(node: t.CallProcedure) -> str:
    arguments = "" if node.arguments is None else f"({_joined(node.arguments)})"
    yields = "" if node.yields is None else f" YIELD {'*' if node.star else _joined(node.yields)}"
    return f"{_optional(node)}CALL {_dotted(node.name)}{arguments}{yields}{_where(node.where)}"


def _dotted(name: tuple[str, ...]) -> str:
    return ".".join([format_identifier(part) for part in name])


# Patterns


@_renders(t.PathPattern)
def _path_pattern(node: t.PathPattern) -> str:
    text = "".join([render(part) for part in node.parts])
    if node.shortest:
        text = f"{node.shortest}({text})"
    if node.selector:
        text = f"{render(node.selector)} {text}"
    return f"{render(node.variable)} = {text}" if node.variable else text


@_renders(t.PathSelector)
def _path_selector(node: t.PathSelector) -> str:
    if node.count is None:
        return node.kind
    if node.kind == "SHORTEST GROUPS":
        return f"SHORTEST {node.count} GROUPS"
    return f"{node.kind} {node.count}"


@_renders(t.NodePattern)
def _node_pattern(node: t.NodePattern) -> str:
    return f"({_inside(node, node.labels, '')})"


@_renders(t.RelationshipPattern)
def _relationship_pattern(node: t.RelationshipPattern) -> str:
    before, after = _ARROWS[node.direction]
    inside = _inside(node, node.types, render(node.length) if node.length else "")
    quantifier = render(node.quantifier) if node.quantifier else ""
    return f"{before}[{inside}]{after}{quantifier}" if inside else f"{before}{after}{quantifier}"


def _inside(node: t.NodePattern | t.RelationshipPattern, labels: LabelExpression | None, length: str) -> str:
    name = render(node.variable) if node.variable else ""
    parts = [name + (f":{render(labels)}" if labels else "") + length]
    if node.properties:
        parts.append(render(node.properties))
    if node.where:
        parts.append(_inner_where(node.where))
    return " ".join([part for part in parts if part])


def _inner_where(condition: Expression) -> str:
    """Render WHERE so that the word cannot be read as a variable followed by properties."""
    text = render(condition)
    return f"WHERE ({text})" if text[0] in "{$" else f"WHERE {text}"


@_renders(t.PathLength)
def _path_length(node: t.PathLength) -> str:
    least, most = ("" if each is None else str(each) for each in (node.least, node.most))
    return f"*{least}" if least == most else f"*{least}..{most}"


@_renders(t.Quantifier)
def _quantifier(node: t.Quantifier) -> str:
    if node.most is None and node.least < 2:
        return "*+"[node.least]
    if node.least == node.most:
        return f"{{{node.least}}}"
    return f"{{{node.least},{'' if node.most is None else node.most}}}"


@_renders(t.ParenthesizedPath)
def _parenthesized_path(node: t.ParenthesizedPath) -> str:
    where = f" {_inner_where(node.where)}" if node.where else ""
    return f"({render(node.pattern)}{where}){render(node.quantifier) if node.quantifier else ''}"


# Label expressions


@_renders(t.Label)
def _label(node: t.Label) -> str:
    return format_identifier(node.name)


@_renders(t.AnyLabel)
def _any_label(_node: t.AnyLabel) -> str:
    return "%"


@_renders(t.DynamicLabel)
def _dynamic_label(node: t.DynamicLabel) -> str:
    return f"${'any' if node.quantity == 'ANY' else ''}({render(node.expression)})"


@_renders(t.LabelNot)
def _label_not(node: t.LabelNot) -> str:
    return "!" + _label_operand(node.operand, t.LabelAnd, t.LabelOr)


@_renders(t.LabelAnd)
def _label_and(node: t.LabelAnd) -> str:
    return "&".join([_label_operand(each, t.LabelAnd, t.LabelOr) for each in node.operands])


@_renders(t.LabelOr)
def _label_or(node: t.LabelOr) -> str:
    return "|".join([_label_operand(each, t.LabelOr) for each in node.operands])


def _label_operand(node: LabelExpression, *bracketed: type[t.LabelAnd | t.LabelOr]) -> str:
    return f"({render(node)})" if isinstance(node, bracketed) else render(node)


# Literals and names


@_renders(t.Null, t.AllPropertiesSelector, t.CaseOperand, t.CountStar)
def _fixed(node: Node) -> str:
    return {t.Null: "null", t.AllPropertiesSelector: ".*", t.CaseOperand: "", t.CountStar: "count(*)"}[
        type(node)
    ]


@_renders(t.Boolean)
def _boolean(node: t.Boolean) -> str:
    return "true" if node.value else "false"


@_renders(t.Integer, t.Float)
def _number(node: t.Integer | t.Float) -> str:
    return repr(node.value)


@_renders(t.FloatConstant)
def _float_constant(node: t.FloatConstant) -> str:
    return node.name


@_renders(t.String)
def _string(node: t.String) -> str:
    return write_string(node.value)


@_renders(t.Parameter)
def _parameter(node: t.Parameter) -> str:
    return "$" + (node.name if _NUMERIC_NAME.fullmatch(node.name) else format_identifier(node.name))


@_renders(t.Variable)
def _variable(node: t.Variable) -> str:
    return format_variable(node.name)


@_renders(t.ListLiteral)
def _list_literal(node: t.ListLiteral) -> str:
    text = _joined(node.items)
    is_ambiguous = len(node.items) == 1 and _LIKE_COMPREHENSION.match(text)
    return f"[({text})]" if is_ambiguous else f"[{text}]"


@_renders(t.MapEntry)
def _map_entry(node: t.MapEntry) -> str:
    return f"{format_identifier(node.key)}: {render(node.value)}"


@_renders(t.MapLiteral)
def _map_literal(node: t.MapLiteral) -> str:
    return f"{{{_joined(node.entries)}}}"


@_renders(t.PropertySelector)
def _property_selector(node: t.PropertySelector) -> str:
    return f".{format_identifier(node.key)}"


@_renders(t.MapProjection)
def _map_projection(node: t.MapProjection) -> str:
    return f"{render(node.variable)} {{{_joined(node.items)}}}"


# Operators


def _operand(node: Expression, level: int) -> str:
    """Render an expression, in brackets if its operator binds less strongly than `level`."""
    text = render(node)
    kind = type(node)
    if kind is t.Logical or kind is t.Arithmetic:
        own = PRECEDENCE[node.operator if isinstance(node, t.Logical) else node.operators[0]]  # type: ignore[union-attr]
    else:
        own = _PRECEDENCE_OF.get(kind, _PRIMARY)
    return text if own >= level or not text else f"({text})"


@_renders(t.Property)
def _property(node: t.Property) -> str:
    return f"{_operand(node.subject, _POSTFIX)}.{format_identifier(node.key)}"


@_renders(t.ContainerIndex)
def _container_index(node: t.ContainerIndex) -> str:
    return f"{_operand(node.subject, _POSTFIX)}[{render(node.index)}]"


@_renders(t.ListSlice)
def _list_slice(node: t.ListSlice) -> str:
    start, end = (render(each) if each else "" for each in (node.start, node.end))
    return f"{_operand(node.subject, _POSTFIX)}[{start}..{end}]"


@_renders(t.UnaryOp)
def _unary_op(node: t.UnaryOp) -> str:
    text = _operand(node.operand, _POSTFIX)
    return f"{node.operator}({text})" if text[0] == "[" else f"{node.operator}{text}"


@_renders(t.Not)
def _not(node: t.Not) -> str:
    return f"NOT {_operand(node.operand, NOT)}"


@_renders(t.Logical)
def _logical(node: t.Logical) -> str:
    level = PRECEDENCE[node.operator] + 1
    return f" {node.operator} ".join([_operand(each, level) for each in node.operands])


@_renders(t.Comparison, t.Arithmetic)
def _chain(node: t.Comparison | t.Arithmetic) -> str:
    level = PRECEDENCE[node.operators[0]] + 1
    parts = [_operand(node.operands[0], level)]
    for operator, each in zip(node.operators, node.operands[1:], strict=True):
        text = _operand(each, level)
        is_ambiguous = isinstance(node, t.Arithmetic) and text[0] in "-["
        parts.append(f"{operator} ({text})" if is_ambiguous else f"{operator} {text}")
    return " ".join(parts).lstrip()


@_renders(t.BinaryPredicate)
def _binary_predicate(node: t.BinaryPredicate) -> str:
    return (
        f"{_operand(node.left, PREDICATE + 1)} {node.operator} {_operand(node.right, PREDICATE + 1)}".lstrip()
    )


@_renders(t.IsNull)
def _is_null(node: t.IsNull) -> str:
    return f"{_is(node)} NULL".lstrip()


@_renders(t.IsTyped)
def _is_typed(node: t.IsTyped) -> str:
    text = f"{_is(node)} :: {node.type}".lstrip()
    return f"({text})" if "|" in node.type and not isinstance(node.operand, t.CaseOperand) else text


@_renders(t.IsNormalized)
def _is_normalized(node: t.IsNormalized) -> str:
    return f"{_is(node)} {node.form} NORMALIZED".lstrip()


def _is(node: t.IsNull | t.IsTyped | t.IsNormalized) -> str:
    return f"{_operand(node.operand, PREDICATE + 1)} IS{' NOT' if node.negated else ''}"


@_renders(t.LabelPredicate)
def _label_predicate(node: t.LabelPredicate) -> str:
    labels = _label_operand(node.labels, t.LabelOr)
    if isinstance(node.operand, t.CaseOperand):
        return f"IS {labels}"
    return f"{_operand(node.operand, _POSTFIX)}:{labels}"


# Larger expressions


@_renders(t.CaseAlternative)
def _case_alternative(node: t.CaseAlternative) -> str:
    return f"WHEN {_joined(node.conditions)} THEN {render(node.result)}"


@_renders(t.CaseExpression)
def _case_expression(node: t.CaseExpression) -> str:
    parts = ["CASE", *([render(node.subject)] if node.subject else []), *map(render, node.branches)]
    if node.default is not None:
        parts.append(f"ELSE {render(node.default)}")
    return " ".join([*parts, "END"])


@_renders(t.FunctionInvocation)
def _function_invocation(node: t.FunctionInvocation) -> str:
    name = _dotted(node.name)
    if len(node.name) == 1 and name.upper() in _OTHER_FORMS:
        name = f"`{name}`"
    return f"{name}({'DISTINCT ' if node.distinct else ''}{_joined(node.arguments)})"


@_renders(t.Trim)
def _trim(node: t.Trim) -> str:
    characters = f" {render(node.characters)}" if node.characters else ""
    return f"trim({node.mode}{characters} FROM {render(node.source)})"


@_renders(t.Normalize)
def _normalize(node: t.Normalize) -> str:
    return f"normalize({render(node.source)}, {node.form})"


@_renders(t.IterablePredicate)
def _iterable_predicate(node: t.IterablePredicate) -> str:
    return f"{node.kind.lower()}({render(node.variable)} IN {render(node.source)}{_where(node.where)})"


@_renders(t.ListComprehension)
def _list_comprehension(node: t.ListComprehension) -> str:
    where = f" WHERE {_without_pipe(node.where)}" if node.where else ""
    result = f" | {render(node.result)}" if node.result else ""
    return f"[{render(node.variable)} IN {_without_pipe(node.source)}{where}{result}]"


@_renders(t.PatternComprehension)
def _pattern_comprehension(node: t.PatternComprehension) -> str:
    where = f" WHERE {_without_pipe(node.where)}" if node.where else ""
    return f"[{render(node.pattern)}{where} | {render(node.result)}]"


@_renders(t.ReduceExpression)
def _reduce_expression(node: t.ReduceExpression) -> str:
    start = f"{render(node.accumulator)} = {_without_pipe(node.initial)}"
    return f"reduce({start}, {render(node.variable)} IN {_without_pipe(node.source)} | {render(node.step)})"


def _without_pipe(node: Expression) -> str:
    """Render an expression so that a following `|` cannot be read as a part of it."""
    text = render(node)
    return f"({text})" if "|" in text else text


@_renders(t.PatternExpression)
def _pattern_expression(node: t.PatternExpression) -> str:
    return render(node.pattern)


@_renders(t.SubqueryExpression)
def _subquery_expression(node: t.SubqueryExpression) -> str:
    return f"{node.kind} {{ {render(node.query)} }}"
