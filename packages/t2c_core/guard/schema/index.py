"""A schema indexed for quick questions: who owns a property, what lies between what, what was meant by a name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType

Ends = tuple[str, str]


class SchemaIndex:
    """What a schema has.

    Args:
        schema: of the graph.
        kept_out: labels and types that are not in it but may be named to be kept out: `!Label`.
    """

    def __init__(self, schema: GraphSchema, kept_out: frozenset[str] = frozenset()) -> None:
        self.schema = schema
        self.kept_out = kept_out
        self.labels = frozenset(schema.label_by_name)
        self.types = frozenset(schema.type_by_name)
        self.counts = {each.name: each.count for each in schema.labels}
        self.nodes = sum(self.counts.values())
        self.properties: dict[str, frozenset[str]] = {}
        holders: tuple[NodeLabel | RelationshipType, ...] = (*schema.labels, *schema.types)
        for each in holders:
            self.properties[each.name] = frozenset(held.name for held in each.properties)
        self.owners: dict[str, set[str]] = {}
        for owner, keys in self.properties.items():
            for key in keys:
                self.owners.setdefault(key, set()).add(owner)
        self._ends: dict[str, set[Ends]] = {}
        for triple in schema.triples:
            self._ends.setdefault(triple.type, set()).add((triple.source, triple.target))
        self._all_ends = set[Ends]().union(*self._ends.values())
        self._folded: dict[str, dict[str, list[str]]] = {
            "label": _fold(self.labels),
            "type": _fold(self.types),
        }
        self._folded_keys = {owner: _fold(keys) for owner, keys in self.properties.items()}

    def endpoint_labels(self, types: frozenset[str] | None) -> set[Ends]:
        """Give the pairs of labels that relationships of some types, or of any, lead from and to."""
        if types is None:
            return self._all_ends
        if len(types) == 1:
            return self._ends.get(next(iter(types)), set())
        return set[Ends]().union(*(self._ends.get(each, set()) for each in types))

    def relationship_count(
        self, types: frozenset[str] | None, one: frozenset[str] | None, other: frozenset[str] | None
    ) -> int:
        """Count relationships of some types between nodes of some labels, in either direction; None is any."""
        return sum(
            each.count
            for each in self.schema.triples
            if (types is None or each.type in types)
            and (
                (_fits(each.source, one) and _fits(each.target, other))
                or (_fits(each.source, other) and _fits(each.target, one))
            )
        )

    def resolve_label_or_type(self, kind: Literal["label", "type"], name: str) -> str | None:
        """Give the one label or type that differs from a name in case, blanks, dashes and underscores only."""
        found = self._folded[kind].get(_plain(name), [])
        return found[0] if len(found) == 1 else None

    def resolve_property(self, owners: Iterable[str], name: str) -> str | None:
        """Give the one property of some owners that differs from a name in those only."""
        found = {key for owner in owners for key in self._folded_keys.get(owner, {}).get(_plain(name), [])}
        return found.pop() if len(found) == 1 else None

    def suggest(self, name: str, names: Iterable[str]) -> str:
        """Word a suggestion for a name that is none."""
        close = get_close_matches(name, sorted(names), n=1, cutoff=0.6)
        if close:
            return f"; did you mean {close[0]}?"
        shown = sorted(names)
        return f"; there are {', '.join(shown[:12])}{' …' if len(shown) > 12 else ''}" if shown else ""


def _fits(label: str, labels: frozenset[str] | None) -> bool:
    return labels is None or label in labels


def _fold(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(_plain(name), []).append(name)
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")
