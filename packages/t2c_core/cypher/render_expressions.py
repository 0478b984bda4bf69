"""How expressions are written: with the fewest brackets that keep them what they are, for our parser and the server's.

Some brackets only keep a value from looking like something else: `(a:A) - -(b)` is a pattern, `[x IN xs]` a
comprehension, `n:A|x` inside a comprehension a choice of labels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import (
    AllPropertiesSelector,
    Arithmetic,
    BinaryPredicate,
    Boolean,
    CaseAlternative,
    CaseExpression,
    CaseOperand,
    Comparison,
    ContainerIndex,
    CountStar,
    Float,
    FloatConstant,
    FunctionInvocation,
    Integer,
    IsNormalized,
    IsNull,
    IsTyped,
    IterablePredicate,
    LabelOr,
    LabelPredicate,
    ListComprehension,
    ListLiteral,
    ListSlice,
    Logical,
    MapEntry,
    MapLiteral,
    MapProjection,
    Normalize,
    Not,
    Null,
    Parameter,
    PatternComprehension,
    PatternExpression,
    Property,
    PropertySelector,
    ReduceExpression,
    String,
    SubqueryExpression,
    Trim,
    UnaryOp,
    Variable,
)
from t2c_core.cypher.identifiers import format_identifier, write_variable
from t2c_core.cypher.literals import write_string
from t2c_core.cypher.operators import PRECEDENCE
from t2c_core.cypher.render_registry import render_list, render_node, renders

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, Node

_NOT, _COMPARISON, _TEST, _SUM, _SIGN, _ACCESS, _ATOM = 4, 5, 6, 7, 10, 11, 12
_LEVEL_OF: dict[type[Node], int] = {
    Not: _NOT,
    Comparison: _COMPARISON,
    PatternExpression: _COMPARISON,
    BinaryPredicate: _TEST,
    IsNull: _TEST,
    IsTyped: _TEST,
    IsNormalized: _TEST,
    LabelPredicate: _TEST,
    UnaryOp: _SIGN,
    Integer: _SIGN,
    Float: _SIGN,
}
_CALLED_OTHERWISE = frozenset(
    "ALL ANY CASE FALSE INF INFINITY NAN NONE NOT NULL REDUCE SHORTESTPATH ALLSHORTESTPATHS SINGLE TRUE".split()
)
"""Names of functions that begin something else, so need back-ticks as functions."""
_LIKE_COMPREHENSION = re.compile(r"(?:\w+|`(?:[^`]|``)*`) IN ")
_PARAMETER = re.compile("[0-9][A-Za-z0-9_]*", re.ASCII)


def operand(node: Expression, level: int) -> str:
    """Write an expression, in brackets if its operators bind less strongly than `level`."""
    text = render_node(node)
    kind = type(node)
    if kind is Logical or kind is Arithmetic:
        found = PRECEDENCE[node.operator if isinstance(node, Logical) else node.operators[0]]  # type: ignore[union-attr]
    else:
        found = _LEVEL_OF.get(kind, _ATOM)
    return text if found >= level or not text else f"({text})"


# Values


@renders(Null, AllPropertiesSelector, CaseOperand, CountStar)
def _fixed(node: Node) -> str:
    return {Null: "null", AllPropertiesSelector: ".*", CaseOperand: "", CountStar: "count(*)"}[type(node)]


@renders(Boolean)
def _boolean(node: Boolean) -> str:
    return "true" if node.value else "false"


@renders(Integer, Float)
def _number(node: Integer | Float) -> str:
    return repr(node.value)


@renders(FloatConstant)
def _constant(node: FloatConstant) -> str:
    return node.name


@renders(String)
def _string(node: String) -> str:
    return write_string(node.value)


@renders(Parameter)
def _parameter(node: Parameter) -> str:
    return "$" + (node.name if _PARAMETER.fullmatch(node.name) else format_identifier(node.name))


@renders(Variable)
def _variable(node: Variable) -> str:
    return write_variable(node.name)


@renders(ListLiteral)
def _list(node: ListLiteral) -> str:
    text = render_list(node.items)
    is_misread = len(node.items) == 1 and _LIKE_COMPREHENSION.match(text)
    return f"[({text})]" if is_misread else f"[{text}]"


@renders(MapEntry)
def _entry(node: MapEntry) -> str:
    return f"{format_identifier(node.key)}: {render_node(node.value)}"


@renders(MapLiteral)
def _map(node: MapLiteral) -> str:
    return f"{{{render_list(node.entries)}}}"


@renders(PropertySelector)
def _property_item(node: PropertySelector) -> str:
    return f".{format_identifier(node.key)}"


@renders(MapProjection)
def _map_projection(node: MapProjection) -> str:
    return f"{render_node(node.variable)} {{{render_list(node.items)}}}"


# Operators


@renders(Property)
def _property(node: Property) -> str:
    return f"{operand(node.subject, _ACCESS)}.{format_identifier(node.key)}"


@renders(ContainerIndex)
def _index(node: ContainerIndex) -> str:
    return f"{operand(node.subject, _ACCESS)}[{render_node(node.index)}]"


@renders(ListSlice)
def _slice(node: ListSlice) -> str:
    start, end = (render_node(each) if each else "" for each in (node.start, node.end))
    return f"{operand(node.subject, _ACCESS)}[{start}..{end}]"


@renders(UnaryOp)
def _sign(node: UnaryOp) -> str:
    text = operand(node.operand, _ACCESS)
    return f"{node.operator}({text})" if text[0] == "[" else f"{node.operator}{text}"


@renders(Not)
def _not(node: Not) -> str:
    return f"NOT {operand(node.operand, _NOT)}"


@renders(Logical)
def _logical(node: Logical) -> str:
    level = PRECEDENCE[node.operator] + 1
    return f" {node.operator} ".join([operand(each, level) for each in node.operands])


@renders(Comparison, Arithmetic)
def _chain(node: Comparison | Arithmetic) -> str:
    level = PRECEDENCE[node.operators[0]] + 1
    parts = [operand(node.operands[0], level)]
    for operator, each in zip(node.operators, node.operands[1:], strict=True):
        text = operand(each, level)
        is_misread = isinstance(node, Arithmetic) and text[0] in "-["
        parts.append(f"{operator} ({text})" if is_misread else f"{operator} {text}")
    return " ".join(parts).lstrip()


@renders(BinaryPredicate)
def _test(node: BinaryPredicate) -> str:
    return f"{operand(node.left, _SUM)} {node.operator} {operand(node.right, _SUM)}".lstrip()


@renders(IsNull)
def _null_test(node: IsNull) -> str:
    return f"{operand(node.operand, _SUM)} IS{_negation(negated=node.negated)} NULL".lstrip()


@renders(IsTyped)
def _type_test(node: IsTyped) -> str:
    text = f"{operand(node.operand, _SUM)} IS{_negation(negated=node.negated)} :: {node.type}".lstrip()
    return f"({text})" if "|" in node.type and not isinstance(node.operand, CaseOperand) else text


@renders(IsNormalized)
def _normalized_test(node: IsNormalized) -> str:
    tested = operand(node.operand, _SUM)
    return f"{tested} IS{_negation(negated=node.negated)} {node.form} NORMALIZED".lstrip()


def _negation(*, negated: bool) -> str:
    return " NOT" if negated else ""


@renders(LabelPredicate)
def _label_test(node: LabelPredicate) -> str:
    labels = f"({render_node(node.labels)})" if isinstance(node.labels, LabelOr) else render_node(node.labels)
    if isinstance(node.operand, CaseOperand):
        return f"IS {labels}"
    return f"{operand(node.operand, _ACCESS)}:{labels}"


# Larger expressions


@renders(CaseAlternative)
def _branch(node: CaseAlternative) -> str:
    return f"WHEN {render_list(node.conditions)} THEN {render_node(node.result)}"


@renders(CaseExpression)
def _case(node: CaseExpression) -> str:
    parts = ["CASE", *([render_node(node.subject)] if node.subject else []), *map(render_node, node.branches)]
    if node.default is not None:
        parts.append(f"ELSE {render_node(node.default)}")
    return " ".join([*parts, "END"])


@renders(FunctionInvocation)
def _function(node: FunctionInvocation) -> str:
    name = ".".join([format_identifier(part) for part in node.name])
    if len(node.name) == 1 and name.upper() in _CALLED_OTHERWISE:
        name = f"`{name}`"
    return f"{name}({'DISTINCT ' if node.distinct else ''}{render_list(node.arguments)})"


@renders(Trim)
def _trim(node: Trim) -> str:
    characters = f" {render_node(node.characters)}" if node.characters else ""
    return f"trim({node.mode}{characters} FROM {render_node(node.source)})"


@renders(Normalize)
def _normalize(node: Normalize) -> str:
    return f"normalize({render_node(node.source)}, {node.form})"


@renders(IterablePredicate)
def _list_predicate(node: IterablePredicate) -> str:
    where = f" WHERE {render_node(node.where)}" if node.where else ""
    return f"{node.kind.lower()}({render_node(node.variable)} IN {render_node(node.source)}{where})"


@renders(ListComprehension)
def _list_comprehension(node: ListComprehension) -> str:
    where = f" WHERE {_without_bar(node.where)}" if node.where else ""
    result = f" | {render_node(node.result)}" if node.result else ""
    return f"[{render_node(node.variable)} IN {_without_bar(node.source)}{where}{result}]"


@renders(PatternComprehension)
def _pattern_comprehension(node: PatternComprehension) -> str:
    where = f" WHERE {_without_bar(node.where)}" if node.where else ""
    return f"[{render_node(node.pattern)}{where} | {render_node(node.result)}]"


@renders(ReduceExpression)
def _reduce(node: ReduceExpression) -> str:
    start = f"{render_node(node.accumulator)} = {_without_bar(node.initial)}"
    return f"reduce({start}, {render_node(node.variable)} IN {_without_bar(node.source)} | {render_node(node.step)})"


def _without_bar(node: Expression) -> str:
    """Write an expression so that a `|` after it cannot be taken for one inside."""
    text = render_node(node)
    return f"({text})" if "|" in text else text


@renders(PatternExpression)
def _pattern_expression(node: PatternExpression) -> str:
    return render_node(node.pattern)


@renders(SubqueryExpression)
def _subquery(node: SubqueryExpression) -> str:
    return f"{node.kind} {{ {render_node(node.query)} }}"
