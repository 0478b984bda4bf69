"""Keeps what a policy hides out of a query: refuses what reads it, and leaves it out of what gives out everything.

Nodes of hidden labels and relationships of hidden types are kept out of every pattern, so that nothing further on can
hold one. A hidden property may be read of nothing that could own it; a node with several labels is kept from owning
it by a condition in its pattern.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from t2c_core.cypher import ast_nodes as t
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import walk
from t2c_core.guard.dataflow.abstract_values import PLAIN, Element, ListOf, MapOf, PathOf
from t2c_core.guard.policy.paths import exclude_labels, excluded_labels, restrict_paths
from t2c_core.guard.verdict import Refused

if TYPE_CHECKING:
    from t2c_core.guard.dataflow.abstract_values import Binding, Kind, Value
    from t2c_core.guard.dataflow.analysis import AllPropertiesAccess, AnalysisResult, Output, PropertyRead
    from t2c_core.guard.policy.hidden_names import HiddenNames
    from t2c_core.guard.rewrites import Change, PendingRewrites
    from t2c_core.schema.model import GraphSchema

EACH = t.Variable("each")


def enforce_policy(
    query: t.Query,
    facts: AnalysisResult,
    hidden: HiddenNames,
    schema: GraphSchema | None,
    edits: PendingRewrites,
) -> None:
    """Refuse a query that reads what is hidden; have all else changed so that it cannot show.

    Raises:
        Refused: `policy.label`, `policy.type`, `policy.property`, `policy.dynamic`, `policy.whole` or `policy.path`.
    """
    if not hidden:
        return
    keeper = _PolicyEnforcer(query, hidden, schema, edits)
    keeper.check_names(facts)
    restrict_paths(query, facts, hidden, schema, edits)
    for read in facts.reads:
        keeper.check_read(read)
    for value, position in facts.dynamic:
        keeper.check_dynamic(value, position)
    for value, position in facts.escapes:
        if not keeper.is_visible(value):
            raise Refused("policy.whole", "this would hand over what may hold something hidden", position)
    for use in facts.all_properties_accesses:
        keeper.mask_use(use)
    keeper.mask_outputs(facts.outputs)
    keeper.exclude(facts)


class _PolicyEnforcer:
    def __init__(
        self, query: t.Query, hidden: HiddenNames, schema: GraphSchema | None, edits: PendingRewrites
    ) -> None:
        self._query = query
        self._hidden = hidden
        self._schema = schema
        self._edits = edits

    def check_names(self, facts: AnalysisResult) -> None:
        """Refuse labels and types that are hidden, or that are named by an expression."""
        for use in facts.nodes:
            self._check_labels(use.pattern.labels, self._hidden.labels, "label")
        for arrow in facts.relationships:
            self._check_labels(arrow.pattern.types, self._hidden.types, "type")
        for test, value in facts.label_tests:
            is_arrow = isinstance(value, Element) and value.kind == "relationship"
            self._check_labels(
                test.labels, self._hidden.labels | self._hidden.types, "type" if is_arrow else "label"
            )

    def _check_labels(self, labels: t.LabelExpression | None, names: frozenset[str], kind: str) -> None:
        if labels is None or not names:
            return
        kept_out = {id(each.operand) for each in excluded_labels(labels)}
        for each in walk(labels):
            if isinstance(each, t.Label) and each.name in names and id(each) not in kept_out:
                raise Refused(f"policy.{kind}", f"there is no {kind} {each.name} for you", each.position)
            if isinstance(each, t.DynamicLabel):
                raise Refused("policy.dynamic", "labels and types must be written down here", each.position)

    def check_read(self, read: PropertyRead) -> None:
        """Refuse to read a hidden property, or what may be one."""
        if read.key in self._hidden.owners_by_property and not self.is_visible(read.subject, read.key):
            raise Refused(
                "policy.property",
                f"the property {read.key} is hidden here, or may be: name the labels that are meant",
                read.node.position,
            )

    def check_dynamic(self, value: Value, position: int) -> None:
        """Refuse to read a property whose name is worked out."""
        if isinstance(value, MapOf) or not self._hidden.owners_by_property:
            return
        if not self.is_visible(value):
            raise Refused("policy.dynamic", "properties must be named here, not worked out", position)

    def is_visible(self, value: Value, key: str | None = None) -> bool:
        """Tell whether a value can hold no element with hidden properties, or with one of that name.

        Nodes that have none by their labels are kept, from here on, from having labels that do.
        """
        if isinstance(value, Element):
            return self._is_clear_element(value, key)
        if isinstance(value, ListOf):
            return self.is_visible(value.item, key)
        if isinstance(value, MapOf):
            return key is not None or all(self.is_visible(each) for _, each in value.entries)
        if isinstance(value, PathOf):
            return self.is_visible(value.node, key) and self.is_visible(value.relationship, key)
        return value is PLAIN or not self._hidden.owners_by_property

    def _is_clear_element(self, value: Element, key: str | None) -> bool:
        owners = self._hidden.owners(value.kind, key)
        if not owners:
            return True
        if value.bindings is None or any(
            each.owners is None or each.owners & owners for each in value.bindings
        ):
            return False
        for each in value.bindings:
            if each.kind == "node":
                each.excluded |= owners
        return True

    def mask_use(self, use: AllPropertiesAccess) -> None:
        """Leave hidden properties out of `properties(x)`, `keys(x)` and `x {.*}`."""
        if self.is_visible(use.value):
            return
        if isinstance(use.node, t.AllPropertiesSelector):
            items = self._items(use.value, use.node.position)
            self._edits.add(cast("t.MapProjection", use.projection), _replace_star(items))
        elif use.node.name[-1].lower() == "keys":
            names = t.ListLiteral(tuple(map(t.String, sorted(self._hidden.owners_by_property))))
            is_shown = t.Not(t.BinaryPredicate("IN", EACH, names))
            if self._is_source(use.node, is_shown):
                return
            self._edits.add(
                use.node, lambda node: t.ListComprehension(EACH, cast("t.FunctionInvocation", node), is_shown)
            )
        else:
            value = use.value
            self._edits.add(
                use.node,
                lambda node: self.mask(cast("t.FunctionInvocation", node).arguments[0], value, node.position),
            )
        self._tell(use.node.position)

    def _is_source(self, node: t.Node, where: t.Expression) -> bool:
        """Tell whether a list is what a comprehension of ours, with this condition, is made of."""
        return any(
            isinstance(each, t.ListComprehension)
            and each.source is node
            and (each.variable, each.where) == (EACH, where)
            for each in walk(self._query)
        )

    def mask_outputs(self, outputs: list[Output]) -> None:
        """Leave hidden properties out of nodes and relationships that are given out."""
        mask = [each for each in outputs if not self.is_visible(each.value)]
        for output in mask:
            value, position = output.value, output.clause.position
            self._tell(position)
            if output.item is not None:
                self._edits.add(output.item, lambda node, value=value: self._masked_item(node, value))  # type: ignore[misc]
        starred = {id(each.clause): each.clause for each in mask if each.clause.star and each.item is None}
        for clause in starred.values():
            self._edits.add(clause, self._without_star([each for each in outputs if each.clause is clause]))

    def _masked_item(self, node: t.Node, value: Value) -> t.ProjectionItem:
        item = cast("t.ProjectionItem", node)
        name = item.alias or (
            item.expression
            if isinstance(item.expression, t.Variable)
            else t.Variable(render(item.expression))
        )
        return t.ProjectionItem(
            self.mask(item.expression, value, item.position), t.Variable(name.name), position=item.position
        )

    def _without_star(self, outputs: list[Output]) -> Change:
        def change(node: t.Node) -> t.Node:
            clause = cast("t.Return", node)
            starred = [each for each in outputs if each.item is None]
            items = [
                t.ProjectionItem(
                    self.mask(t.Variable(each.name), each.value, clause.position), t.Variable(each.name)
                )
                for each in sorted(starred, key=lambda each: each.name)
            ]
            return t.Return(
                items=(*items, *clause.items),
                distinct=clause.distinct,
                order=clause.order,
                skip=clause.skip,
                limit=clause.limit,
                position=clause.position,
            )

        return change

    def mask(self, expression: t.Expression, value: Value, position: int) -> t.Expression:
        """Write an expression so that it gives the same without hidden properties.

        Raises:
            Refused: `policy.whole` if it cannot be written so.
        """
        if self.is_visible(value):
            return expression
        if isinstance(value, Element):
            if isinstance(expression, t.Variable):
                return t.MapProjection(expression, self._items(value, position))
            one = t.ListComprehension(
                EACH, t.ListLiteral((expression,)), None, t.MapProjection(EACH, self._items(value, position))
            )
            return t.ContainerIndex(one, t.Integer(0))
        if isinstance(value, ListOf):
            return t.ListComprehension(EACH, expression, None, self.mask(EACH, value.item, position))
        raise Refused(
            "policy.whole",
            "this may hold something hidden; return the properties that are wanted by their names",
            position,
        )

    def _items(self, value: Value, position: int) -> tuple[t.PropertySelector, ...]:
        """List the properties to show, each by its name.

        `x {.*, name: null}` would not do: further on in a query Neo4j 2026.08 still gives the name of `x` for its
        `.name`.

        Raises:
            Refused: `policy.whole` without a schema, which alone tells the names.
        """
        if self._schema is None:
            raise Refused(
                "policy.whole",
                "this may hold something hidden; return the properties that are wanted",
                position,
            )
        bindings: list[Binding] = list(value.bindings or ()) if isinstance(value, Element) else []
        kinds: tuple[Kind, ...] = (value.kind,) if isinstance(value, Element) else ("node", "relationship")
        owners: set[str] = set()
        for each in bindings:
            owners |= self._owners(kinds) if each.owners is None else each.owners
        if not bindings:
            owners = self._owners(kinds)
        hidden = {
            key
            for kind in kinds
            for binding in bindings or (None,)
            for key in self._hidden.keys(binding, kind)
        }
        # A name that one of several labels hides is left out for all of them.
        shown = {key for owner in owners for key in self._shown(owner)} - hidden
        return tuple(t.PropertySelector(key) for key in sorted(shown))

    def _owners(self, kinds: tuple[Kind, ...]) -> set[str]:
        schema = cast("GraphSchema", self._schema)
        labels = set(schema.label_by_name) if "node" in kinds else set()
        return labels | (set(schema.type_by_name) if "relationship" in kinds else set())

    def _shown(self, owner: str) -> list[str]:
        schema = cast("GraphSchema", self._schema)
        holder = schema.label_by_name.get(owner) or schema.type_by_name.get(owner)
        return [each.name for each in holder.properties] if holder else []

    def exclude(self, facts: AnalysisResult) -> None:
        """Keep nodes from having labels that they must not have."""
        for use in facts.nodes:
            first = use.pattern.position == use.binding.position
            labels = self._hidden.labels | (use.binding.excluded if first else set())
            if labels:
                self._edits.add(use.pattern, exclude_labels(labels))
                self._tell(use.pattern.position)

    def _tell(self, position: int) -> None:
        self._edits.tell("repair.hidden", "what is hidden was left out", position)


def _replace_star(items: tuple[t.PropertySelector, ...]) -> Change:
    def change(node: t.Node) -> t.Node:
        projection = cast("t.MapProjection", node)
        kept = [each for each in projection.items if not isinstance(each, t.AllPropertiesSelector)]
        return t.MapProjection(projection.variable, (*items, *kept), position=projection.position)

    return change
