"""Decides what a policy shows of a graph: labels, relationship types, their properties and triples."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from t2c_core.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from t2c_core.guard.dataflow.values import Binding, EntityType
    from t2c_core.guard.policy.policy import Policy
    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType, Triple

    LabelOrType = TypeVar("LabelOrType", NodeLabel, RelationshipType)

MAX_EXACT_COUNT = 1_000_000
"""Number of nodes up to which the coverage of a property in a schema is exact."""


class Visibility:
    """Hidden labels, relationship types and properties of one graph.

    Args:
        names: Hidden names as a policy lists them. A name that could denote several things hides all of them; a name
            with one dot denotes a property if there is no schema.
        schema: Schema of the graph, if known. It tells labels from types, and dots in names from properties.
    """

    def __init__(self, names: Iterable[str], schema: GraphSchema | None) -> None:
        self._names = frozenset(names)
        self._schema = schema
        self._labels = frozenset(schema.label_by_name) if schema else frozenset()
        self._types = frozenset(schema.type_by_name) if schema else frozenset()
        unresolved: set[str] = set()
        self.hidden_on: dict[str, set[str]] = {}
        """Labels and types on which a property is hidden, by property."""
        for name in self._names:
            splits = [(name[:at], name[at + 1 :]) for at, sign in enumerate(name) if sign == "." and at]
            known = [each for each in splits if each[0] in self._labels | self._types]
            for label_or_type, key in known or splits:
                self.hidden_on.setdefault(key, set()).add(label_or_type)
            if name in self._labels | self._types or (not known and (schema or len(splits) != 1)):
                unresolved.add(name)
        self.labels = frozenset(unresolved - self._types)
        self.types = frozenset(unresolved - self._labels)

    def __bool__(self) -> bool:
        return bool(self._names)

    def shows(self, label_or_type: str, key: str | None = None) -> bool:
        """Return whether a label or relationship type, or one of its properties, is visible."""
        if label_or_type in self.labels | self.types:
            return False
        return key is None or label_or_type not in self.hidden_on.get(key, ())

    def shows_triple(self, triple: Triple) -> bool:
        """Return whether the type and both labels of a triple are visible."""
        return all(map(self.shows, (triple.source, triple.type, triple.target)))

    def shows_values(self, label_or_type: str, key: str) -> bool:
        """Return whether the values of a property in a snapshot (examples, range, value index) are visible.

        A snapshot has no values that its own policy hides. A name that is hidden since then may hide values of a
        visible property: those of nodes that also have the hidden label, and of the relationships of such nodes.
        """
        schema, added = self._schema, self._added
        if not self.shows(label_or_type, key) or schema is None or added is None:
            return self.shows(label_or_type, key)
        if label_or_type in self._types:
            triples = (each for each in schema.triples if each.type == label_or_type)
            is_complete = not added.labels or label_or_type not in schema.partial_triples
            return is_complete and all(map(added.shows_triple, triples))
        hiding = added.labels | added.hiding_labels("node", key)
        return not any(_may_share_nodes(schema, label_or_type, each) for each in hiding)

    @cached_property
    def _added(self) -> Visibility | None:
        """What is hidden in addition to the names that the schema lists as hidden."""
        added = self._names - set(self._schema.hidden if self._schema else ())
        return Visibility(added, self._schema) if added else None

    def filter_schema(self, schema: GraphSchema) -> GraphSchema:
        """Return a schema without hidden names and values; it lists the hidden names."""
        if not self:
            return schema
        return replace(
            schema,
            labels=tuple(self._filtered(each) for each in schema.labels if self.shows(each.name)),
            types=tuple(self._filtered(each) for each in schema.types if self.shows(each.name)),
            triples=tuple(filter(self.shows_triple, schema.triples)),
            hidden=tuple(sorted({*schema.hidden, *self._names})),
        )

    def _filtered(self, part: LabelOrType) -> LabelOrType:
        keys = (each for each in part.properties if self.shows(part.name, each.name))
        properties = tuple(
            each
            if self.shows_values(part.name, each.name)
            else replace(each, examples=(), minimum=None, maximum=None)
            for each in keys
        )
        return replace(part, properties=properties)

    def hiding_labels(self, entity_type: EntityType, key: str | None = None) -> frozenset[str]:
        """Return the labels or types on which a property, or any property if None, is hidden."""
        sets = self.hidden_on.values() if key is None else [self.hidden_on.get(key, set())]
        return frozenset[str]().union(*sets) - (self._types if entity_type == "node" else self._labels)

    def hidden_keys(self, binding: Binding | None, entity_type: EntityType) -> set[str]:
        """Return the properties that are hidden on a label or type that an entity may have."""
        possible = binding.possible_labels if binding else None
        return {
            key
            for key in self.hidden_on
            if (hiding := self.hiding_labels(entity_type, key)) and (possible is None or hiding & possible)
        }


def _may_share_nodes(schema: GraphSchema, first: str, second: str) -> bool:
    """Return whether a node may have both labels: each has all properties that every node of the other has."""
    labels = [schema.label_by_name.get(each) for each in (first, second)]
    if first == second or None in labels:
        return first == second
    parts = [each for each in labels if each is not None]
    if any(each.name in schema.partial_properties or each.count > MAX_EXACT_COUNT for each in parts):
        return True
    keys = [{key.name for key in each.properties} for each in parts]
    always = [{key.name for key in each.properties if key.share >= 1} for each in parts]
    return always[0] <= keys[1] and always[1] <= keys[0]


def check_names(policy: Policy, schema: GraphSchema) -> None:
    """Check that a graph has all names that a policy hides, unless the policy allows missing names.

    Names that the schema lists as hidden are known.

    Raises:
        PolicyError: A name is unknown; the message suggests similar names.
    """
    parts: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
    keys: dict[str, Collection[str] | None] = {
        each.name: None if each.name in schema.partial_properties else {key.name for key in each.properties}
        for each in parts
    }
    check_names_in(policy, keys, known=schema.hidden)


def check_names_in(
    policy: Policy, keys: Mapping[str, Collection[str] | None], known: Iterable[str] = ()
) -> None:
    """Check the names of a policy against properties by label or type.

    Args:
        policy: Policy to check.
        keys: Properties of each label and type; None if they are not known in full.
        known: Further names that are valid.

    Raises:
        PolicyError: A name is unknown and `allow_missing` is not set.
    """
    unknown = [] if policy.allow_missing else sorted(policy.hidden - {*known, *keys})
    unknown = [each for each in unknown if not _is_known_property(each, keys)]
    if not unknown:
        return
    names = sorted({*keys, *(f"{part}.{key}" for part, found in keys.items() for key in found or ())})
    hints = []
    for name in unknown:
        similar = get_close_matches(name, names, n=3, cutoff=0.6)
        hints.append(f"{name} (similar: {', '.join(similar)})" if similar else name)
    raise PolicyError(
        f"the policy hides names that the graph does not have: {'; '.join(hints)}; correct them, or set "
        "`allow_missing: true` if they may be added later"
    )


def _is_known_property(name: str, keys: Mapping[str, Collection[str] | None]) -> bool:
    splits = ((name[:at], name[at + 1 :]) for at, sign in enumerate(name) if sign == ".")
    return any(part in keys and ((found := keys[part]) is None or key in found) for part, key in splits)
