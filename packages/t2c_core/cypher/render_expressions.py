"""How expressions are written: with the fewest brackets that keep them what they are, for our parser and the server's.

Some brackets only keep a value from looking like something else: `(a:A) - -(b)` is a pattern, `[x IN xs]` a
comprehension, `n:A|x` inside a comprehension a choice of labels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from t2c_core.cypher.literals import write_string
from t2c_core.cypher.identifiers import write_name, write_variable
from t2c_core.cypher.operators import LEVELS
from t2c_core.cypher.ast_nodes import (
    AllProperties,
    Arithmetic,
    Boolean,
    Case,
    CaseBranch,
    CaseSubject,
    Comparison,
    CountStar,
    Float,
    FloatConstant,
    Function,
    Index,
    Integer,
    LabelOr,
    LabelTest,
    ListComprehension,
    ListLiteral,
    ListPredicate,
    Logical,
    MapEntry,
    MapLiteral,
    MapProjection,
    Normalize,
    NormalizedTest,
    Not,
    Null,
    NullTest,
    Parameter,
    PatternComprehension,
    PatternExpression,
    Property,
    PropertyItem,
    Reduce,
    Sign,
    Slice,
    String,
    Subquery,
    Test,
    Trim,
    TypeTest,
    Variable,
)
from t2c_core.cypher.render_registry import write, write_all, writes

if TYPE_CHECKING:
    from t2c_core.cypher.ast_nodes import Expression, Node

_NOT, _COMPARISON, _TEST, _SUM, _SIGN, _ACCESS, _ATOM = 4, 5, 6, 7, 10, 11, 12
_LEVEL_OF: dict[type[Node], int] = {
    Not: _NOT,
    Comparison: _COMPARISON,
    PatternExpression: _COMPARISON,
    Test: _TEST,
    NullTest: _TEST,
    TypeTest: _TEST,
    NormalizedTest: _TEST,
    LabelTest: _TEST,
    Sign: _SIGN,
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
    text = write(node)
    kind = type(node)
    if kind is Logical or kind is Arithmetic:
        found = LEVELS[node.operator if isinstance(node, Logical) else node.operators[0]]  # type: ignore[union-attr]
    else:
        found = _LEVEL_OF.get(kind, _ATOM)
    return text if found >= level or not text else f"({text})"


# Values


@writes(Null, AllProperties, CaseSubject, CountStar)
def _fixed(node: Node) -> str:
    return {Null: "null", AllProperties: ".*", CaseSubject: "", CountStar: "count(*)"}[type(node)]


@writes(Boolean)
def _boolean(node: Boolean) -> str:
    return "true" if node.value else "false"


@writes(Integer, Float)
def _number(node: Integer | Float) -> str:
    return repr(node.value)


@writes(FloatConstant)
def _constant(node: FloatConstant) -> str:
    return node.name


@writes(String)
def _string(node: String) -> str:
    return write_string(node.value)


@writes(Parameter)
def _parameter(node: Parameter) -> str:
    return "$" + (node.name if _PARAMETER.fullmatch(node.name) else write_name(node.name))


@writes(Variable)
def _variable(node: Variable) -> str:
    return write_variable(node.name)


@writes(ListLiteral)
def _list(node: ListLiteral) -> str:
    text = write_all(node.items)
    is_misread = len(node.items) == 1 and _LIKE_COMPREHENSION.match(text)
    return f"[({text})]" if is_misread else f"[{text}]"


@writes(MapEntry)
def _entry(node: MapEntry) -> str:
    return f"{write_name(node.key)}: {write(node.value)}"


@writes(MapLiteral)
def _map(node: MapLiteral) -> str:
    return f"{{{write_all(node.entries)}}}"


@writes(PropertyItem)
def _property_item(node: PropertyItem) -> str:
    return f".{write_name(node.key)}"


@writes(MapProjection)
def _map_projection(node: MapProjection) -> str:
    return f"{write(node.variable)} {{{write_all(node.items)}}}"


# Operators


@writes(Property)
def _property(node: Property) -> str:
    return f"{operand(node.subject, _ACCESS)}.{write_name(node.key)}"


@writes(Index)
def _index(node: Index) -> str:
    return f"{operand(node.subject, _ACCESS)}[{write(node.index)}]"


@writes(Slice)
def _slice(node: Slice) -> str:
    start, end = (write(each) if each else "" for each in (node.start, node.end))
    return f"{operand(node.subject, _ACCESS)}[{start}..{end}]"


@writes(Sign)
def _sign(node: Sign) -> str:
    text = operand(node.operand, _ACCESS)
    return f"{node.operator}({text})" if text[0] == "[" else f"{node.operator}{text}"


@writes(Not)
def _not(node: Not) -> str:
    return f"NOT {operand(node.operand, _NOT)}"


@writes(Logical)
def _logical(node: Logical) -> str:
    level = LEVELS[node.operator] + 1
    return f" {node.operator} ".join([operand(each, level) for each in node.operands])


@writes(Comparison, Arithmetic)
def _chain(node: Comparison | Arithmetic) -> str:
    level = LEVELS[node.operators[0]] + 1
    parts = [operand(node.operands[0], level)]
    for operator, each in zip(node.operators, node.operands[1:], strict=True):
        text = operand(each, level)
        is_misread = isinstance(node, Arithmetic) and text[0] in "-["
        parts.append(f"{operator} ({text})" if is_misread else f"{operator} {text}")
    return " ".join(parts).lstrip()


@writes(Test)
def _test(node: Test) -> str:
    return f"{operand(node.left, _SUM)} {node.operator} {operand(node.right, _SUM)}".lstrip()


@writes(NullTest)
def _null_test(node: NullTest) -> str:
    return f"{operand(node.operand, _SUM)} IS{_negation(negated=node.negated)} NULL".lstrip()


@writes(TypeTest)
def _type_test(node: TypeTest) -> str:
    text = f"{operand(node.operand, _SUM)} IS{_negation(negated=node.negated)} :: {node.type}".lstrip()
    return f"({text})" if "|" in node.type and not isinstance(node.operand, CaseSubject) else text


@writes(NormalizedTest)
def _normalized_test(node: NormalizedTest) -> str:
    tested = operand(node.operand, _SUM)
    return f"{tested} IS{_negation(negated=node.negated)} {node.form} NORMALIZED".lstrip()


def _negation(*, negated: bool) -> str:
    return " NOT" if negated else ""


@writes(LabelTest)
def _label_test(node: LabelTest) -> str:
    labels = f"({write(node.labels)})" if isinstance(node.labels, LabelOr) else write(node.labels)
    if isinstance(node.operand, CaseSubject):
        return f"IS {labels}"
    return f"{operand(node.operand, _ACCESS)}:{labels}"


# Larger expressions


@writes(CaseBranch)
def _branch(node: CaseBranch) -> str:
    return f"WHEN {write_all(node.conditions)} THEN {write(node.result)}"


@writes(Case)
def _case(node: Case) -> str:
    parts = ["CASE", *([write(node.subject)] if node.subject else []), *map(write, node.branches)]
    if node.default is not None:
        parts.append(f"ELSE {write(node.default)}")
    return " ".join([*parts, "END"])


@writes(Function)
def _function(node: Function) -> str:
    name = ".".join([write_name(part) for part in node.name])
    if len(node.name) == 1 and name.upper() in _CALLED_OTHERWISE:
        name = f"`{name}`"
    return f"{name}({'DISTINCT ' if node.distinct else ''}{write_all(node.arguments)})"


@writes(Trim)
def _trim(node: Trim) -> str:
    characters = f" {write(node.characters)}" if node.characters else ""
    return f"trim({node.mode}{characters} FROM {write(node.source)})"


@writes(Normalize)
def _normalize(node: Normalize) -> str:
    return f"normalize({write(node.source)}, {node.form})"


@writes(ListPredicate)
def _list_predicate(node: ListPredicate) -> str:
    where = f" WHERE {write(node.where)}" if node.where else ""
    return f"{node.kind.lower()}({write(node.variable)} IN {write(node.source)}{where})"


@writes(ListComprehension)
def _list_comprehension(node: ListComprehension) -> str:
    where = f" WHERE {_without_bar(node.where)}" if node.where else ""
    result = f" | {write(node.result)}" if node.result else ""
    return f"[{write(node.variable)} IN {_without_bar(node.source)}{where}{result}]"


@writes(PatternComprehension)
def _pattern_comprehension(node: PatternComprehension) -> str:
    where = f" WHERE {_without_bar(node.where)}" if node.where else ""
    return f"[{write(node.pattern)}{where} | {write(node.result)}]"


@writes(Reduce)
def _reduce(node: Reduce) -> str:
    start = f"{write(node.accumulator)} = {_without_bar(node.initial)}"
    return f"reduce({start}, {write(node.variable)} IN {_without_bar(node.source)} | {write(node.step)})"


def _without_bar(node: Expression) -> str:
    """Write an expression so that a `|` after it cannot be taken for one inside."""
    text = write(node)
    return f"({text})" if "|" in text else text


@writes(PatternExpression)
def _pattern_expression(node: PatternExpression) -> str:
    return write(node.pattern)


@writes(Subquery)
def _subquery(node: Subquery) -> str:
    return f"{node.kind} {{ {write(node.query)} }}"
