"""Conditions of a query that a follow-up adds or replaces: values, numbers, dates and truths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from t2c_core.cypher import ast_nodes as t
from t2c_service.answering.conversation.placing import Placing, UnplacedError, property_access

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.ast_nodes import ComparisonOperator, Expression
    from t2c_core.values.linker import LinkedMention
    from t2c_service.answering.conversation.draft import Condition, Draft
    from t2c_service.answering.conversation.follow_up import FollowUp
    from t2c_service.answering.conversation.vocabulary import Meaning, PropertyOf, Vocabulary

_TURNED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


class ConditionEditor:
    """Changes the conditions of a draft.

    Args:
        draft: the query.
        vocabulary: words of the graph.
        found: edits of the follow-up.
        placing: finds the places of edits.
    """

    def __init__(self, draft: Draft, vocabulary: Vocabulary, found: FollowUp, placing: Placing) -> None:
        self.draft = draft
        self.words = vocabulary
        self.found = found
        self.placing = placing
        self.columns = list(found.columns)
        """Properties that are named; those that a number is compared with are taken out."""

    def apply(self) -> None:
        """Add and replace conditions.

        Raises:
            UnplacedError: one of them has no place, or several.
        """
        if not self.draft.is_open:
            self._only_values()
            return
        if self.found.negates:
            self._turn_last()
        for link, meanings in self.found.comparisons:
            self._compare(link, meanings)
        for truths, is_negated in self.found.truths:
            self._truth(truths, is_negated=is_negated)
        for link, operator, is_negated in self.found.values:
            self._value(link, operator, is_negated=is_negated)

    def _only_values(self) -> None:
        found = self.found
        has_more = (
            found.truths or found.comparisons or found.columns or found.groups or found.sorting or found.limit
            or found.drops_limit or found.function or found.lists or found.negates or found.extremes
        )  # fmt: skip
        if has_more or not found.values:
            raise UnplacedError("the query can only have values replaced")
        for link, operator, is_negated in found.values:
            held = self._held(link) if operator in {"", "="} and not is_negated else []
            if len(held) != 1:
                raise UnplacedError("the value has no place")
            self.draft.parameters[held[0][0].parameter] = held[0][1]

    def _turn_last(self) -> None:
        held = self.draft.conditions()
        if not held:
            raise UnplacedError("there is no condition to turn")
        last = held[-1]
        of = self.placing.property_of(last.owner, last.key)
        if last.operator == "is":
            term = self._truth_term(last.variable, of, last.negated, is_negated=False)
            self.draft.exchange(last.node, term)
        elif last.operator in _TURNED and not last.negated:
            self._exchange_value(last, self.draft.parameters[last.parameter], _TURNED[last.operator])
        else:
            node = cast("Expression", last.node)
            self.draft.exchange(last.node, node.operand if isinstance(node, t.Not) else t.Not(node))

    def _held(self, link: LinkedMention) -> list[tuple[Condition, Any]]:
        """Return the conditions on properties that have the value, each with its spelling there."""
        found: dict[str, tuple[Condition, Any]] = {}
        for place in link.occurrences:
            for each in self.draft.conditions():
                is_same = (each.owner, each.key) == (place.label_or_type, place.property) and not each.part
                if is_same and each.operator in {"=", "IN", "<>"} and each.parameter not in found:
                    found[each.parameter] = (each, place.value)
        return list(found.values())

    def _value(self, link: LinkedMention, operator: str, *, is_negated: bool) -> None:
        if link.kind in {"number", "year", "month", "date"} or _is_number(link):
            self._number(link, operator, is_negated=is_negated)
            return
        if link.kind != "value" or operator in {"<", ">", "<=", ">="}:
            raise UnplacedError("the value has no place")
        held = self._held(link)
        if len(held) == 1 and not is_negated:
            self.draft.parameters[held[0][0].parameter] = held[0][1]
            return
        if len(held) > 1 or self.found.replaces:
            raise UnplacedError("no condition, or several, may be meant")
        spelling = {(each.label_or_type, each.property): each.value for each in reversed(link.occurrences)}
        refs = {self.placing.property_of(*each) for each in spelling}
        variable, of = self.placing.condition(refs, is_negated=is_negated)
        value = self.draft.parameter(spelling[of.owner, of.key])
        read = property_access(variable, of.key)
        if self.words.is_list(of):
            term: Expression = t.BinaryPredicate("IN", value, read)
            term = t.Not(term) if is_negated else term
        else:
            term = t.Comparison((read, value), ("<>" if is_negated else "=",))
        self.placing.require(variable, term)

    def _number(self, link: LinkedMention, operator: str, *, is_negated: bool) -> None:
        hinted = {of for refs in self.columns for of in refs if self._fits(of, link)}
        hinted = hinted or {of for of in self.found.hints if self._fits(of, link)}
        held = [each for each in self.draft.conditions() if self._is_about(each, link)]
        if hinted:
            held = [each for each in held if self.placing.property_of(each.owner, each.key) in hinted]
            self.columns = [refs for refs in self.columns if not refs & hinted]
        if len(held) > 1:
            raise UnplacedError("two conditions may be meant")
        if held:
            sign = operator or held[0].operator
            self._exchange_value(held[0], link.value, _TURNED[sign] if is_negated else sign)
            return
        if not hinted:
            hinted = (
                self.placing.dates(link.kind)
                if link.kind in {"year", "month", "date"}
                else {
                    self.placing.property_of(each.label_or_type, each.property) for each in link.occurrences
                }
            )
        variable, of = self.placing.condition(hinted, is_negated=False)
        sign = operator or "="
        self.placing.require(
            variable,
            self._comparison(variable, of, link.value, _TURNED[sign] if is_negated else sign, link.kind),
        )

    def _fits(self, of: PropertyOf, link: LinkedMention) -> bool:
        if link.kind in {"month", "date"}:
            return self.words.is_date(of)
        return self.words.is_number(of) or (link.kind == "year" and self.words.is_date(of))

    def _is_about(self, condition: Condition, link: LinkedMention) -> bool:
        if condition.operator not in _TURNED:
            return False
        of = self.placing.property_of(condition.owner, condition.key)
        if link.kind == "month":
            return condition.part == "month"
        if link.kind == "year":
            return (self.words.is_date(of) and condition.part in {"", "year"}) or (
                self.words.is_number(of) and "year" in of.key.lower()
            )
        if link.kind == "date":
            return self.words.is_date(of) and condition.part in {"", "year"}
        if link.kind == "value":
            places = {(each.label_or_type, each.property) for each in link.occurrences}
            return self.words.is_number(of) and (condition.owner, condition.key) in places
        return self.words.is_number(of) and not condition.part

    def _exchange_value(self, condition: Condition, value: Any, operator: str) -> None:
        of = self.placing.property_of(condition.owner, condition.key)
        kind = "month" if condition.part == "month" else _kind_of(value)
        self.draft.exchange(condition.node, self._comparison(condition.variable, of, value, operator, kind))

    def _comparison(self, variable: str, of: PropertyOf, value: Any, operator: str, kind: str) -> Expression:
        read: Expression = property_access(variable, of.key)
        compared: Expression = self.draft.parameter(value)
        if self.words.is_date(of):
            if kind in {"year", "month"}:
                read = t.Property(read, kind)
            else:
                compared = t.FunctionInvocation(("date",), (compared,))
        return t.Comparison((read, compared), (cast("ComparisonOperator", operator),))

    def _compare(self, link: LinkedMention, meanings: Iterable[Meaning]) -> None:
        operators = {each.of: each.operator for each in meanings}
        held = [
            each for each in self.draft.conditions()
            if self.placing.property_of(each.owner, each.key) in operators and each.operator in _TURNED
        ]  # fmt: skip
        if len(held) == 1:
            of = self.placing.property_of(held[0].owner, held[0].key)
            self._exchange_value(held[0], link.value, operators[of])
            return
        variable, of = self.placing.condition(set(operators), is_negated=False)
        kind = _kind_of(link.value)
        self.placing.require(variable, self._comparison(variable, of, link.value, operators[of], kind))

    def _truth(self, meanings: Iterable[Meaning], *, is_negated: bool) -> None:
        values = {each.of: each.value for each in meanings}
        held = [
            each
            for each in self.draft.conditions()
            if self.placing.property_of(each.owner, each.key) in values
        ]
        if len(held) == 1:
            variable, of = held[0].variable, self.placing.property_of(held[0].owner, held[0].key)
            self.draft.exchange(
                held[0].node, self._truth_term(variable, of, values[of], is_negated=is_negated)
            )
            return
        variable, of = self.placing.condition(set(values), is_negated=False)
        self.placing.require(variable, self._truth_term(variable, of, values[of], is_negated=is_negated))

    def _truth_term(
        self, variable: str, of: PropertyOf, value: bool | str | None, *, is_negated: bool
    ) -> Expression:
        read = property_access(variable, of.key)
        if isinstance(value, str):
            return t.Comparison((read, self.draft.parameter(value)), ("<>" if is_negated else "=",))
        return t.Comparison((read, t.Boolean(bool(value) ^ is_negated)), ("=",))


def _kind_of(value: Any) -> str:
    """Return what of a date a value is compared with."""
    return "year" if isinstance(value, int) and not isinstance(value, bool) else "date"


def _is_number(link: LinkedMention) -> bool:
    return link.kind == "value" and isinstance(link.value, int | float) and not isinstance(link.value, bool)
