"""The names that a policy hides, sorted by what they name. Holds no queries (see `hiding`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.guard.dataflow.abstract_values import Binding, Kind
    from t2c_core.schema.model import GraphSchema, NodeLabel, Property, RelationshipType


class HiddenNames:
    """Hidden labels, types and properties.

    Args:
        names: as a policy lists them; a name that could be several things is taken for all of them, but without a
            schema one with a dot is a property.
        schema: of the graph, if it is known; tells labels from types.
    """

    def __init__(self, names: Iterable[str], schema: GraphSchema | None) -> None:
        self._labels = set(schema.label_by_name) if schema else set()
        self._types = set(schema.type_by_name) if schema else set()
        unsure: set[str] = set()
        self.owners_by_property: dict[str, set[str]] = {}
        for name in names:
            splits = [(name[:at], name[at + 1 :]) for at, sign in enumerate(name) if sign == "." and at]
            known = [each for each in splits if each[0] in self._labels | self._types]
            for owner, key in known or splits:
                self.owners_by_property.setdefault(key, set()).add(owner)
            if not known and (schema or len(splits) != 1):
                unsure.add(name)
        self.labels = frozenset(unsure - self._types)
        self.types = frozenset(unsure - self._labels)

    def visible(self, schema: GraphSchema) -> GraphSchema:
        """Give a schema without what is hidden."""
        if not self:
            return schema
        gone = self.labels | self.types
        return replace(
            schema,
            labels=tuple(
                replace(each, properties=self._shown(each)) for each in schema.labels if each.name not in gone
            ),
            types=tuple(
                replace(each, properties=self._shown(each)) for each in schema.types if each.name not in gone
            ),
            triples=tuple(
                each for each in schema.triples if not {each.source, each.type, each.target} & gone
            ),
        )

    def _shown(self, holder: NodeLabel | RelationshipType) -> tuple[Property, ...]:
        return tuple(
            each
            for each in holder.properties
            if holder.name not in self.owners_by_property.get(each.name, ())
        )

    def __bool__(self) -> bool:
        return bool(self.labels or self.types or self.owners_by_property)

    def owners(self, kind: Kind, key: str | None = None) -> frozenset[str]:
        """Give the labels, or types, that have hidden properties, or a hidden property of one name."""
        sets = self.owners_by_property.values() if key is None else [self.owners_by_property.get(key, set())]
        others = self._types if kind == "node" else self._labels
        return frozenset[str]().union(*sets) - others

    def keys(self, binding: Binding | None, kind: Kind) -> list[str]:
        """Give the hidden properties that an element may have."""
        owners = binding.owners if binding else None
        return sorted(
            key
            for key in self.owners_by_property
            if (found := self.owners(kind, key)) and (owners is None or found & owners)
        )
