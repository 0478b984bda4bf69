"""Independent evaluation of instantiated templates in plain Python, without Cypher, to check their queries.

The answer follows from the query tree, the slots and what the template says it returns. Counts are counts of distinct
roots or neighbours, and averages and sums take each root and neighbour once, as questions mean them; the query has to
agree.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_data.planning.evaluation_graph import GraphNode, TreeMatcher, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from t2c_data.graph.context import GraphContext
    from t2c_data.planning.evaluation_graph import Binding, EvaluationGraph
    from t2c_data.planning.query_tree import QueryNode, QueryRelationship, Slot
    from t2c_data.templates.model import QuestionTemplate

_ITEM = re.compile(
    r"(?P<function>avg|sum|min|max|collect|count)\((?P<distinct>DISTINCT )?\{(?P<slot>\w+)(?:\.var)?\}\)"
)
_CLAUSES = re.compile(
    r"(?:WITH (?P<group>.*), (?P<measure>\S+|count\(DISTINCT \S+\)) AS n (?:WHERE n (?P<sign>>=?) \{k\} )?)?"
    r"RETURN (?P<items>.*?)"
    r"(?: ORDER BY (?P<order>.*?)(?P<descending> DESC)?(?: LIMIT (?P<limit>.*))?)?$"
)
MEAN = " n"
"""End of a template's condition that compares with the mean of a property."""
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of an answer, in any order, and the sort keys of an ordered one."""

    rows: list[list[Any]]
    keys: list[Any] | None = None
    """Sort keys in order, for an ordered answer."""
    is_set: bool = False
    """Whether repeated rows do not matter."""


class TemplateEvaluator:
    """Evaluates instantiated templates on one graph.

    Args:
        graph: graph to evaluate on.
        keys: properties of each label by which its nodes are listed: the display property and unique ones.
        max_bindings: maximum number of ways to match a tree.
    """

    def __init__(
        self, graph: EvaluationGraph, keys: Mapping[str, Collection[str]], *, max_bindings: int | None = None
    ) -> None:
        self._graph = graph
        self._keys = keys
        self._max_bindings = max_bindings

    @classmethod
    def of_context(
        cls, graph: EvaluationGraph, context: GraphContext, *, max_bindings: int | None = None
    ) -> TemplateEvaluator:
        """Create the evaluator of a graph whose schema and lexicon are known."""
        entries = context.lexicon.labels
        keys = {
            label.name: {entries[label.name].display_property}
            | {each.name for each in label.properties if each.unique}
            for label in context.schema.labels
        }
        return cls(graph, keys, max_bindings=max_bindings)

    def answer(self, template: QuestionTemplate, root: QueryNode, slots: dict[str, Slot]) -> Answer:
        """Return the answer to an instantiated template.

        Args:
            template: template.
            root: root of its tree.
            slots: its slots.

        Raises:
            EvaluationLimitError: the tree matches in more ways than allowed.
        """
        clauses = _CLAUSES.search(template.cypher)
        assert clauses is not None  # noqa: S101 - every shipped template is parsed by a test
        matcher = TreeMatcher(self._graph)
        rows = _Rows(matcher.bindings(root, max_bindings=self._max_bindings), root, slots, matcher)
        rows.drop_others(template, self._mean(template, root, slots))
        if clauses["group"]:
            table = [[*row, row[-1]] for row in self._grouped(rows, clauses)]
            width = len(clauses["items"].split(", "))
            table = [[*row[:width], row[-1]] for row in table]
            return (
                self._ordered(table, clauses, slots)
                if clauses["order"]
                else Answer([row[:-1] for row in table])
            )
        items = clauses["items"].split(", ")
        unique, items[0] = _is_distinct(items[0], rows, self._keys.get(root.label, ()))
        cells = [*items, *([clauses["order"]] if clauses["order"] else [])]
        table = rows.table(cells)
        if unique:
            table = [*{json.dumps(row, sort_keys=True): row for row in table}.values()]
        if clauses["order"]:
            return self._ordered(table, clauses, slots)
        roots = rows.distinct(rows.bindings, root)
        may_repeat = roots < 2 if "{many}" in clauses["items"] else unique and roots == len(rows.bindings)
        is_set = may_repeat and "DISTINCT" not in clauses["items"]
        return Answer(table, is_set=is_set)

    def _mean(self, template: QuestionTemplate, root: QueryNode, slots: dict[str, Slot]) -> float | None:
        """Return the mean of slot `b` over all nodes of the root's label, if the template compares with it."""
        if not template.where.endswith(MEAN):
            return None
        held = [each.properties.get(slots["b"].name) for each in self._graph.by_label.get(root.label, ())]
        values = [each for each in held if each is not None]
        return math.fsum(values) / len(values) if values else None

    @staticmethod
    def _ordered(table: list[list[Any]], clauses: re.Match[str], slots: dict[str, Slot]) -> Answer:
        """Sort rows by their last column, which is not returned, and apply the limit."""
        table = sorted(table, key=lambda row: _sort_key(row[-1]), reverse=bool(clauses["descending"]))
        limit = clauses["limit"]
        if limit:
            number = _limit(slots) if limit == "{k}" else int(limit)
            keys = [row[-1] for row in table]
            if len(keys) > number and keys[number - 1] == keys[number]:
                return Answer([], keys[:number])
            table = table[:number]
        return Answer([row[:-1] for row in table], [row[-1] for row in table])

    @staticmethod
    def _grouped(rows: _Rows, clauses: re.Match[str]) -> list[list[Any]]:
        """Return the groups of WITH and their measures, those that meet its condition."""
        if clauses["group"] == "{root}":
            groups = rows.groups(lambda binding: id(binding[id(rows.root)]))
            table = [
                [rows.value(group[0], rows.slots["a"]), rows.count(clauses["measure"], group)]
                for group in groups
            ]
        else:
            table = rows.table([clauses["group"].removesuffix(" AS g"), clauses["measure"]])
        if not clauses["sign"]:
            return table
        operator = "ge" if clauses["sign"] == ">=" else "gt"
        return [row for row in table if compare(operator, row[1], [_limit(rows.slots)])]


def _limit(slots: dict[str, Slot]) -> int:
    mention = slots["k"].mention
    return int(mention.value) if mention is not None else 0


def _is_distinct(item: str, rows: _Rows, keys: Collection[str]) -> tuple[bool, str]:
    """Return whether equal rows are one, and the first item without the prefix that says so."""
    if item.startswith("DISTINCT "):
        return True, item.removeprefix("DISTINCT ")
    if item.startswith("{many}"):
        return True, item.removeprefix("{many}")
    shown = [slot for slot in rows.slots.values() if slot.name]
    is_list = all(slot.part is rows.root for slot in shown) and any(slot.name in keys for slot in shown)
    return item.startswith("{unique}") and is_list, item.removeprefix("{unique}")


class _Rows:
    """The bindings of a tree, with the aggregates that a template can return."""

    def __init__(
        self, bindings: list[Binding], root: QueryNode, slots: dict[str, Slot], matcher: TreeMatcher
    ) -> None:
        self.bindings = bindings
        self.root = root
        self.slots = slots
        self._matcher = matcher

    def drop_others(self, template: QuestionTemplate, mean: float | None) -> None:
        """Keep the bindings that meet the further conditions of a template."""
        if template.not_null or template.where:
            self.bindings = [each for each in self.bindings if self._is_kept(each, template, mean)]

    def _is_kept(self, binding: Binding, template: QuestionTemplate, mean: float | None) -> bool:
        if any(self.value(binding, self.slots[name]) is None for name in template.not_null):
            return False
        if not template.where:
            return True
        first = self.value(binding, self.slots["b"])
        second = mean if template.where.endswith(MEAN) else self.value(binding, self.slots["c"])
        operator = "lt" if " < " in template.where else "gt"
        return first is not None and second is not None and compare(operator, first, [second])

    def value(self, binding: Binding, slot: Slot) -> Any:
        """Return the value of a slot: a property, part of a date, or a number of neighbours."""
        if slot.anchor is not None:
            node = binding[id(slot.anchor)]
            assert isinstance(node, GraphNode)  # noqa: S101 - an anchor is bound to a node
            return self._matcher.count_paths(slot.path[0], slot.anchor, node)
        value = binding[id(slot.part)].properties.get(slot.name)
        if slot.suffix and value is not None:
            return int(str(value)[:4] if slot.suffix == ".year" else str(value)[5:7])
        return value

    def groups(self, key: Callable[[Binding], Any]) -> list[list[Binding]]:
        found: dict[Any, list[Binding]] = {}
        for binding in self.bindings:
            found.setdefault(key(binding), []).append(binding)
        return [*found.values()]

    def distinct(self, bindings: list[Binding], part: QueryNode | QueryRelationship) -> int:
        return len({id(binding[id(part)]) for binding in bindings})

    def count(self, measure: str, group: list[Binding]) -> int:
        """Count the neighbours of a group, or their distinct values if the measure names a property."""
        match = _ITEM.fullmatch(measure)
        if match and self.slots[match["slot"]].name:
            return int(self._function(measure, group))
        return self.distinct(
            group, next(each.part for each in self.slots.values() if each.path and not each.name)
        )

    def table(self, items: Sequence[str]) -> list[list[Any]]:
        """Evaluate the items of a projection; those that do not aggregate are the grouping keys."""
        keys = [item for item in items if not self._is_aggregate(item)]
        if len(keys) == len(items):
            slots = [self.slots[item.strip("{}")] for item in items]
            return [[self.value(binding, slot) for slot in slots] for binding in self.bindings]
        groups = (
            self.groups(
                lambda binding: (
                    json.dumps([self._key(item, binding) for item in keys]),
                    id(binding[id(self.root)]) if "{rows}" in items else 0,
                )
            )
            if keys
            else [self.bindings]
        )
        return [
            [
                self._aggregate(item, group) if self._is_aggregate(item) else self._key(item, group[0])
                for item in items
            ]
            for group in groups
        ]

    def _is_aggregate(self, item: str) -> bool:
        return (
            "(" in item
            or item in {"{count}", "{distinct}", "{rows}", "{entities}"}
            or item.startswith("100.0 * ")
            or item.endswith((".first}", ".second}", ".part}"))
        )

    def _key(self, item: str, binding: Binding) -> Any:
        return self.value(binding, self.slots[item.strip("{}")])

    def _aggregate(self, item: str, group: list[Binding]) -> Any:
        if item in {"{count}", "{distinct}"}:
            return self.distinct(group, self.root)
        if item in {"{rows}", "{entities}"}:
            slots = self.slots.values()
            return self.distinct(group, next(each.part for each in slots if each.path and not each.name))
        if item.startswith("count(*) >"):
            limit = item.removeprefix("count(*) > ")
            number = 0 if limit == "0" else _limit(self.slots)
            return self.distinct(group, self.root) > number if limit != "0" else bool(group)
        if item.startswith("100.0 * "):
            part, _, whole = item.removeprefix("100.0 * ").partition(" / ")
            total = self._aggregate(whole, group)
            return 100.0 * self._aggregate(part, group) / total if total else None
        if item.endswith((".part}", ".first}", ".second}")):
            roots = {id(node): node for each in group if isinstance(node := each[id(self.root)], GraphNode)}
            return sum(self._is_counted(item, node) for node in roots.values())
        return self._function(item, group)

    def _is_counted(self, item: str, node: GraphNode) -> bool:
        """Return whether a root is in the subset of a slot, or has its first or second relationship."""
        slot = self.slots[item[1]]
        if slot.subset is not None:
            return self._matcher.is_in(slot.subset, node)
        return self._matcher.has_path(slot.path[item.endswith(".second}")], self.root, node)

    def _function(self, item: str, group: list[Binding]) -> Any:
        match = _ITEM.fullmatch(item)
        assert match is not None  # noqa: S101 - every shipped template is parsed by a test
        slot = self.slots[match["slot"]]
        if ".var" in item:
            return self.distinct(group, slot.part)
        once = {
            (id(each[id(self.root)]), id(each.get(id(slot.part)))): self.value(each, slot) for each in group
        }
        values = [each for each in once.values() if each is not None]
        if match["distinct"]:
            unique = {json.dumps(each): each for each in values}
            return len(unique) if match["function"] == "count" else sorted(unique.values(), key=_sort_key)
        if match["function"] == "sum":
            return math.fsum(values)
        if not values:
            return None
        if match["function"] == "avg":
            return math.fsum(values) / len(values)
        return (min if match["function"] == "min" else max)(values, key=_sort_key)


def _sort_key(value: Any) -> tuple[bool, str, Any]:
    if value is None:
        return True, "", 0
    kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(type(value))
    return False, kind, value


def agrees(answer: Answer, rows: Sequence[Sequence[Any]], order_column: int | None = None) -> bool:
    """Return whether the rows of a query agree with an answer, apart from their order and rounding.

    Args:
        answer: answer of `TemplateEvaluator`.
        rows: rows of the query.
        order_column: column that the rows are ordered by, if it is returned.
    """
    if answer.keys is not None and not answer.rows and answer.keys:  # the last place is shared
        if order_column is None:
            return len(rows) == len(answer.keys)
        return all(_equal(row[order_column], key) for row, key in zip(rows, answer.keys, strict=True))
    expected, found = Counter(map(_canonical, answer.rows)), Counter(map(_canonical, rows))
    return set(expected) == set(found) if answer.is_set else expected == found


def _canonical(row: Sequence[Any]) -> str:
    return json.dumps([_rounded(each) for each in row], sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_rounded(each) for each in value), key=_sort_key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(f"{value:.9g}")
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=_TOLERANCE)
    return bool(one == other)
