"""Independent evaluation of instantiated templates in plain Python, without Cypher, to check their queries.

The answer follows from the query tree, the slots and what the template says it returns. Counts are counts of distinct
roots or neighbours, and averages and sums take each root and neighbour once, as questions mean them; the query has to
agree. `EvaluationGraph` is the whole graph, read apart from the sample.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from t2c_data.graph.context import GraphContext
    from t2c_data.graph.sample import Read
    from t2c_data.planning.query_tree import PropertyPredicate, QueryNode, QueryRelationship, Slot
    from t2c_data.templates.model import QuestionTemplate

_ITEM = re.compile(
    r"(?P<function>avg|sum|min|max|collect|count)\((?P<distinct>DISTINCT )?\{(?P<slot>\w+)(?:\.var)?\}\)"
)
_CLAUSES = re.compile(
    r"(?:WITH (?P<group>.*), \S+ AS n WHERE n (?P<sign>>=?) \{k\} )?RETURN (?P<items>.*?)"
    r"(?: ORDER BY (?P<order>.*?)(?P<descending> DESC)?(?: LIMIT (?P<limit>.*))?)?$"
)
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class GraphNode:
    """A node of the graph."""

    labels: frozenset[str]
    properties: dict[str, Any]
    outgoing: list[GraphRelationship] = field(default_factory=list)
    incoming: list[GraphRelationship] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class GraphRelationship:
    """A relationship of the graph."""

    type: str
    start: GraphNode
    end: GraphNode
    properties: dict[str, Any]


Binding = dict[int, GraphNode | GraphRelationship]
"""Node or relationship of the graph, by identity of the part of the tree."""


class EvaluationGraph:
    """A whole graph in memory.

    Args:
        nodes: id, labels and properties of each node.
        relationships: type, ids of start and end, and properties of each relationship.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[Any, Sequence[str], dict[str, Any]]],
        relationships: Sequence[tuple[str, Any, Any, dict[str, Any]]],
    ) -> None:
        by_id = {key: GraphNode(frozenset(labels), properties) for key, labels, properties in nodes}
        self.by_label: dict[str, list[GraphNode]] = {}
        for node in by_id.values():
            for label in node.labels:
                self.by_label.setdefault(label, []).append(node)
        for name, start, end, properties in relationships:
            rel = GraphRelationship(name, by_id[start], by_id[end], properties)
            rel.start.outgoing.append(rel)
            rel.end.incoming.append(rel)

    @classmethod
    async def read(cls, read: Read) -> EvaluationGraph:
        """Read a whole graph."""
        nodes = await read("MATCH (n) RETURN elementId(n), labels(n), properties(n)", {})
        query = "MATCH (a)-[r]->(b) RETURN type(r), elementId(a), elementId(b), properties(r)"
        relationships = await read(query, {})
        return cls([(a, b, c) for a, b, c in nodes], [(a, b, c, d) for a, b, c, d in relationships])

    def bindings(self, root: QueryNode) -> Iterator[Binding]:
        """Yield each way to match the tree of a root; a relationship is used at most once."""
        for node in self.by_label.get(root.label, ()):
            yield from _bind_node(root, node, {}, frozenset())


def _bind_node(
    query: QueryNode, node: GraphNode, binding: Binding, used: frozenset[GraphRelationship]
) -> Iterator[Binding]:
    if query.label in node.labels and _meets_conditions(query, node):
        for found, _ in _bind_all(query.relationships, query, {**binding, id(query): node}, used):
            yield found


def _bind_all(
    rels: Sequence[QueryRelationship],
    anchor: QueryNode,
    binding: Binding,
    used: frozenset[GraphRelationship],
) -> Iterator[tuple[Binding, frozenset[GraphRelationship]]]:
    """Match the relationships of an anchor that are not negated, one after the other."""
    pending = [each for each in rels if not each.is_negated]
    if not pending:
        yield binding, used
        return
    for found, taken in _follow(pending[0], anchor, binding, used):
        yield from _bind_all(pending[1:], anchor, found, taken)


def _follow(
    rel: QueryRelationship, anchor: QueryNode, binding: Binding, used: frozenset[GraphRelationship]
) -> Iterator[tuple[Binding, frozenset[GraphRelationship]]]:
    here = binding[id(anchor)]
    assert isinstance(here, GraphNode)  # noqa: S101 - an anchor is bound to a node
    types = rel.types or (rel.triple.type,)
    for each in here.outgoing if rel.forward else here.incoming:
        there = each.end if rel.forward else each.start
        ends = (each.start.labels, each.end.labels)
        if each.type not in types or each in used:
            continue
        if rel.triple.source not in ends[0] or rel.triple.target not in ends[1]:
            continue
        if not all(_is_met(each.properties, one) for one in rel.conditions):
            continue
        if not _meets_conditions(rel.node, there):
            continue
        found = {**binding, id(rel): each, id(rel.node): there}
        yield from _bind_all(rel.node.relationships, rel.node, found, used | {each})


def _meets_conditions(query: QueryNode, node: GraphNode) -> bool:
    """Return whether a node meets its property, count and absence conditions."""
    met = [_is_met(node.properties, each) for each in query.conditions]
    if not (any(met) if query.is_disjunction and len(met) > 1 else all(met)):
        return False
    for predicate in query.count_predicates:
        number = _count_paths(predicate.rel, query, node)
        if not _compare(predicate.operator, number, [predicate.mention.value]):
            return False
    return not any(_count_paths(each, query, node) for each in query.relationships if each.is_negated)


def _count_paths(rel: QueryRelationship, anchor: QueryNode, node: GraphNode) -> int:
    return sum(1 for _ in _follow(rel, anchor, {id(anchor): node}, frozenset()))


def _is_met(properties: dict[str, Any], condition: PropertyPredicate) -> bool:
    value = properties.get(condition.name)
    if condition.operator in {"null", "known"}:
        return (value is None) == (condition.operator == "null")
    if value is None:
        return False
    if condition.literal:
        literal = re.sub(r"\\(.)", r"\1", condition.literal[1:-1])
        return bool(bool(value == literal) == (condition.operator == "eq"))
    operands = [each.value for each in condition.mentions]
    if condition.type in {"DATE", "LOCAL DATETIME", "ZONED DATETIME"}:
        value = str(value)[:10]
    return _compare(condition.operator, value, operands)


_COMPARISONS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "eq": lambda value, operands: value == operands[0],
    "on": lambda value, operands: value == operands[0],
    "ne": lambda value, operands: value != operands[0],
    "gt": lambda value, operands: value > operands[0],
    "after": lambda value, operands: value > operands[0],
    "ge": lambda value, operands: value >= operands[0],
    "since": lambda value, operands: value >= operands[0],
    "lt": lambda value, operands: value < operands[0],
    "before": lambda value, operands: value < operands[0],
    "le": lambda value, operands: value <= operands[0],
    "until": lambda value, operands: value <= operands[0],
    "between": lambda value, operands: operands[0] <= value <= operands[1],
    "during": lambda value, operands: operands[0] <= value <= operands[1],
    "in": lambda value, operands: value in operands,
    "contains": lambda value, operands: operands[0] in value,
    "starts": lambda value, operands: value.startswith(operands[0]),
    "ends": lambda value, operands: value.endswith(operands[0]),
    "true": lambda value, _: value is True,
    "false": lambda value, _: value is False,
    "has": lambda value, operands: all(each in value for each in operands),
    "size_gt": lambda value, operands: len(value) > operands[0],
    "size_ge": lambda value, operands: len(value) >= operands[0],
    "size_eq": lambda value, operands: len(value) == operands[0],
    "year": lambda value, operands: int(value[:4]) == operands[0],
    "after_year": lambda value, operands: int(value[:4]) > operands[0],
    "before_year": lambda value, operands: int(value[:4]) < operands[0],
    "years": lambda value, operands: operands[0] <= int(value[:4]) <= operands[1],
    "month": lambda value, operands: [int(value[5:7]), int(value[:4])][: len(operands)] == operands,
}


def _compare(operator: str, value: Any, operands: list[Any]) -> bool:
    try:
        return bool(_COMPARISONS[operator](value, operands))
    except (TypeError, AttributeError, ValueError):
        return False  # values of different types do not compare


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
    """

    def __init__(self, graph: EvaluationGraph, keys: Mapping[str, Collection[str]]) -> None:
        self._graph = graph
        self._keys = keys

    @classmethod
    def of_context(cls, graph: EvaluationGraph, context: GraphContext) -> TemplateEvaluator:
        """Create the evaluator of a graph whose schema and lexicon are known."""
        entries = context.lexicon.labels
        keys = {
            label.name: {entries[label.name].display_property}
            | {each.name for each in label.properties if each.unique}
            for label in context.schema.labels
        }
        return cls(graph, keys)

    def answer(self, template: QuestionTemplate, root: QueryNode, slots: dict[str, Slot]) -> Answer:
        """Return the answer to an instantiated template.

        Args:
            template: template.
            root: root of its tree.
            slots: its slots.
        """
        clauses = _CLAUSES.search(template.cypher)
        assert clauses is not None  # noqa: S101 - every shipped template is parsed by a test
        rows = _Rows(
            [each for each in self._graph.bindings(root) if _is_kept(each, template, slots)], root, slots
        )
        items = clauses["items"].split(", ")
        if clauses["group"]:
            return Answer(self._having(rows, clauses))
        unique, items[0] = _is_distinct(items[0], rows, self._keys.get(root.label, ()))
        cells = [*items, *([clauses["order"]] if clauses["order"] else [])]
        table = rows.table(cells)
        if unique:
            table = [*{json.dumps(row, sort_keys=True): row for row in table}.values()]
        if not clauses["order"]:
            roots = rows.distinct(rows.bindings, root)
            may_repeat = roots < 2 if "{many}" in clauses["items"] else unique and roots == len(rows.bindings)
            is_set = may_repeat and "DISTINCT" not in clauses["items"]
            return Answer(table, is_set=is_set)
        descending = bool(clauses["descending"])
        table.sort(key=lambda row: _sort_key(row[-1]), reverse=descending)
        limit = clauses["limit"]
        if limit:
            number = _limit(slots) if limit == "{k}" else int(limit)
            keys = [row[-1] for row in table]
            if len(keys) > number and keys[number - 1] == keys[number]:
                return Answer([], keys[:number])
            table = table[:number]
        return Answer([row[:-1] for row in table], [row[-1] for row in table])

    @staticmethod
    def _having(rows: _Rows, clauses: re.Match[str]) -> list[list[Any]]:
        limit = _limit(rows.slots)
        if clauses["group"] == "{root}":
            counted = next(each for each in rows.slots.values() if each.path and not each.name)
            groups = rows.groups(lambda binding: id(binding[id(rows.root)]))
            table = [
                [rows.value(group[0], rows.slots["a"]), rows.distinct(group, counted.part)]
                for group in groups
            ]
        else:
            table = rows.table(["{g}", "{count}"])
        operator = "ge" if clauses["sign"] == ">=" else "gt"
        return [row for row in table if _compare(operator, row[1], [limit])]


def _is_kept(binding: Binding, template: QuestionTemplate, slots: dict[str, Slot]) -> bool:
    """Return whether a binding meets the further conditions of a template."""
    values = {name: _value(binding, slots[name]) for name in template.not_null}
    if any(value is None for value in values.values()):
        return False
    if not template.where:
        return True
    first, second = _value(binding, slots["b"]), _value(binding, slots["c"])
    return first is not None and second is not None and _compare("gt", first, [second])


def _limit(slots: dict[str, Slot]) -> int:
    mention = slots["k"].mention
    return int(mention.value) if mention is not None else 0


def _value(binding: Binding, slot: Slot) -> Any:
    value = binding[id(slot.part)].properties.get(slot.name)
    if slot.suffix and value is not None:
        return int(str(value)[:4] if slot.suffix == ".year" else str(value)[5:7])
    return value


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

    def __init__(self, bindings: list[Binding], root: QueryNode, slots: dict[str, Slot]) -> None:
        self.bindings = bindings
        self.root = root
        self.slots = slots

    def value(self, binding: Binding, slot: Slot) -> Any:
        return _value(binding, slot)

    def groups(self, key: Callable[[Binding], Any]) -> list[list[Binding]]:
        found: dict[Any, list[Binding]] = {}
        for binding in self.bindings:
            found.setdefault(key(binding), []).append(binding)
        return [*found.values()]

    def distinct(self, bindings: list[Binding], part: QueryNode | QueryRelationship) -> int:
        return len({id(binding[id(part)]) for binding in bindings})

    def table(self, items: Sequence[str]) -> list[list[Any]]:
        """Evaluate the items of a projection; those that do not aggregate are the grouping keys."""
        keys = [item for item in items if not self._is_aggregate(item)]
        if len(keys) == len(items):
            return [[self._key(item, binding) for item in items] for binding in self.bindings]
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
            or ".first" in item
            or (".second" in item)
        )

    def _key(self, item: str, binding: Binding) -> Any:
        return _value(binding, self.slots[item.strip("{}")])

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
        if item.endswith((".first}", ".second}")):
            rel = self.slots[item[1]].path[item.endswith(".second}")]
            roots = {
                id(node): node for binding in group if isinstance(node := binding[id(self.root)], GraphNode)
            }
            return sum(1 for node in roots.values() if _count_paths(rel, self.root, node))
        return self._function(item, group)

    def _function(self, item: str, group: list[Binding]) -> Any:
        match = _ITEM.fullmatch(item)
        assert match is not None  # noqa: S101 - every shipped template is parsed by a test
        slot = self.slots[match["slot"]]
        if ".var" in item:
            return self.distinct(group, slot.part)
        once = {(id(each[id(self.root)]), id(each[id(slot.part)])): _value(each, slot) for each in group}
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
