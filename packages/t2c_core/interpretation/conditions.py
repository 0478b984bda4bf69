"""Conditions of a query in words: behind a noun ("older than 60") or as a clause ("the age is over 60")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import MIRRORED, walk
from t2c_core.interpretation.pattern import NotVerbalisedError
from t2c_core.interpretation.words import agree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.interpretation.pattern import EdgeFacts
    from t2c_core.interpretation.words import Words
    from t2c_core.schema import GraphSchema

COMPARISONS = {
    "=": "",
    "<>": "other than ",
    ">": "over ",
    "<": "under ",
    ">=": "of at least ",
    "<=": "of at most ",
}
TEMPORAL = {
    "=": "",
    "<>": "other than ",
    ">": "after ",
    "<": "before ",
    ">=": "on or after ",
    "<=": "on or before ",
}
QUANTITIES = {
    "=": "exactly ", "<>": "a number other than ", ">": "more than ", "<": "fewer than ", ">=": "at least ",
    "<=": "at most ",
}  # fmt: skip
CLAUSES = {
    "=": "is", "<>": "is not", ">": "is greater than", "<": "is less than", ">=": "is at least", "<=": "is at most",
    "CONTAINS": "contains", "STARTS WITH": "starts with", "ENDS WITH": "ends with", "IN": "is",
    "=~": "matches the pattern",
}  # fmt: skip
REVERSED = {**MIRRORED, "=": "=", "<>": "<>"}
_FOLDS = {"tolower", "toupper", "trim", "lower", "upper"}
_CASTS = {"date", "datetime", "localdatetime", "time", "localtime", "tofloat", "tointeger", "duration"}


def join(parts: Sequence[str], word: str = "and") -> str:
    """Join words as a list: `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


class Reader(Protocol):
    """What conditions need of the reader of the whole query."""

    words: Words
    schema: GraphSchema

    def value(self, expression: t.Expression) -> str:
        """Return the words of a value, with its article."""

    def subquery(self, query: t.Query, number: str) -> str:
        """Return what a subquery is about."""

    def seen_from(self, variable: str, query: t.Query, number: str, *, plural: bool) -> str | None:
        """Return a subquery as a phrase behind the noun of an outer node, if it is one relationship away."""

    def label_of(self, variable: str) -> str:
        """Return the label by which a node is called."""


class Conditions:
    """Words for the conditions of one query.

    Args:
        reader: reads nouns, values and subqueries of the same query.
        parameters: values of the query's parameters.
    """

    def __init__(self, reader: Reader, parameters: Mapping[str, Any]) -> None:
        self._reader = reader
        self._parameters = parameters

    def name_of(self, variable: str, label: str, conditions: Sequence[t.Expression]) -> str | None:
        """Return the value by which conditions name a node, quoted; None if they do not name it."""
        found = self._naming(variable, label, conditions)
        return None if found is None else self.literal(found.operands[1])

    def modifiers(
        self, variable: str, label: str, conditions: Sequence[t.Expression], *, plural: bool
    ) -> list[str]:
        """Return what stands behind a node's noun: all its conditions but the one that names it."""
        naming = self._naming(variable, label, conditions)
        left = [each for each in conditions if each is not naming]
        ranges = _ranges(variable, left)
        words = []
        for condition in left:
            key = next((key for key, pair in ranges.items() if condition in pair), None)
            if key is None:
                words.append(self.modifier(variable, label, condition, plural=plural))
            elif condition is ranges[key][0]:
                low, high = (self.literal(each.operands[1]) for each in ranges[key])
                words.append(f"with {self._reader.words.property_noun(label, key)} from {low} to {high}")
        return words

    def _naming(self, variable: str, label: str, conditions: Sequence[t.Expression]) -> t.Comparison | None:
        keys = self._reader.words.naming_properties(label)
        for condition in conditions:
            match condition:
                case t.Comparison((left, right), ("=",)) if (
                    is_constant(right) and _property_of(variable, left) in keys
                ):
                    return condition
        return None

    def details(self, edge: EdgeFacts) -> str:
        """Return the conditions on a relationship, in brackets behind it."""
        kind = edge.types[0] if edge.types else ""
        words = [self.modifier(edge.variable or " ", kind, each, plural=False) for each in edge.conditions]
        return f" ({join(words)})" if words else ""

    def clause(self, condition: t.Expression) -> str:  # noqa: C901, PLR0911  one case a form
        """Return a condition as a clause of its own: subject, verb, object."""
        match condition:
            case t.Logical(operator, operands):
                return join([self.clause(each) for each in operands], operator.lower())
            case t.Not(t.SubqueryExpression("EXISTS", query)):
                return f"there is no {self._reader.subquery(query, 'singular').removeprefix('a ').removeprefix('an ')}"
            case t.Not(operand):
                return f"it is not true that {self.clause(operand)}"
            case t.SubqueryExpression("EXISTS", query):
                return f"there is {self._reader.subquery(query, 'a')}"
            case t.Comparison((t.SubqueryExpression("COUNT", query), right), (operator,)):
                return f"there are {QUANTITIES[operator]}{self.literal(right)} {self._reader.subquery(query, 'plural')}"
            case t.Comparison(operands, operators):
                return self._chain(operands, operators)
            case t.BinaryPredicate("IN", left, right) if is_constant(left) and not is_constant(right):
                return f"{self._reader.value(right)} includes {self.literal(left)}"
            case t.BinaryPredicate(operator, left, right):
                return f"{self._side(left)} {CLAUSES[operator]} {self._side(right)}"
            case t.IsNull(operand, negated):
                return f"{self._reader.value(operand)} is {'known' if negated else 'missing'}"
            case t.Property():
                return f"{self._reader.value(condition)} is true"
        raise NotVerbalisedError(type(condition).__name__)

    def literal(self, expression: t.Expression) -> str:
        """Return a constant as it is shown: text in quotation marks, numbers as they are."""
        match expression:
            case t.Parameter(name):
                if name not in self._parameters:
                    return f"${name}"
                return _shown(self._parameters[name])
            case t.String(value) | t.Integer(value) | t.Float(value) | t.Boolean(value):
                return _shown(value)
            case t.ListLiteral(items):
                return join([self.literal(each) for each in items], "or")
            case t.FunctionInvocation((name,), (inner,)) if name.lower() in _FOLDS | _CASTS:
                return self.literal(inner)
            case t.UnaryOp(sign, operand):
                return f"{sign}{self.literal(operand)}"
        raise NotVerbalisedError("a computed constant")

    def modifier(  # noqa: C901, PLR0911, PLR0912  one case a form
        self, variable: str, owner: str, condition: t.Expression, *, plural: bool
    ) -> str:
        """Return one condition as it stands behind the noun."""
        words = self._reader.words
        who = "who" if words.is_animate(owner) else "that"
        match condition:
            case t.Comparison((left, right), (operator,)) if is_constant(left) and not is_constant(right):
                turned = t.Comparison((right, left), (REVERSED[operator],))  # type: ignore[arg-type]
                return self.modifier(variable, owner, turned, plural=plural)
            case t.Comparison((t.SubqueryExpression("COUNT", query), right), (operator,)) if is_constant(
                right
            ):
                number = f"{QUANTITIES[operator]}{self.literal(right)}"
                phrase = self._reader.seen_from(variable, query, number, plural=plural)
                return phrase or f"with {self._reader.subquery(query, number)}"
            case t.Comparison((left, right), (operator,)) if (
                key := _property_of(variable, left)
            ) and is_constant(right):
                return self._comparison(owner, key, operator, right, plural=plural)
            case t.Comparison((left, t.Variable() as right), (operator,)) if key := _property_of(
                variable, left
            ):
                noun = words.property_noun(owner, key)
                return f"with {noun} {COMPARISONS[operator]}{self._reader.value(right)}"
            case t.Comparison((t.Property(t.Property() as inner, part), right), (operator,)) if (
                key := _property_of(variable, inner)
            ) and is_constant(right):
                noun = words.property_noun(owner, key)
                return f"whose {noun} has the {part} {COMPARISONS[operator]}{self.literal(right)}"
            case t.BinaryPredicate("IN", left, right) if (
                key := _property_of(variable, right)
            ) and is_constant(left):
                return f"with {self.literal(left)} among the {words.property_noun(owner, key, plural=True)}"
            case t.BinaryPredicate(operator, left, right) if (
                key := _property_of(variable, left)
            ) and is_constant(right):
                return f"whose {words.property_noun(owner, key)} {CLAUSES[operator]} {self.literal(right)}"
            case t.IsNull(operand, negated) if key := _property_of(variable, operand):
                return f"{'with a known' if negated else 'without a'} {words.property_noun(owner, key)}"
            case t.Not(t.SubqueryExpression("EXISTS", query)):
                return self._absence(variable, query, plural=plural)
            case t.SubqueryExpression("EXISTS", query):
                phrase = self._reader.seen_from(variable, query, "a", plural=plural)
                return phrase or f"with {self._reader.subquery(query, 'a')}"
            case t.Property() if key := _property_of(variable, condition):
                return self._comparison(owner, key, "=", t.Boolean(True), plural=plural)
            case t.Not(t.Property() as inner) if key := _property_of(variable, inner):
                return self._comparison(owner, key, "=", t.Boolean(False), plural=plural)
            case t.Logical("OR", operands):
                return join([self.modifier(variable, owner, each, plural=plural) for each in operands], "or")
        return f"for {'whom' if who == 'who' else 'which'} {self.clause(condition)}"

    def _comparison(self, owner: str, key: str, operator: str, right: t.Expression, *, plural: bool) -> str:
        words, value = self._reader.words, self.literal(right)
        found = self._reader.schema.property_of(owner, key)
        if value in {"true", "false"} and operator in {"=", "<>"}:
            holds = (value == "true") == (operator == "=")
            fields = ("true_phrases", "yes") if holds else ("false_phrases", "no")
            phrase = words.property_phrase(owner, key, *fields)
            if phrase is not None:
                return agree(phrase, plural=plural)
            return f"with {words.property_noun(owner, key)} {'true' if holds else 'false'}"
        of_zero = {"=": "zero_phrases", ">": "positive_phrases"}
        if value == "0" and operator in of_zero:
            phrase = words.property_phrase(owner, key, of_zero[operator])
            if phrase is not None:
                return agree(phrase, plural=plural)
        comparative = {">": ("greater_than", "more"), "<": ("less_than", "less")}
        fields = comparative.get(operator, ("", ""))
        phrase = words.property_phrase(owner, key, *fields) if operator in comparative else None
        if phrase is not None and "{}" in phrase:
            return agree(phrase, plural=plural).replace("{}", value)
        is_temporal = found is not None and ("DATE" in found.type or "TIME" in found.type)
        sign = (TEMPORAL if is_temporal else COMPARISONS)[operator]
        return f"with {words.property_noun(owner, key)} {sign}{value}"

    def _absence(self, variable: str, query: t.Query, *, plural: bool) -> str:
        """Say that a relationship is missing, with the lexicon's phrase where the subquery is one step from here."""
        absent = self._reader.subquery(query, "any")
        match query.parts[0].clauses:
            case (
                t.Match(
                    patterns=(
                        t.PathPattern(
                            parts=(
                                t.NodePattern(variable=t.Variable(name)),
                                t.RelationshipPattern(direction="->", types=t.Label(kind)),
                                t.NodePattern(labels=t.Label(other)) as far,
                            )
                        ),
                    ),
                    where=None,
                ),
                *_,
            ) if name == variable and far.properties is None:
                mine = self._reader.label_of(variable)
                phrase = self._reader.words.absence_phrase(kind, mine, other)
                if phrase is not None:
                    noun = self._reader.words.noun(other, plural=False)
                    return agree(phrase, plural=plural).replace("{}", f"any {noun}")
        return f"without {absent}"

    def _chain(self, operands: Sequence[t.Expression], operators: Sequence[str]) -> str:
        return join(
            [
                f"{self._side(left)} {CLAUSES[operator]} {self._side(right)}"
                for left, operator, right in zip(operands, operators, operands[1:], strict=False)
            ]
        )

    def _side(self, expression: t.Expression) -> str:
        return (
            self.literal(expression) if is_constant(expression) else self._reader.value(_unfolded(expression))
        )


def _ranges(
    variable: str, conditions: Sequence[t.Expression]
) -> dict[str, tuple[t.Comparison, t.Comparison]]:
    """Return pairs of conditions that bound a property from both sides, ends included, by property."""
    bounds: dict[str, dict[str, t.Comparison]] = {}
    for condition in conditions:
        match condition:
            case t.Comparison((left, right), (">=" | "<=" as operator,)) if is_constant(right) and (
                key := _property_of(variable, left)
            ):
                bounds.setdefault(key, {})[operator] = condition
    return {key: (found[">="], found["<="]) for key, found in bounds.items() if len(found) == 2}


def is_constant(expression: t.Expression) -> bool:
    """Return whether an expression depends on no variable and runs no subquery."""
    return not any(
        isinstance(each, t.Variable | t.SubqueryExpression | t.CountStar) for each in walk(expression)
    )


def _unfolded(expression: t.Expression) -> t.Expression:
    while (
        isinstance(expression, t.FunctionInvocation)
        and expression.name[-1].lower() in _FOLDS | _CASTS
        and expression.arguments
    ):
        expression = expression.arguments[0]
    return expression


def _property_of(variable: str, expression: t.Expression) -> str | None:
    inner = _unfolded(expression)
    if (
        isinstance(inner, t.Property)
        and isinstance(inner.subject, t.Variable)
        and inner.subject.name == variable
    ):
        return inner.key
    return None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return join([_shown(each) for each in value], "or")
    if isinstance(value, str):
        return (
            value
            if value[:1].isdigit() and value.replace("-", "").replace(":", "").isdigit()
            else f"“{value}”"
        )
    return str(value)
