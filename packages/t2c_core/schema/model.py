"""The schema of a property graph as plain, immutable data, and its JSON form.

Holds no database access (see `snapshot`) and no wording for prompts (see `t2c_core.prompt`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from t2c_core.errors import SnapshotError

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1

Scalar = str | int | float | bool
"""A value as JSON holds it; dates and times stand as ISO 8601 text."""
ParameterValue = Scalar | list[Scalar]
"""What a parameter of a query may be."""

PropertyType = Literal[
    "STRING", "INTEGER", "FLOAT", "BOOLEAN", "DATE", "LOCAL TIME", "ZONED TIME", "LOCAL DATETIME",
    "ZONED DATETIME", "DURATION", "POINT", "LIST<STRING>", "LIST<INTEGER>", "LIST<FLOAT>", "LIST<BOOLEAN>",
    "LIST<DATE>", "LIST<ANY>",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a label or relationship type."""

    name: str
    type: PropertyType
    """The type of most of its values."""
    share: float = 1.0
    """Share of the label's nodes (or type's relationships) that have it, 0 to 1."""
    distinct: int = 0
    """Number of distinct values; exact if `sampled` is false."""
    unique: bool = False
    """Whether no two nodes share a value."""
    sampled: bool = False
    """Whether these figures come from a sample rather than from every value."""
    examples: tuple[Scalar, ...] = ()
    """A few frequent values, most frequent first; elements of them for lists."""
    minimum: Scalar | None = None
    maximum: Scalar | None = None


@dataclass(frozen=True, kw_only=True)
class NodeLabel:
    """A node label, how many nodes carry it and their properties."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RelationshipType:
    """A relationship type, how many there are and their properties."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Triple:
    """`(:source)-[:type]->(:target)` as it occurs in the graph."""

    source: str
    type: str
    target: str
    count: int
    source_max: int = 0
    """The most relationships of this triple that one source node has; 0 if not known."""
    target_max: int = 0
    """The most relationships of this triple that one target node has; 0 if not known."""


@dataclass(frozen=True, kw_only=True)
class GraphSchema:
    """Everything known of a graph's shape. Sorted by name, so that equal graphs give equal bytes."""

    labels: tuple[NodeLabel, ...]
    types: tuple[RelationshipType, ...]
    triples: tuple[Triple, ...]
    database: str = "neo4j"
    server: str = ""
    """Server version, for instance `2026.08.1`."""
    hidden: tuple[str, ...] = ()
    """What a policy left out, as `Label`, `Label.property`, `TYPE` or `TYPE.property`."""
    partial_properties: tuple[str, ...] = ()
    """Labels and types whose property names come from a sample; others may exist."""
    partial_triples: tuple[str, ...] = ()
    """Relationship types whose triples come from a sample; others may exist."""

    @property
    def is_partial(self) -> bool:
        """Whether the graph may have properties or triples that the schema does not list."""
        return bool(self.partial_properties or self.partial_triples)

    @cached_property
    def version(self) -> str:
        """Content hash of the schema: 12 hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    @cached_property
    def label_by_name(self) -> dict[str, NodeLabel]:
        """Labels by name."""
        return {label.name: label for label in self.labels}

    @cached_property
    def type_by_name(self) -> dict[str, RelationshipType]:
        """Relationship types by name."""
        return {kind.name: kind for kind in self.types}

    def property_of(self, owner: str, name: str) -> Property | None:
        """Find a property by the label or relationship type that owns it."""
        holder = self.label_by_name.get(owner) or self.type_by_name.get(owner)
        return next((each for each in holder.properties if each.name == name), None) if holder else None

    def to_json(self) -> str:
        """Write the schema as indented JSON, the same bytes for the same schema."""
        content = {"format": FORMAT_VERSION, **asdict(self)}
        for name in ("partial_properties", "partial_triples"):
            if not content[name]:
                del content[name]
        return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GraphSchema:
        """Read what `to_json` wrote.

        Raises:
            SnapshotError: the text is not such a schema.
        """
        try:
            content = json.loads(text)
            found = content.pop("format")
            if found != FORMAT_VERSION:
                raise SnapshotError(
                    f"schema format {found} where {FORMAT_VERSION} is read; write it again with t2c-graph snapshot"
                )
            return cls(
                labels=tuple(NodeLabel(**_with_properties(each)) for each in content.pop("labels")),
                types=tuple(RelationshipType(**_with_properties(each)) for each in content.pop("types")),
                triples=tuple(Triple(**each) for each in content.pop("triples")),
                hidden=tuple(content.pop("hidden")),
                partial_properties=tuple(content.pop("partial_properties", ())),
                partial_triples=tuple(content.pop("partial_triples", ())),
                **content,
            )
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise SnapshotError(
                f"not a schema snapshot ({error}); write it with t2c-graph snapshot"
            ) from error

    @classmethod
    def load(cls, path: Path) -> GraphSchema:
        """Read `schema.json`, or the one in a snapshot folder.

        Raises:
            SnapshotError: there is none, or it cannot be read.
        """
        file = path / "schema.json" if path.is_dir() else path
        if not file.is_file():
            raise SnapshotError(
                f"no schema at {file}; write one with: t2c-graph snapshot --uri bolt://... --out FOLDER"
            )
        return cls.from_json(file.read_text(encoding="utf-8"))


def _with_properties(holder: dict[str, Any]) -> dict[str, Any]:
    properties = tuple(
        Property(**{**each, "examples": tuple(each["examples"])}) for each in holder.pop("properties")
    )
    return {**holder, "properties": properties}
