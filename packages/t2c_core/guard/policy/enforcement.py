"""Enforcement of a policy on a query: refuses access to what is hidden and excludes it from everything else.

Every node pattern excludes hidden labels and every relationship pattern hidden types, so no variable can hold one. A
hidden property may be read only of nodes and relationships that cannot have it: their patterns exclude its labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.values import NON_ENTITY, Entity, ListOf, MapOf, PathOf
from t2c_core.guard.verdict import GuardRejectionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.guard.dataflow.values import (
        AllPropertiesAccess,
        AnalysisResult,
        Binding,
        EntityType,
        Output,
        PathPatternRef,
        PropertyRead,
        RelationshipPatternRef,
        Value,
    )
    from t2c_core.guard.policy.visibility import Visibility
    from t2c_core.guard.repair import Change, PendingRewrites
    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

EACH = t.Variable("each")
STEP = t.Variable("step")


def enforce_policy(
    query: t.Query,
    analysis: AnalysisResult,
    visibility: Visibility,
    schema: GraphSchema | None,
    rewrites: PendingRewrites,
) -> None:
    """Refuse a query that reads what is hidden; rewrite any other so that its result cannot contain it.

    Args:
        query: Syntax tree.
        analysis: Its data-flow analysis.
        visibility: What is hidden.
        schema: Schema without what is hidden. Without it whole nodes and relationships are refused.
        rewrites: Collects the changes.

    Raises:
        GuardRejectionError: `policy.label`, `policy.type`, `policy.property`, `policy.dynamic`, `policy.whole` or
            `policy.path`.
    """
    if not visibility:
        return
    enforcer = _PolicyEnforcer(query, visibility, schema, rewrites)
    enforcer.check_labels_and_types(analysis)
    enforcer.restrict_paths(analysis)
    for read in analysis.reads:
        enforcer.check_read(read)
    for value, position in analysis.dynamic_reads:
        enforcer.check_dynamic_read(value, position)
    for value, position in analysis.escapes:
        if not enforcer.is_visible(value):
            raise GuardRejectionError(
                "policy.whole", "a function would receive a value that may contain something hidden", position
            )
    for access in analysis.all_properties_accesses:
        enforcer.mask_access(access)
    enforcer.mask_outputs(analysis.outputs)
    enforcer.exclude_hidden_labels(analysis)


class _PolicyEnforcer:
    def __init__(
        self, query: t.Query, visibility: Visibility, schema: GraphSchema | None, rewrites: PendingRewrites
    ) -> None:
        self._query = query
        self._visibility = visibility
        self._schema = schema
        self._rewrites = rewrites
        self._excluded: dict[int, set[str]] = {}
        """Labels that a node pattern must exclude, by its position."""

    def check_labels_and_types(self, analysis: AnalysisResult) -> None:
        """Refuse hidden labels and types, and dynamic ones."""
        labels, types = self._visibility.labels, self._visibility.types
        for use in analysis.nodes:
            self._check_names(use.pattern.labels, labels, "label")
        for relationship in analysis.relationships:
            self._check_names(relationship.pattern.types, types, "type")
        for predicate, value in analysis.label_predicates:
            is_type = isinstance(value, Entity) and value.entity_type == "relationship"
            self._check_names(predicate.labels, labels | types, "type" if is_type else "label")

    def _check_names(self, expression: t.LabelExpression | None, hidden: frozenset[str], kind: str) -> None:
        if expression is None or not hidden:
            return
        excluded = {id(each.operand) for each in _operands(expression) if isinstance(each, t.LabelNot)}
        for each in walk(expression):
            if isinstance(each, t.Label) and each.name in hidden and id(each) not in excluded:
                raise GuardRejectionError(f"policy.{kind}", f"unknown {kind} {each.name}", each.position)
            if isinstance(each, t.DynamicLabel):
                raise GuardRejectionError(
                    "policy.dynamic", "dynamic labels and types are not allowed here", each.position
                )

    def check_read(self, read: PropertyRead) -> None:
        """Refuse to read a property that may be hidden."""
        hiding = self._visibility.hidden_on.get(read.key, set()) - read.not_labels
        if hiding and not self.is_visible(read.subject, read.key):
            raise GuardRejectionError(
                "policy.property",
                f"property {read.key} is or may be hidden; give the variable a label on which it is visible",
                read.node.position,
            )

    def check_dynamic_read(self, value: Value, position: int) -> None:
        """Refuse to read a property whose name is an expression."""
        if self._visibility.hidden_on and not isinstance(value, MapOf) and not self.is_visible(value):
            raise GuardRejectionError(
                "policy.dynamic", "dynamic property names are not allowed here", position
            )

    def is_visible(self, value: Value, key: str | None = None) -> bool:
        """Return whether no entity in a value can have a hidden property, or a hidden one of that name.

        The patterns of nodes without such a label are made to exclude it.
        """
        if isinstance(value, Entity):
            return self._is_visible_entity(value, key)
        if isinstance(value, ListOf):
            return self.is_visible(value.item, key)
        if isinstance(value, MapOf):
            return key is not None or all(self.is_visible(each) for _, each in value.entries)
        if isinstance(value, PathOf):
            return self.is_visible(value.node, key) and self.is_visible(value.relationship, key)
        return value is NON_ENTITY or not self._visibility.hidden_on

    def _is_visible_entity(self, value: Entity, key: str | None) -> bool:
        hiding = self._visibility.hiding_labels(value.entity_type, key)
        if not hiding:
            return True
        if value.bindings is None:
            return False
        for each in value.bindings:
            if each.possible_labels is None or each.possible_labels & hiding:
                return False
        for each in value.bindings:
            if each.entity_type == "node":
                self._excluded.setdefault(each.position, set()).update(hiding)
        return True

    def mask_access(self, access: AllPropertiesAccess) -> None:
        """Remove hidden properties from `properties(x)`, `keys(x)` and `x {.*}`."""
        node = access.node
        if self.is_visible(access.value):
            return
        if isinstance(node, t.AllPropertiesSelector):
            projection = cast("t.MapProjection", access.projection)
            items = self._visible_items(projection.variable, access.value, node.position)
            self._rewrites.add(projection, _replace_star(items))
        elif node.name[-1].lower() == "keys":
            names = t.ListLiteral(tuple(map(t.String, sorted(self._visibility.hidden_on))))
            condition = t.Not(t.BinaryPredicate("IN", EACH, names))
            if any(
                isinstance(each, t.ListComprehension)
                and each.source is node
                and (each.variable, each.where) == (EACH, condition)
                for each in walk(self._query)
            ):
                return  # masked already
            self._rewrites.add(
                node, lambda keys: t.ListComprehension(EACH, cast("t.Expression", keys), condition)
            )
        else:
            self._rewrites.add(
                node,
                lambda call: self.mask(
                    cast("t.FunctionInvocation", call).arguments[0], access.value, call.position
                ),
            )
        self._record(node.position)

    def mask_outputs(self, outputs: list[Output]) -> None:
        """Remove hidden properties from returned nodes and relationships."""
        starred: dict[int, t.Return] = {}
        for output in outputs:
            if self.is_visible(output.value):
                continue
            self._record(output.clause.position)
            if output.item is not None:
                value = output.value
                self._rewrites.add(output.item, lambda node, value=value: self._masked_item(node, value))  # type: ignore[misc]
            elif output.clause.star:
                starred[id(output.clause)] = output.clause
        for clause in starred.values():
            columns = [each for each in outputs if each.clause is clause and each.item is None]
            self._rewrites.add(clause, self._expand_star(sorted(columns, key=lambda each: each.name)))

    def _masked_item(self, node: t.Node, value: Value) -> t.ProjectionItem:
        item = cast("t.ProjectionItem", node)
        expression, name = item.expression, item.alias
        if name is None:
            name = expression if isinstance(expression, t.Variable) else t.Variable(render(expression))
        masked = self.mask(expression, value, item.position)
        return t.ProjectionItem(masked, t.Variable(name.name), position=item.position)

    def _expand_star(self, columns: list[Output]) -> Change:
        def change(node: t.Node) -> t.Node:
            clause = cast("t.Return", node)
            items = []
            for each in columns:
                masked = self.mask(t.Variable(each.name), each.value, clause.position)
                items.append(t.ProjectionItem(masked, t.Variable(each.name)))
            return replace(clause, star=False, items=(*items, *clause.items))

        return change

    def mask(self, expression: t.Expression, value: Value, position: int) -> t.Expression:
        """Return an expression with the same value but without hidden properties.

        Raises:
            GuardRejectionError: `policy.whole` if there is none.
        """
        if self.is_visible(value):
            return expression
        if isinstance(value, Entity):
            if isinstance(expression, t.Variable):
                return t.MapProjection(expression, self._visible_items(expression, value, position))
            projection = t.MapProjection(EACH, self._visible_items(EACH, value, position))
            one = t.ListComprehension(EACH, t.ListLiteral((expression,)), None, projection)
            return t.ContainerIndex(one, t.Integer(0))
        if isinstance(value, ListOf):
            return t.ListComprehension(EACH, expression, None, self.mask(EACH, value.item, position))
        raise _whole(position)

    def _visible_items(
        self, variable: t.Variable, value: Value, position: int
    ) -> tuple[t.PropertySelector | t.MapEntry, ...]:
        """Return a selector for each visible property of an entity.

        A key that is hidden on one of the entity's possible labels is left out; one that is hidden on another label
        is null for nodes that have that label too. `x {.*, name: null}` would not do: later in a query Neo4j 2026.08
        still returns the name of `x` for its `.name`.

        Raises:
            GuardRejectionError: `policy.whole` without a schema, which lists the properties.
        """
        if self._schema is None:
            raise _whole(position)
        entity_types: tuple[EntityType, ...] = ("node", "relationship")
        bindings: Iterable[Binding | None] = (None,)
        if isinstance(value, Entity):
            entity_types, bindings = (value.entity_type,), value.bindings or (None,)
        shown: set[str] = set()
        hidden: set[str] = set()
        for entity_type in entity_types:
            parts: tuple[NodeLabel | RelationshipType, ...] = (
                self._schema.labels if entity_type == "node" else self._schema.types
            )
            for binding in bindings:
                possible = binding.possible_labels if binding else None
                shown |= {
                    key.name
                    for each in parts
                    if possible is None or each.name in possible
                    for key in each.properties
                }
                hidden |= self._visibility.hidden_keys(binding, entity_type)
        return tuple(self._visible_item(variable, key, entity_types) for key in sorted(shown - hidden))

    def _visible_item(
        self, variable: t.Variable, key: str, entity_types: tuple[EntityType, ...]
    ) -> t.PropertySelector | t.MapEntry:
        hiding = self._visibility.hiding_labels("node", key) if "node" in entity_types else frozenset()
        if not hiding:
            return t.PropertySelector(key)
        labels = tuple(map(t.Label, sorted(hiding)))
        predicate = t.LabelPredicate(variable, labels[0] if len(labels) == 1 else t.LabelOr(labels))
        alternative = t.CaseAlternative((predicate,), t.Null())
        return t.MapEntry(key, t.CaseExpression(None, (alternative,), t.Property(variable, key)))

    def exclude_hidden_labels(self, analysis: AnalysisResult) -> None:
        """Exclude hidden labels, and labels with hidden properties that are read, in all node patterns."""
        for use in analysis.nodes:
            labels = self._visibility.labels | self._excluded.get(use.pattern.position, set())
            if labels:
                self._rewrites.add(use.pattern, _exclude(labels))
                self._record(use.pattern.position)

    def restrict_paths(self, analysis: AnalysisResult) -> None:
        """Exclude hidden types, and hidden nodes inside variable-length patterns.

        Raises:
            GuardRejectionError: `policy.path` if that cannot be expressed.
        """
        if self._visibility.types:
            for use in analysis.relationships:
                self._exclude_types(use)
        if not self._visibility.labels:
            return
        names = {each.name for each in walk(self._query) if isinstance(each, t.Variable)}
        has_star = any(isinstance(each, t.Projection) and each.star for each in walk(self._query))
        for number, path in enumerate(analysis.paths, 1):
            if _is_variable_length(path.pattern):
                self._exclude_inner_nodes(path, None if has_star else _fresh_name(names, number))

    def _exclude_types(self, use: RelationshipPatternRef) -> None:
        if use.binding.labels is not None:  # the pattern names its types, none of them hidden
            return
        self._record(use.pattern.position)
        if use.pattern.length is None:
            self._rewrites.add(use.pattern, _exclude(self._visibility.types))
            return
        if use.pattern.types is not None or self._schema is None or not self._schema.types:
            raise GuardRejectionError(
                "policy.path",
                "a variable-length pattern must name its relationship types here",
                use.pattern.position,
            )
        shown = tuple(t.Label(each.name) for each in self._schema.types)
        types = shown[0] if len(shown) == 1 else t.LabelOr(shown)
        self._rewrites.add(
            use.pattern, lambda node: replace(cast("t.RelationshipPattern", node), types=types)
        )

    def _exclude_inner_nodes(self, path: PathPatternRef, name: str | None) -> None:
        """Add a condition on all nodes of a path; `name` is for a path without a variable."""
        variable = path.pattern.variable or (t.Variable(name) if name else None)
        if path.match is None or variable is None:
            raise GuardRejectionError(
                "policy.path",
                "a variable-length pattern may pass hidden nodes; write its steps as single relationships",
                path.pattern.position,
            )
        if path.pattern.variable is None:
            self._rewrites.add(
                path.pattern, lambda node: replace(cast("t.PathPattern", node), variable=variable)
            )
        tests = [t.LabelPredicate(STEP, t.Label(each)) for each in sorted(self._visibility.labels)]
        test = tests[0] if len(tests) == 1 else t.Logical("OR", tuple(tests))
        nodes = t.FunctionInvocation(("nodes",), (t.Variable(variable.name),))
        condition = t.IterablePredicate("NONE", STEP, nodes, test)

        def change(node: t.Node) -> t.Node:
            match = cast("t.Match", node)
            if match.where is None:
                return replace(match, where=condition)
            is_and = isinstance(match.where, t.Logical) and match.where.operator == "AND"
            operands = cast("t.Logical", match.where).operands if is_and else (match.where,)
            return replace(match, where=t.Logical("AND", (*operands, condition)))

        self._rewrites.add(path.match, change)
        self._record(path.pattern.position)

    def _record(self, position: int) -> None:
        self._rewrites.record("repair.hidden", "hidden names excluded", position)


def _whole(position: int) -> GuardRejectionError:
    return GuardRejectionError(
        "policy.whole", "this value may contain something hidden; return the properties by name", position
    )


def _replace_star(items: tuple[t.PropertySelector | t.MapEntry, ...]) -> Change:
    def change(node: t.Node) -> t.Node:
        projection = cast("t.MapProjection", node)
        others = [each for each in projection.items if not isinstance(each, t.AllPropertiesSelector)]
        return replace(projection, items=(*items, *others))

    return change


def _exclude(labels: Iterable[str]) -> Change:
    """Return a change that adds `!Name` for each label or type to a pattern."""
    exclusions = [t.LabelNot(t.Label(each)) for each in sorted(labels)]

    def change(node: t.Node) -> t.Node:
        if isinstance(node, t.NodePattern):
            return replace(node, labels=_conjunction(node.labels, exclusions))
        pattern = cast("t.RelationshipPattern", node)
        return replace(pattern, types=_conjunction(pattern.types, exclusions))

    return change


def _conjunction(labels: t.LabelExpression | None, others: list[t.LabelNot]) -> t.LabelExpression:
    operands = _operands(labels)
    parts = (*operands, *(each for each in others if each not in operands))
    return parts[0] if len(parts) == 1 else t.LabelAnd(parts)


def _operands(labels: t.LabelExpression | None) -> tuple[t.LabelExpression, ...]:
    return () if labels is None else labels.operands if isinstance(labels, t.LabelAnd) else (labels,)


def _is_variable_length(pattern: t.PathPattern) -> bool:
    """Return whether a path has nodes without a node pattern."""
    return any(
        isinstance(each, t.RelationshipPattern) and (each.length is not None or each.quantifier is not None)
        for each in walk(pattern)
    )


def _fresh_name(names: set[str], number: int) -> str:
    name = f"path{number}"
    while name in names:
        name += "_"
    names.add(name)
    return name
