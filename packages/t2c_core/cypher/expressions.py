"""Parsing of expressions: operators by precedence, literals, calls, and the forms in brackets.

Patterns and subqueries inside expressions are parsed by the functions of the token stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.lexer import END, FLOAT, INTEGER, MAX_DEPTH, NAME_STARTS, STRING
from t2c_core.cypher.literals import read_float, read_integer, read_string
from t2c_core.cypher.value_types import value_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.cypher.ast_nodes import Expression, LabelExpression
    from t2c_core.cypher.token_stream import TokenStream

MAX_CASES = 20
"""Maximum nesting of CASE expressions; more overflow the stack of the server's own parser."""
AND, NOT, COMPARISON, PREDICATE, ADDITION, POWER = 3, 4, 5, 6, 7, 9
PRECEDENCE = (
    {"OR": 1, "XOR": 2, "AND": AND}
    | dict.fromkeys(("=", "<>", "<", ">", "<=", ">="), COMPARISON)
    | dict.fromkeys(("=~", "STARTS", "ENDS", "CONTAINS", "IN", "IS", "::"), PREDICATE)
    | {"+": ADDITION, "-": ADDITION, "||": ADDITION, "*": 8, "/": 8, "%": 8, "^": POWER}
)
"""How strongly binary operators bind, by their first token. NOT binds between AND and comparisons."""
NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]
_NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_BINARY = PRECEDENCE.keys() - {"-", "+"}
_AFTER_NAME = (END, ".", ",", ":", ")", "]", "}", "AS")
_OPERAND_STARTS = NAME_STARTS | {STRING, INTEGER[0], "$", "[", "{"}
_WORD_OPERATORS = frozenset({"AND", "OR", "XOR", "IN", "IS", "STARTS", "ENDS", "CONTAINS", "AS"})


def expression(tokens: TokenStream, level: int = 1) -> Expression:
    """Parse an expression whose operators bind at least as strongly as `level`."""
    position = tokens.starts[tokens.at]
    left = _not(tokens) if tokens.key == "NOT" and level <= NOT else _unary(tokens)
    ceiling = POWER + 1
    while True:
        found = PRECEDENCE.get(tokens.key, 0)
        if not level <= found < ceiling:
            return left
        left = (
            _predicate(tokens, left, position)
            if found == PREDICATE
            else _chain(tokens, left, found, position)
        )
        ceiling = found


def where(tokens: TokenStream) -> Expression | None:
    """Parse WHERE and its condition if they are there."""
    return expression(tokens) if tokens.accept("WHERE") else None


def expressions(tokens: TokenStream) -> tuple[Expression, ...]:
    """Parse expressions separated by commas."""
    found = [expression(tokens)]
    while tokens.accept(","):
        found.append(expression(tokens))
    return tuple(found)


# Operators


def _chain(tokens: TokenStream, left: Expression, level: int, position: int) -> Expression:
    operands, operators = [left], []
    first = tokens.key
    while PRECEDENCE.get(tokens.key) == level:
        operators.append(tokens.key)
        tokens.advance()
        operands.append(expression(tokens, level + 1))
    if level <= AND:
        return t.Logical(cast("Any", first), tuple(operands), position=position)
    kind = t.Comparison if level == COMPARISON else t.Arithmetic
    return kind(tuple(operands), cast("Any", tuple(operators)), position=position)


def _not(tokens: TokenStream) -> Expression:
    positions = []
    while tokens.key == "NOT":
        positions.append(tokens.starts[tokens.at])
        tokens.advance()
    if len(positions) > MAX_DEPTH:
        raise tokens.error(f"more than {MAX_DEPTH} NOT in a row", "depth")
    found = expression(tokens, COMPARISON)
    for position in reversed(positions):
        found = t.Not(found, position=position)
    return found


def _unary(tokens: TokenStream) -> Expression:
    sign = tokens.key
    if sign not in ("-", "+") or (sign == "-" and tokens.keys[tokens.at + 1] in (INTEGER, FLOAT)):
        return _postfix(tokens)
    position = tokens.starts[tokens.at]
    tokens.advance()
    return t.UnaryOp(cast("Any", sign), _postfix(tokens), position=position)


def _postfix(tokens: TokenStream) -> Expression:
    """Parse a primary expression and the property accesses, indexes and labels after it."""
    found = _primary(tokens)
    while True:
        key = tokens.key
        if key == ".":
            tokens.advance()
            position = tokens.starts[tokens.at]
            found = t.Property(found, tokens.name("a property"), position=position)
        elif key == "[":
            found = _index_or_slice(tokens, found)
        elif key == ":":
            position = tokens.starts[tokens.at]
            tokens.advance()
            found = t.LabelPredicate(found, label_expression(tokens), position=position)
        else:
            return found


def _index_or_slice(tokens: TokenStream, subject: Expression) -> Expression:
    position = tokens.starts[tokens.at]
    tokens.expect("[")
    start = None if tokens.key == ".." else expression(tokens)
    if start is not None and tokens.accept("]"):
        return t.ContainerIndex(subject, start, position=position)
    tokens.expect("..")
    end = None if tokens.key == "]" else expression(tokens)
    if start is None and end is None:
        raise tokens.unexpected("the start or end of a slice")
    tokens.expect("]")
    return t.ListSlice(subject, start, end, position=position)


def _predicate(tokens: TokenStream, left: Expression, position: int) -> Expression:
    """Parse `IN …`, `STARTS WITH …`, `IS …` or `:: TYPE` after its left operand."""
    operator = tokens.key
    tokens.advance()
    if operator == "IS":
        return _is(tokens, left, position)
    if operator == "::":
        return t.IsTyped(left, value_type(tokens), position=position)
    if operator in ("STARTS", "ENDS"):
        tokens.expect("WITH")
        operator += " WITH"
    right = expression(tokens, ADDITION)
    return t.BinaryPredicate(cast("Any", operator), left, right, position=position)


def _is(tokens: TokenStream, left: Expression, position: int) -> Expression:
    following = tokens.keys[tokens.at + 1]
    negated = tokens.key == "NOT" and following in ("NULL", "TYPED", "::", "NORMALIZED", *_NORMAL_FORMS)
    if negated:
        tokens.advance()
    if tokens.accept("NULL"):
        return t.IsNull(left, negated, position=position)
    if tokens.accept_any(("TYPED", "::")):
        return t.IsTyped(left, value_type(tokens), negated, position=position)
    has_form = tokens.key in _NORMAL_FORMS and tokens.keys[tokens.at + 1] == "NORMALIZED"
    form = _normal_form(tokens) if has_form else "NFC"
    if tokens.accept("NORMALIZED"):
        return t.IsNormalized(left, form, negated, position=position)
    if negated:
        raise tokens.unexpected("NULL or a type")
    return t.LabelPredicate(left, label_expression(tokens), position=position)


def _normal_form(tokens: TokenStream) -> NormalForm:
    form = tokens.key
    if form not in _NORMAL_FORMS:
        raise tokens.unexpected(f"one of {', '.join(_NORMAL_FORMS)}")
    tokens.advance()
    return cast("NormalForm", form)


# Label expressions


def label_expression(tokens: TokenStream) -> LabelExpression:
    """Parse a label expression after `:` or IS: `A`, `A|B`, `A&!B`, `%`, `$(…)`, or the older `A:B` and `A|:B`."""
    position = tokens.starts[tokens.at]
    operands = [_label_conjunction(tokens)]
    while tokens.key == "|" and tokens.at not in tokens.reserved:
        tokens.advance()
        tokens.accept(":")
        operands.append(_label_conjunction(tokens))
    return operands[0] if len(operands) == 1 else t.LabelOr(tuple(operands), position=position)


def _label_conjunction(tokens: TokenStream) -> LabelExpression:
    position = tokens.starts[tokens.at]
    operands = [_label_negation(tokens)]
    while tokens.key in ("&", ":"):
        tokens.advance()
        operands.append(_label_negation(tokens))
    return operands[0] if len(operands) == 1 else t.LabelAnd(tuple(operands), position=position)


def _label_negation(tokens: TokenStream) -> LabelExpression:
    positions = []
    while tokens.key == "!":
        positions.append(tokens.starts[tokens.at])
        tokens.advance()
    if len(positions) > MAX_DEPTH:
        raise tokens.error(f"more than {MAX_DEPTH} ! in a row", "depth")
    found = _label(tokens)
    for position in reversed(positions):
        found = t.LabelNot(found, position=position)
    return found


def _label(tokens: TokenStream) -> LabelExpression:
    position = tokens.starts[tokens.at]
    if tokens.accept("("):
        found = label_expression(tokens)
        tokens.expect(")")
        return found
    if tokens.accept("%"):
        return t.AnyLabel(position=position)
    if tokens.accept("$"):
        quantity: Literal["ALL", "ANY"] = "ANY" if tokens.key == "ANY" else "ALL"
        tokens.accept_any(("ALL", "ANY"))
        tokens.expect("(")
        dynamic = expression(tokens)
        tokens.expect(")")
        return t.DynamicLabel(dynamic, quantity, position=position)
    return t.Label(tokens.name("a label or type"), position=position)


# Primary expressions


def _primary(tokens: TokenStream) -> Expression:
    parse = _PRIMARY.get(tokens.key)
    if parse is not None:
        found = parse(tokens)
        if found is not None:
            return found
    if tokens.key[0] in NAME_STARTS:
        return _named(tokens)
    raise tokens.unexpected("an expression")


def _constant(tokens: TokenStream) -> Expression:
    position, key = tokens.starts[tokens.at], tokens.key
    tokens.advance()
    if key == "NULL":
        return t.Null(position=position)
    if key in ("TRUE", "FALSE"):
        return t.Boolean(key == "TRUE", position=position)
    return t.FloatConstant("NaN" if key == "NAN" else "INF", position=position)


def _string(tokens: TokenStream) -> t.String:
    found = t.String(read_string(tokens.texts[tokens.at]), position=tokens.starts[tokens.at])
    tokens.advance()
    return found


def _number(tokens: TokenStream) -> t.Integer | t.Float:
    position = tokens.starts[tokens.at]
    negative = tokens.accept("-")
    if tokens.key not in (INTEGER, FLOAT):
        raise tokens.unexpected("a number")
    read = read_float if tokens.key == FLOAT else read_integer
    found = read(tokens.texts[tokens.at], position, negative=negative)
    tokens.advance()
    return found


def parameter(tokens: TokenStream) -> t.Parameter:
    """Parse `$name`."""
    position = tokens.starts[tokens.at]
    tokens.expect("$")
    if tokens.key == INTEGER:
        name = tokens.texts[tokens.at]
        tokens.advance()
    else:
        name = tokens.name("the name of a parameter")
    return t.Parameter(name, position=position)


def map_literal(tokens: TokenStream) -> t.MapLiteral:
    """Parse `{key: value, …}`."""
    position = tokens.starts[tokens.at]
    return t.MapLiteral(_braced(tokens, _map_entry), position=position)


def _braced(tokens: TokenStream, item: Callable[[TokenStream], Any]) -> tuple[Any, ...]:
    tokens.expect("{")
    items = []
    while tokens.key != "}":
        items.append(item(tokens))
        if tokens.key != "}":
            tokens.expect(",")
            if tokens.key == "}":
                raise tokens.unexpected("a key")
    tokens.advance()
    return tuple(items)


def _map_entry(tokens: TokenStream) -> t.MapEntry:
    position = tokens.starts[tokens.at]
    key = tokens.name("a key")
    tokens.expect(":")
    return t.MapEntry(key, expression(tokens), position=position)


def _parenthesised(tokens: TokenStream) -> Expression:
    if tokens.begins_pattern(tokens.at):
        position = tokens.starts[tokens.at]
        return t.PatternExpression(tokens.pattern(tokens, None), position=position)
    tokens.advance()
    found = expression(tokens)
    tokens.expect(")")
    return found


def _begins_case(tokens: TokenStream, at: int) -> bool:
    """Return whether the word CASE is a keyword rather than a name."""
    following = tokens.keys[at + 1]
    is_name = following in _AFTER_NAME or following in _BINARY
    return not is_name and tokens.keys[at - 1] != "."


def _case(tokens: TokenStream) -> t.CaseExpression | None:
    if not _begins_case(tokens, tokens.at):
        return None
    position = tokens.starts[tokens.at]
    tokens.cases += 1
    if tokens.cases > MAX_CASES:
        raise tokens.error(f"CASE nests deeper than {MAX_CASES}", "depth")
    tokens.advance()
    subject = None if tokens.key == "WHEN" else expression(tokens)
    branches = []
    while tokens.key == "WHEN":
        branches.append(_case_alternative(tokens, has_subject=subject is not None))
    if not branches:
        raise tokens.unexpected("WHEN")
    default = expression(tokens) if tokens.accept("ELSE") else None
    tokens.expect("END")
    tokens.cases -= 1
    return t.CaseExpression(subject, tuple(branches), default, position=position)


def _case_alternative(tokens: TokenStream, *, has_subject: bool) -> t.CaseAlternative:
    position = tokens.starts[tokens.at]
    tokens.expect("WHEN")
    parse = _case_condition if has_subject else expression
    conditions = [parse(tokens)]
    while has_subject and tokens.accept(","):
        conditions.append(parse(tokens))
    tokens.expect("THEN")
    return t.CaseAlternative(tuple(conditions), expression(tokens), position=position)


def _case_condition(tokens: TokenStream) -> Expression:
    """Parse a value which the subject may equal, or an operator and its right operand."""
    position, key = tokens.starts[tokens.at], tokens.key
    level = PRECEDENCE.get(key, 0)
    subject = t.CaseOperand(position=position)
    is_value = tokens.version == 5 and key in ("CONTAINS", "IN")
    if level == PREDICATE and not is_value:
        return _predicate(tokens, subject, position)
    if level == COMPARISON:
        tokens.advance()
        right = expression(tokens, PREDICATE)
        return t.Comparison((subject, right), (cast("Any", key),), position=position)
    return expression(tokens)


# Lists and comprehensions


def _list(tokens: TokenStream) -> Expression:
    at = tokens.at
    position = tokens.starts[at]
    tokens.advance()
    if tokens.is_name(at + 1) and tokens.keys[at + 2] == "IN" and not _has_comma(tokens, at):
        return _list_comprehension(tokens, at)
    path = at + 3 if tokens.is_name(at + 1) and tokens.keys[at + 2] == "=" else at + 1
    may_be_pattern = (
        at in tokens.last_pipe_in_bracket and tokens.keys[path] == "(" and tokens.begins_pattern(path)
    )
    if may_be_pattern and not _has_comma(tokens, at):
        return _pattern_comprehension(tokens, at)
    items = () if tokens.key == "]" else expressions(tokens)
    tokens.expect("]")
    return t.ListLiteral(items, position=position)


def _has_comma(tokens: TokenStream, opening: int) -> bool:
    """Return whether a comma stands directly inside a bracket, except between the conditions of a CASE."""
    at, cases = opening + 1, 0
    while at < tokens.closings[opening]:
        key = tokens.keys[at]
        if key == "," and not cases:
            return True
        cases += key == "CASE" and _begins_case(tokens, at)
        cases -= key == "END" and cases > 0 and tokens.keys[at - 1] != "."
        at = tokens.closings.get(at, at) + 1
    return False


def _list_comprehension(tokens: TokenStream, at: int) -> t.ListComprehension:
    variable = tokens.variable()
    tokens.expect("IN")
    pipe = tokens.reserve_last_pipe(at)
    source = expression(tokens)
    condition = where(tokens)
    tokens.reserved.discard(pipe)
    result = expression(tokens) if tokens.accept("|") else None
    tokens.expect("]")
    return t.ListComprehension(variable, source, condition, result, position=tokens.starts[at])


def _pattern_comprehension(tokens: TokenStream, at: int) -> t.PatternComprehension:
    variable = None
    if tokens.keys[tokens.at + 1] == "=":
        variable = tokens.variable()
        tokens.expect("=")
    pipe = tokens.reserve_last_pipe(at)
    pattern = tokens.pattern(tokens, variable)
    condition = where(tokens)
    tokens.reserved.discard(pipe)
    tokens.expect("|")
    result = expression(tokens)
    tokens.expect("]")
    return t.PatternComprehension(pattern, condition, result, position=tokens.starts[at])


# Names, calls, and forms which look like calls


def _named(tokens: TokenStream) -> Expression:
    """Parse a variable, a map projection of one, or a function call."""
    following = tokens.keys[tokens.at + 1]
    if following == "(":
        return _call(tokens)
    if following == ".":
        at = tokens.at
        while tokens.keys[at + 1] == "." and tokens.is_name(at + 2):
            at += 2
        if tokens.keys[at + 1] == "(":
            return _call(tokens)
    variable = tokens.variable()
    if tokens.key != "{":
        return variable
    return t.MapProjection(variable, _braced(tokens, _projected), position=variable.position)


def _projected(tokens: TokenStream) -> t.AllPropertiesSelector | t.PropertySelector | t.Variable | t.MapEntry:
    if tokens.accept("."):
        position = tokens.starts[tokens.at]
        if tokens.accept("*"):
            return t.AllPropertiesSelector(position=position)
        return t.PropertySelector(tokens.name("a property"), position=position)
    return _map_entry(tokens) if tokens.keys[tokens.at + 1] == ":" else tokens.variable()


def _call(tokens: TokenStream) -> t.FunctionInvocation:
    position = tokens.starts[tokens.at]
    name = dotted_name(tokens)
    tokens.expect("(")
    distinct = tokens.key == "DISTINCT" and _begins_operand(tokens, tokens.at + 1)
    if distinct or (tokens.key == "ALL" and _begins_operand(tokens, tokens.at + 1)):
        tokens.advance()
    return t.FunctionInvocation(name, arguments(tokens), distinct, position=position)


def _begins_operand(tokens: TokenStream, at: int) -> bool:
    key = tokens.keys[at]
    if tokens.keys[at - 1] == "DISTINCT" and key in ("(", "-", "+"):
        return True
    return key[0] in _OPERAND_STARTS and key not in _WORD_OPERATORS


def dotted_name(tokens: TokenStream) -> tuple[str, ...]:
    """Parse the name of a function or procedure."""
    parts = [tokens.name()]
    while tokens.accept("."):
        parts.append(tokens.name())
    return tuple(parts)


def arguments(tokens: TokenStream) -> tuple[Expression, ...]:
    """Parse arguments after their opening bracket, and the closing bracket."""
    found = () if tokens.key == ")" else expressions(tokens)
    tokens.expect(")")
    return found


def _count(tokens: TokenStream) -> Expression | None:
    if tokens.keys[tokens.at + 1 : tokens.at + 4] != ["(", "*", ")"]:
        return _subquery(tokens)
    position = tokens.starts[tokens.at]
    tokens.advance(4)
    return t.CountStar(position=position)


def _subquery(tokens: TokenStream) -> t.SubqueryExpression | None:
    following = tokens.keys[tokens.at + 2]
    is_projection = following in (".", "}") or (
        tokens.is_name(tokens.at + 2) and tokens.keys[tokens.at + 3] in (":", ",", "}")
    )
    if tokens.keys[tokens.at + 1] != "{" or is_projection:
        return None
    position, kind = tokens.starts[tokens.at], tokens.key
    tokens.advance(2)
    query = tokens.query(tokens, kind)
    tokens.expect("}")
    return t.SubqueryExpression(cast("Any", kind), query, position=position)


def _trim(tokens: TokenStream) -> t.Trim | t.FunctionInvocation | None:
    if tokens.keys[tokens.at + 1] != "(":
        return None
    begin = tokens.at
    position = tokens.starts[begin]
    tokens.advance(2)
    mode = tokens.key if tokens.key in ("BOTH", "LEADING", "TRAILING") else None
    following = tokens.keys[tokens.at + 1]
    if mode and (following in (")", ",", ".") or following in _BINARY):
        mode = None
    if mode:
        tokens.advance()
    characters = None if tokens.key == "FROM" else expression(tokens)
    if mode is None and tokens.key != "FROM":
        tokens.accept(",")
        operands = (cast("Any", characters), *arguments(tokens))
        return t.FunctionInvocation((tokens.texts[begin],), operands, position=position)
    tokens.expect("FROM")
    source = expression(tokens)
    tokens.expect(")")
    return t.Trim(cast("Any", mode or "BOTH"), characters, source, position=position)


def _normalize(tokens: TokenStream) -> t.Normalize | None:
    begin = tokens.at
    end = tokens.closings.get(begin + 1, 0)
    if tokens.keys[begin + 1] != "(" or tokens.keys[end - 2] != ",":
        return None
    position = tokens.starts[begin]
    tokens.advance(2)
    source = expression(tokens)
    tokens.expect(",")
    form = _normal_form(tokens)
    tokens.expect(")")
    return t.Normalize(source, form, position=position)


def _iterable_predicate(tokens: TokenStream) -> t.IterablePredicate | None:
    at = tokens.at
    if tokens.keys[at + 1] != "(" or not tokens.is_name(at + 2) or tokens.keys[at + 3] != "IN":
        return None
    position, kind = tokens.starts[at], tokens.key
    tokens.advance(2)
    variable = tokens.variable()
    tokens.expect("IN")
    source = expression(tokens)
    condition = where(tokens)
    tokens.expect(")")
    return t.IterablePredicate(cast("Any", kind), variable, source, condition, position=position)


def _reduce(tokens: TokenStream) -> t.ReduceExpression | None:
    at = tokens.at
    if tokens.keys[at + 1] != "(" or not tokens.is_name(at + 2) or tokens.keys[at + 3] != "=":
        return None
    position = tokens.starts[at]
    tokens.advance(2)
    accumulator = tokens.variable()
    tokens.expect("=")
    pipe = tokens.reserve_last_pipe(at + 1)
    initial = expression(tokens)
    tokens.expect(",")
    variable = tokens.variable()
    tokens.expect("IN")
    source = expression(tokens)
    tokens.reserved.discard(pipe)
    tokens.expect("|")
    step = expression(tokens)
    tokens.expect(")")
    return t.ReduceExpression(accumulator, initial, variable, source, step, position=position)


def _shortest(tokens: TokenStream) -> t.PatternExpression | None:
    if tokens.keys[tokens.at + 1] != "(":
        return None
    position = tokens.starts[tokens.at]
    return t.PatternExpression(tokens.pattern(tokens, None), position=position)


_PRIMARY: dict[str, Callable[[TokenStream], Expression | None]] = {
    "(": _parenthesised,
    "[": _list,
    "{": map_literal,
    "$": parameter,
    "-": _number,
    STRING: _string,
    INTEGER: _number,
    FLOAT: _number,
    "COUNT": _count,
    "EXISTS": _subquery,
    "COLLECT": _subquery,
    "TRIM": _trim,
    "NORMALIZE": _normalize,
    "REDUCE": _reduce,
    "CASE": _case,
    "SHORTESTPATH": _shortest,
    "ALLSHORTESTPATHS": _shortest,
}
_PRIMARY |= dict.fromkeys(("TRUE", "FALSE", "NULL", "INF", "INFINITY", "NAN"), _constant)
_PRIMARY |= dict.fromkeys(("ALL", "ANY", "NONE", "SINGLE"), _iterable_predicate)
"""Parsers of primary expressions by the key of the first token; None as result leaves the word to be a name."""
