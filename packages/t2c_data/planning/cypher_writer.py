"""The Cypher query of an instantiated template: patterns and conditions of the tree, and what is returned."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.prompt.variable_names import SUFFIXES
from t2c_data.errors import UnfitError
from t2c_data.lexicon.property_words import TEMPORAL_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_core.prompt.variable_names import VariableNames
    from t2c_data.planning.grounding import Grounder
    from t2c_data.planning.query_tree import (
        CountPredicate,
        PropertyPredicate,
        QueryNode,
        QueryRelationship,
        Slot,
    )
    from t2c_data.templates.model import QuestionTemplate

    _Condition = str | Callable[[], str]

WHERE_DELIMITER, CONDITION_SEPARATOR = "\ue003", "\ue002"
"""Delimiters of conditions until `realisation.surface` sorts them by their parameters."""
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_AGGREGATE = re.compile(r"\w+\([^()]*\)")
_GROUPED = re.compile(r"\{(\w)\}")
_RETURNED = re.compile(r"RETURN (?:DISTINCT )?(.*)")
_COMPARISONS = {
    "eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "on": "=", "before": "<", "after": ">",
    "since": ">=", "until": "<=", "contains": "CONTAINS", "starts": "STARTS WITH", "ends": "ENDS WITH",
}  # fmt: skip
_SIZES = {"size_gt": ">", "size_ge": ">=", "size_eq": "="}
_YEARS = {"year": "=", "after_year": ">", "before_year": "<"}
_UNARY = {"null": "IS NULL", "known": "IS NOT NULL", "true": "= true", "false": "= false"}


class CypherBuilder:
    """Variables, patterns and conditions of a tree.

    Args:
        root: root of the tree.
        names: variables of the schema.
    """

    def __init__(self, root: QueryNode, names: VariableNames) -> None:
        self.root = root
        self._names = names
        self._numbers: dict[int, int] = {}
        self._variables: dict[int, str] = {}
        self._labels: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._patterns: list[str] = []
        conditions: list[_Condition] = []
        self._place(root)
        self._walk(root, self._patterns, conditions)
        self._patterns.sort()
        self._conditions = _resolve(conditions)

    def variable(self, part: QueryNode | QueryRelationship) -> str:
        """Return the variable of a node or relationship."""
        return self._variables[id(part)]

    def access(self, part: QueryNode | QueryRelationship, name: str) -> str:
        """Render a property access."""
        return f"{self.variable(part)}.{format_identifier(name)}"

    def match(self, extra: tuple[str, ...] = ()) -> str:
        """Render MATCH and WHERE.

        Args:
            extra: further conditions.
        """
        text = "MATCH " + ", ".join(self._patterns or [self._names.node(self.root.label)])
        conditions = CONDITION_SEPARATOR.join([*self._conditions, *extra])
        return f"{text} WHERE {WHERE_DELIMITER}{conditions}{WHERE_DELIMITER}" if conditions else text

    def mean(self, access: str) -> str:
        """Render the mean of a property of the root over all nodes of its label, as `n`."""
        return f"MATCH {self._names.node(self.root.label)} WITH avg({access}) AS n"

    def exists(self, rel: QueryRelationship, anchor: QueryNode) -> str:
        """Render an EXISTS subquery over a relationship."""
        return "EXISTS { " + self._subquery(rel, anchor) + " }"

    def count(self, rel: QueryRelationship, anchor: QueryNode) -> str:
        """Render a COUNT subquery over a relationship."""
        return "COUNT { " + self._subquery(rel, anchor) + " }"

    def holds(self, subset: QueryNode) -> str:
        """Render the one condition of a view of the root."""
        for each in subset.conditions:
            return _predicate(self.access(self.root, each.name), each)
        return self.exists(subset.relationships[0], self.root)

    def _place(self, node: QueryNode) -> None:
        number = self._labels.get(node.label, 0)
        if number >= len(SUFFIXES):
            raise UnfitError(f"more than {len(SUFFIXES)} nodes of one label")
        self._labels[node.label] = number + 1
        self._numbers[id(node)] = number
        self._variables[id(node)] = self._names.label_variables[node.label] + SUFFIXES[number]

    def _walk(self, node: QueryNode, patterns: list[str], conditions: list[_Condition]) -> None:
        """Collect patterns and conditions; subqueries are rendered last, so that their variables are fresh."""
        own = [_predicate(self.access(node, each.name), each) for each in node.conditions]
        conditions += ["(" + " OR ".join(own) + ")"] if node.is_disjunction and len(own) > 1 else own
        conditions += [partial(self._count, each, node) for each in node.count_predicates]
        for rel in node.relationships:
            if rel.is_negated:
                conditions.append(partial(self._not_exists, rel, node))
            else:
                self._join(rel, node, patterns, conditions)

    def _count(self, predicate: CountPredicate, anchor: QueryNode) -> str:
        comparison = f"{_COMPARISONS[predicate.operator]} {predicate.mention.parameter}"
        return f"{self.count(predicate.rel, anchor)} {comparison}"

    def _not_exists(self, rel: QueryRelationship, anchor: QueryNode) -> str:
        return "NOT " + self.exists(rel, anchor)

    def _subquery(self, rel: QueryRelationship, anchor: QueryNode) -> str:
        patterns: list[str] = []
        conditions: list[_Condition] = []
        before = dict(self._labels), dict(self._types)
        self._join(rel, anchor, patterns, conditions)
        where = " AND ".join(_resolve(conditions))
        self._labels, self._types = before
        return "MATCH " + ", ".join(sorted(patterns)) + (f" WHERE {where}" if where else "")

    def _join(
        self, rel: QueryRelationship, anchor: QueryNode, patterns: list[str], conditions: list[_Condition]
    ) -> None:
        is_new = id(rel.node) not in self._variables
        if is_new:
            self._place(rel.node)
        here, there = self._numbers[id(anchor)], self._numbers[id(rel.node)]
        source, target = (here, there) if rel.forward else (there, here)
        types = rel.types or (rel.triple.type,)
        key = types[0] if len(types) == 1 else "|"
        number = self._types.get(key, 0)
        self._types[key] = number + 1
        if number >= len(SUFFIXES):
            raise UnfitError(f"more than {len(SUFFIXES)} relationships of one type")
        pattern = self._names.triple(rel.triple, source=source, target=target, number=number, types=types)
        patterns.append(pattern)
        self._variables[id(rel)] = pattern.split("-[", 1)[1].split(":", 1)[0]
        conditions += [_predicate(self.access(rel, each.name), each) for each in rel.conditions]
        if is_new:
            self._walk(rel.node, patterns, conditions)


def _resolve(conditions: list[_Condition]) -> list[str]:
    return [each if isinstance(each, str) else each() for each in conditions]


def _predicate(access: str, condition: PropertyPredicate) -> str:
    """Render a property predicate."""
    operator = condition.operator
    values = [each.parameter for each in condition.mentions]
    if condition.literal:
        return f"{access} {_COMPARISONS[operator]} {condition.literal}"
    if operator in _UNARY:
        return f"{access} {_UNARY[operator]}"
    if operator == "has":
        return " AND ".join(f"{value} IN {access}" for value in values)
    if operator in _SIZES:
        return f"size({access}) {_SIZES[operator]} {values[0]}"
    if operator in _YEARS or operator in {"years", "month"}:
        return _calendar_predicate(access, operator, values)
    if condition.type in TEMPORAL_TYPES:
        values = [f"date({value})" for value in values]
        access = access if condition.type == "DATE" else f"date({access})"
    return _comparison(access, operator, values)


def _comparison(access: str, operator: str, values: list[str]) -> str:
    if operator in {"between", "during"}:
        return f"{access} >= {values[0]} AND {access} <= {values[1]}"
    if operator == "in":
        return f"{access} IN [{', '.join(values)}]"
    return f"{access} {_COMPARISONS[operator]} {values[0]}"


def _calendar_predicate(access: str, operator: str, values: list[str]) -> str:
    if operator == "years":
        return f"{access}.year >= {values[0]} AND {access}.year <= {values[1]}"
    if operator == "month":
        parts = zip(("month", "year"), values, strict=False)
        return " AND ".join(f"{access}.{part} = {value}" for part, value in parts)
    return f"{access}.year {_YEARS[operator]} {values[0]}"


def grouped_by(template: QuestionTemplate) -> set[str]:
    """Return the slots by which the rows of a template are grouped or that they show."""
    return set(_GROUPED.findall(_AGGREGATE.sub("", template.cypher)))


class CypherTemplateWriter:
    """Writes the query of one instantiated template.

    Args:
        template: query template.
        slots: values of its slots, by name.
        root: root of the tree.
        grounder: grounder of the tree.
    """

    def __init__(
        self, template: QuestionTemplate, slots: dict[str, Slot], root: QueryNode, grounder: Grounder
    ) -> None:
        self._template = template
        self._slots = slots
        self._root = root
        self._grounder = grounder
        self._context = grounder.context

    def write(self, builder: CypherBuilder) -> str:
        """Write the query, with sentinels in place of parameters.

        Raises:
            UnfitError: it would return the same column twice.
        """
        root = builder.variable(self._root)
        multiplies = self._grounder.multiplies_rows(self._root)
        repeats = multiplies or self._grounder.repeats_roots(self._slots, grouped_by(self._template))
        is_single = self._context.is_uniquely_identified(self._root)
        fixed = {
            "match": builder.match((*self._not_null(builder), *self._where(builder))),
            "root": root,
            "rows": self._entities(builder, multiplies=multiplies, is_single=True),
            "count": f"count(DISTINCT {root})" if repeats else "count(*)",
            "distinct": f"count(DISTINCT {root})",
            "unique": "DISTINCT " if multiplies and self._has_row_per_root() else "",
            "many": "" if is_single else "DISTINCT ",
            "entities": self._entities(builder, multiplies=multiplies, is_single=is_single),
        }

        def fill(match: re.Match[str]) -> str:
            return fixed[match[1]] if match[1] in fixed else self._slot(match[1], builder)

        text = _PLACEHOLDER.sub(fill, self._template.cypher)
        returned = _RETURNED.findall(text)[0].split(", ")
        if len(set(returned)) < len(returned):
            raise UnfitError("the same column twice")
        return text

    def _slot(self, placeholder: str, builder: CypherBuilder) -> str:
        name, _, attribute = placeholder.partition(".")
        slot = self._slots[name]
        if slot.mention is not None:
            return slot.mention.parameter
        if slot.anchor is not None:
            return builder.count(slot.path[0], slot.anchor)
        if slot.subset is not None:
            return f"count(CASE WHEN {builder.holds(slot.subset)} THEN 1 END)"
        if slot.is_conditional_count:
            exists = builder.exists(slot.path[attribute == "second"], self._root)
            return f"count(CASE WHEN {exists} THEN 1 END)"
        if attribute == "var":
            return builder.variable(slot.part)
        access = builder.access(slot.part, slot.name) + slot.suffix
        return builder.mean(access) if attribute == "mean" else access

    def _not_null(self, builder: CypherBuilder) -> tuple[str, ...]:
        """Render conditions that exclude nulls where an order or a group depends on the value."""
        slots = [self._slots[name] for name in self._template.not_null]
        return tuple(
            f"{builder.access(slot.part, slot.name)} IS NOT NULL"
            for slot in slots
            if self._context.property(slot.part.label_or_type, slot.name).share < 1
        )

    def _where(self, builder: CypherBuilder) -> tuple[str, ...]:
        where = self._template.where
        return (_PLACEHOLDER.sub(lambda match: self._slot(match[1], builder), where),) if where else ()

    def _has_row_per_root(self) -> bool:
        """Return whether each row identifies one root and shows nothing else, so that equal rows are repetitions."""
        shown = [slot for slot in self._slots.values() if slot.name]
        label = self._root.label
        key = self._context.lexicon.labels[label].display_property
        return all(slot.part is self._root for slot in shown) and any(
            slot.name == key or self._context.property(label, slot.name).unique for slot in shown
        )

    def _entities(self, builder: CypherBuilder, *, multiplies: bool, is_single: bool) -> str:
        """Render a count of neighbours: distinct if several paths can lead to one."""
        slot = self._counted()
        if slot is None:
            return "count(*)"
        context = self._context
        is_direct = is_single and len(slot.path) == 1
        shared = multiplies or any(rel.types or context.is_many_to_one(rel) for rel in slot.path)
        parallel = any(rel.types or context.has_parallel_relationships(rel) for rel in slot.path)
        distinct = parallel or multiplies if is_direct else parallel or shared
        return self._count_neighbours(builder) if distinct else "count(*)"

    def _count_neighbours(self, builder: CypherBuilder) -> str:
        slot = self._counted()
        return f"count(DISTINCT {builder.variable(slot.part)})" if slot else "count(*)"

    def _counted(self) -> Slot | None:
        slots = self._slots.values()
        return next(
            (
                each
                for each in slots
                if each.path and not each.name and not each.is_conditional_count and each.anchor is None
            ),
            None,
        )
