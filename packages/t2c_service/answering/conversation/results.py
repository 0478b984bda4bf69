"""Results of a query that a follow-up changes: columns, aggregates, groups, order and limit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.traversal import has_aggregate
from t2c_service.answering.conversation.draft import access, conjuncts
from t2c_service.answering.conversation.placing import Placing, UnplacedError, property_access

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.cypher.ast_nodes import Expression
    from t2c_service.answering.conversation.draft import Draft
    from t2c_service.answering.conversation.follow_up import FollowUp, Sorting
    from t2c_service.answering.conversation.vocabulary import PropertyOf, Vocabulary


class ResultEditor:
    """Changes the result of a draft.

    Args:
        draft: the query.
        vocabulary: words of the graph.
        found: edits of the follow-up.
        placing: finds the places of edits.
        columns: properties that are named and compared with nothing.
    """

    def __init__(
        self,
        draft: Draft,
        vocabulary: Vocabulary,
        found: FollowUp,
        placing: Placing,
        columns: list[frozenset[PropertyOf]],
    ) -> None:
        self.draft = draft
        self.words = vocabulary
        self.found = found
        self.placing = placing
        self.columns = columns

    def apply(self) -> None:
        """Change the result.

        Raises:
            UnplacedError: a change has no place, or several.
        """
        found = self.found
        leads_on = not found.has_conditions and not found.groups and not found.function and self._pivot()
        for group in found.groups:
            self._group(group)
        if found.lists:
            self._list_things()
        if not leads_on:
            self._result()
        self._order_and_limit()

    def _pivot(self) -> bool:
        """Return the things at the other end of a relationship: `which drugs do they take?`."""
        known = set(self.draft.owners.values())
        labels = {label for held in self.found.labels for label in held} - known
        types = {each for each in self.found.types if each not in known}
        if not labels and not types:
            return False
        if self.columns and not labels:
            return False
        end = self.placing.neighbour(labels, types)
        if end is None:
            if self.columns:
                return False
            raise UnplacedError("nothing leads there in one way")
        self._keep_limited()
        variable = self.placing.extend(end)
        name = self.words.naming_property(end.label)
        if name is None:
            raise UnplacedError("the things have no name")
        items = tuple(
            t.ProjectionItem(property_access(variable, key))
            for key in [
                name,
                *(of.key for refs in self.columns for of in refs if of.owner == end.label and of.key != name),
            ]
        )
        self.draft.result = t.Return(items, distinct=True)
        return True

    def _keep_limited(self) -> None:
        """Keep only the rows that the result has, where it is cut."""
        result, subject = self.draft.result, self.placing.subject
        if result.limit is None:
            return
        if (
            self.draft.stages
            or any(has_aggregate(item.expression) for item in result.items)
            or subject is None
        ):
            raise UnplacedError("rows of groups lead nowhere")
        raise UnplacedError("the first rows lead nowhere")

    def _group(self, group: frozenset[PropertyOf | str]) -> None:
        draft = self.draft
        if not draft.measures:
            of = frozenset(each for each in group if not isinstance(each, str))
            if not of:
                raise UnplacedError("there is no number to group")
            place = self.placing.column(of)
            self._sort_by(property_access(place[0], place[1].key), descending=False)
            return
        if draft.stages:
            raise UnplacedError("there is a grouping already")
        variable, key = self._group_key(group)
        if any(item not in draft.measures for item in draft.result.items):
            raise UnplacedError("there is a grouping already")
        items = (t.ProjectionItem(property_access(variable, key)), *draft.measures)
        draft.result = replace(draft.result, items=items, order=(), limit=None)

    def _group_key(self, group: frozenset[PropertyOf | str]) -> tuple[str, str]:
        """Return variable and property by which to group; the pattern may get a relationship that leads there."""
        draft = self.draft
        labels = {each for each in group if isinstance(each, str)}
        known = [name for name in draft.variables if draft.owners.get(name) in labels]
        end = None if known or not labels else self.placing.neighbour(labels, set())
        if len(known) != 1 and end is None:
            variable, of = self.placing.column(frozenset(each for each in group if not isinstance(each, str)))
            return variable, of.key
        if end is not None and not end.is_single:
            self._count_things()
        variable = self.placing.extend(end) if end is not None else known[0]
        key = self.words.naming_property(draft.owners[variable])
        if key is None:
            raise UnplacedError("the group has no name")
        return variable, key

    def _count_things(self) -> None:
        """Count each thing once, because the pattern is about to have more rows than things."""
        subject = self.placing.subject

        def changed(item: t.ProjectionItem) -> t.ProjectionItem:
            if isinstance(item.expression, t.CountStar) and subject is not None:
                return replace(item, expression=_count(subject, distinct=True))
            return item

        self.draft.result = replace(self.draft.result, items=tuple(map(changed, self.draft.result.items)))

    def _list_things(self) -> None:
        if self.draft.stages:
            raise UnplacedError("the things have no name")
        item = t.ProjectionItem(self._name())
        has_others = len(self.draft.variables) > 1
        if self.draft.measures:
            self.draft.result = t.Return((item,), distinct=has_others)
        elif item not in self.draft.result.items:
            self.draft.result = replace(self.draft.result, items=(item, *self.draft.result.items))

    def _result(self) -> None:
        function, draft = self.found.function, self.draft
        if function == "count" and not self.columns:
            if draft.measures:
                if any(not self._is_count(item.expression) for item in draft.measures):
                    raise UnplacedError("a figure is counted")
                return
            subject = self.placing.subject
            if subject is None or draft.stages:
                raise UnplacedError("there is nothing to count")
            draft.result = t.Return((t.ProjectionItem(_count(subject, distinct=len(draft.variables) > 1)),))
            return
        located = list(dict.fromkeys(self.placing.column(refs) for refs in self.columns))
        if function in {"avg", "sum", "min", "max"}:
            self._aggregate(function, located)
        elif located:
            self._columns(located)

    def _is_count(self, expression: Expression) -> bool:
        return isinstance(expression, t.CountStar) or (
            isinstance(expression, t.FunctionInvocation) and expression.name[-1].lower() == "count"
        )

    def _aggregate(self, function: str, located: list[tuple[str, PropertyOf]]) -> None:
        draft = self.draft
        if len(located) == 1:
            of: Expression = property_access(located[0][0], located[0][1].key)
        elif not located and draft.measures and not draft.stages:
            held = [item.expression for item in draft.measures]
            if len(held) != 1 or not isinstance(held[0], t.FunctionInvocation) or self._is_count(held[0]):
                raise UnplacedError("there is no figure to change")
            of = held[0].arguments[0]
            items = tuple(
                replace(item, expression=t.FunctionInvocation((function,), (of,)))
                if item in draft.measures
                else item
                for item in draft.result.items
            )
            draft.result = replace(draft.result, items=items)
            return
        elif not located:
            numbers = [
                (variable, key) for variable, key in draft.returned()
                if self.words.is_number(self.placing.property_of(draft.owners.get(variable, ""), key))
            ]  # fmt: skip
            if not numbers or draft.stages:
                raise UnplacedError("there is no number to compute with")
            of = property_access(*numbers[-1])
        else:
            raise UnplacedError("two properties may be meant")
        if draft.result.limit is not None or draft.stages:
            raise UnplacedError("the first rows cannot be computed with")
        draft.result = t.Return((t.ProjectionItem(t.FunctionInvocation((function,), (of,))),))

    def _columns(self, located: list[tuple[str, PropertyOf]]) -> None:
        draft = self.draft
        reads = [property_access(variable, of.key) for variable, of in located]
        if draft.measures and not draft.stages:
            held = [item for item in draft.measures if isinstance(item.expression, t.FunctionInvocation)]
            if len(held) != 1 or len(reads) != 1 or self._is_count(held[0].expression):
                raise UnplacedError("a number of things has no such property")
            new = replace(cast("t.FunctionInvocation", held[0].expression), arguments=(reads[0],))
            items = tuple(
                replace(item, expression=new) if item is held[0] else item for item in draft.result.items
            )
            draft.result = replace(draft.result, items=items)
            return
        if any(variable not in draft.visible for variable, _ in located):
            raise UnplacedError("the result does not know the thing")
        subject = self.placing.subject
        items = tuple(t.ProjectionItem(each) for each in reads)
        others = len(draft.variables) > 1 and any(variable != subject for variable, _ in located)
        if self.found.is_singular:
            draft.result = replace(draft.result, items=items, distinct=draft.result.distinct or others)
            return
        new_items = tuple(each for each in items if each not in draft.result.items)
        draft.result = replace(draft.result, items=(*draft.result.items, *new_items))

    # Order

    def _order_and_limit(self) -> None:
        found, draft = self.found, self.draft
        for meanings in found.extremes:
            high = {each.of: each.is_high for each in meanings}
            variable, of = self.placing.column(frozenset(high))
            self._sort_by(property_access(variable, of.key), descending=bool(high[of]))
            self._limit_to(1)
        if found.sorting is not None:
            self._sort(found.sorting)
        if found.drops_limit:
            draft.result = replace(draft.result, limit=None)
        if found.limit is not None:
            draft.result = replace(draft.result, limit=t.Integer(found.limit))
            self._without_nulls()

    def _limit_to(self, count: int) -> None:
        if self.draft.result.limit is None:
            self.draft.result = replace(self.draft.result, limit=t.Integer(count))
        self._without_nulls()

    def _sort(self, sorting: Sorting) -> None:
        order = self.draft.result.order
        if sorting.flips:
            if not order:
                raise UnplacedError("there is no order to reverse")
            self._set_order(replace(order[0], descending=not order[0].descending), order[1:])
        elif sorting.by_name:
            self._sort_by(self._name(), descending=bool(sorting.descending))
        elif sorting.of:
            variable, of = self.placing.column(sorting.of)
            descending = bool(sorting.descending) ^ sorting.is_age
            self._sort_by(property_access(variable, of.key), descending=descending)
        elif order:
            descending = order[0].descending if sorting.descending is None else sorting.descending
            self._set_order(replace(order[0], descending=descending), order[1:])
        elif not (sorting.needs_limit and self._swap_extreme(high=bool(sorting.descending))):
            self._sort_by_figure(sorting)
        if sorting.needs_limit and self.draft.result.order:
            self._limit_to(1)

    def _sort_by_figure(self, sorting: Sorting) -> None:
        """Sort by the measure of the result, or else by its last number or date."""
        draft = self.draft
        if draft.measures:
            self._sort_by(draft.measures[0].expression, descending=sorting.descending is not False)
            return
        properties = {
            each: self.placing.property_of(draft.owners.get(each[0], ""), each[1])
            for each in draft.returned()
        }
        figures = [
            each for each, of in properties.items() if self.words.is_number(of) or self.words.is_date(of)
        ]
        if not figures:
            raise UnplacedError("it is not said what to sort by")
        self._sort_by(property_access(*figures[-1]), descending=bool(sorting.descending))

    def _name(self) -> Expression:
        """Return the name of the things."""
        subject = self.placing.subject
        name = self.words.naming_property(self.draft.owners[subject]) if subject else None
        if subject is None or name is None:
            raise UnplacedError("the things have no name")
        return property_access(subject, name)

    def _swap_extreme(self, *, high: bool) -> bool:
        """Exchange `max` and `min` where the result is one of them."""
        draft = self.draft
        held = [item.expression for item in draft.measures]
        if (
            len(held) != 1
            or not isinstance(held[0], t.FunctionInvocation)
            or held[0].name[-1].lower() in {"count", "collect"}
        ):
            return False
        new = replace(held[0], name=("max" if high else "min",))
        items = tuple(
            replace(item, expression=new) if item in draft.measures else item for item in draft.result.items
        )
        draft.result = replace(draft.result, items=items)
        return True

    def _sort_by(self, expression: Expression, *, descending: bool) -> None:
        draft = self.draft
        held = access(cast("t.Node", expression))
        if held is not None and held[0] not in draft.visible:
            raise UnplacedError("the result does not know the thing")
        if (
            held is not None
            and draft.measures
            and not any(item.expression == expression for item in draft.result.items)
        ):
            raise UnplacedError("groups cannot be sorted by it")
        if draft.result.distinct and not any(item.expression == expression for item in draft.result.items):
            draft.result = replace(draft.result, items=(*draft.result.items, t.ProjectionItem(expression)))
        aliased = next(
            (i.alias for i in draft.result.items if i.expression == expression and i.alias), expression
        )
        self._set_order(t.SortItem(aliased, descending), ())

    def _set_order(self, first: t.SortItem, others: tuple[t.SortItem, ...]) -> None:
        self.draft.result = replace(self.draft.result, order=(first, *others))
        self._without_nulls()

    def _without_nulls(self) -> None:
        """Leave out things without the property that the first rows are sorted by."""
        result = self.draft.result
        if result.limit is None or not result.order or self.draft.stages or self.draft.measures:
            return
        held = access(cast("t.Node", result.order[0].expression))
        if held is None or held[2]:
            return
        known = self.draft.schema.property_of(self.draft.owners.get(held[0], ""), held[1])
        term = t.IsNull(property_access(held[0], held[1]), negated=True)
        if known is not None and known.share < 1 and term not in list(self._terms()):
            self.draft.require(term)

    def _terms(self) -> Iterable[Expression]:
        for match in self.draft.matches:
            if match.where is not None:
                yield from conjuncts(match.where)


def _count(variable: str, *, distinct: bool) -> Expression:
    return t.FunctionInvocation(("count",), (t.Variable(variable),), distinct=distinct)
