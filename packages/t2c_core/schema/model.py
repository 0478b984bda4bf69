"""Schema of a property graph: immutable data and its JSON form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from t2c_core.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT_VERSION = 1

Scalar = str | int | float | bool
"""A JSON scalar; dates and times are ISO 8601 text."""
ParameterValue: TypeAlias = "Scalar | Sequence[ParameterValue] | Mapping[str, ParameterValue] | None"
"""Value of a query parameter, any JSON value."""

PropertyType = Literal[
    "STRING", "INTEGER", "FLOAT", "BOOLEAN", "DATE", "LOCAL TIME", "ZONED TIME", "LOCAL DATETIME",
    "ZONED DATETIME", "DURATION", "POINT", "LIST<STRING>", "LIST<INTEGER>", "LIST<FLOAT>", "LIST<BOOLEAN>",
    "LIST<DATE>", "LIST<ANY>",
]  # fmt: skip

TextFormat = Literal[
    "INTEGER",
    "FLOAT",
    "YYYY-MM-DD",
    "YYYY/MM/DD",
    "DD/MM/YYYY",
    "MM/DD/YYYY",
    "DD.MM.YYYY",
    "HH:MM",
    "HH:MM:SS",
]
"""What the strings of a property are: numbers, dates, or times of day. A date may have a time of day behind it."""
_TYPES_OF_TEXT: dict[TextFormat, PropertyType] = {
    "INTEGER": "INTEGER", "FLOAT": "FLOAT", "HH:MM": "STRING", "HH:MM:SS": "STRING",
}  # fmt: skip
"""By format, the type to which strings are cast; times of day are in order as they are."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a label or relationship type."""

    name: str
    type: PropertyType
    """Most frequent type of its values."""
    share: float = 1.0
    """Fraction of the label's nodes, or the type's relationships, that have the property."""
    distinct: int = 0
    """Number of distinct values; a lower bound if `sampled` is true."""
    unique: bool = False
    """Whether no value occurs twice."""
    sampled: bool = False
    """Whether these statistics come from a sample."""
    examples: tuple[Scalar, ...] = ()
    """Frequent values, most frequent first; for lists, frequent elements."""
    minimum: Scalar | None = None
    maximum: Scalar | None = None
    text_format: TextFormat | None = None
    """For strings, what they hold if it is not text."""
    missing_text: str | None = None
    """The string that stands for an absent value, such as `NULL`, if one does."""

    @property
    def value_type(self) -> PropertyType:
        """Type of what the values hold, by which they are compared, ordered and aggregated."""
        return _TYPES_OF_TEXT.get(self.text_format, "DATE") if self.text_format else self.type


@dataclass(frozen=True, kw_only=True)
class NodeLabel:
    """A node label, its number of nodes and their properties."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RelationshipType:
    """A relationship type, its number of relationships and their properties."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Triple:
    """A relationship pattern of the graph: label of the start node, relationship type, label of the end node."""

    source: str
    type: str
    target: str
    count: int
    source_max: int = 0
    """Maximum number of these relationships at one source node; 0 if unknown."""
    target_max: int = 0
    """Maximum number of these relationships at one target node; 0 if unknown."""


@dataclass(frozen=True, kw_only=True)
class GraphSchema:
    """Schema of a graph, sorted by name, so that equal graphs give equal bytes."""

    labels: tuple[NodeLabel, ...]
    types: tuple[RelationshipType, ...]
    triples: tuple[Triple, ...]
    database: str = "neo4j"
    server: str = ""
    """Version of the server, such as `2026.08.1`."""
    hidden: tuple[str, ...] = ()
    """Names hidden by a policy: `Label`, `Label.property`, `TYPE` or `TYPE.property`."""
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

    def property_of(self, label_or_type: str, name: str) -> Property | None:
        """Return a property of a label or relationship type, or None if there is none."""
        found = self.label_by_name.get(label_or_type) or self.type_by_name.get(label_or_type)
        return next((each for each in found.properties if each.name == name), None) if found else None

    def to_json(self) -> str:
        """Return the schema as indented JSON; equal schemas give equal bytes."""
        content = {"format": FORMAT_VERSION, **asdict(self)}
        for name in ("partial_properties", "partial_triples"):
            if not content[name]:
                del content[name]
        for owner in (*content["labels"], *content["types"]):
            owner["properties"] = tuple(_without_defaults(each) for each in owner["properties"])
        return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GraphSchema:
        """Return the schema that `to_json` wrote.

        Raises:
            SnapshotError: the text is not a schema of this format version.
        """
        try:
            content = json.loads(text)
            version = content.pop("format")
            if version != FORMAT_VERSION:
                raise SnapshotError(
                    f"schema format {version} is not supported, expected {FORMAT_VERSION}; write the snapshot again "
                    "with t2c-graph snapshot"
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
        """Read a schema file, or the one in a snapshot folder.

        Raises:
            SnapshotError: the file does not exist or is not a schema.
        """
        file = path / "schema.json" if path.is_dir() else path
        if not file.is_file():
            raise SnapshotError(
                f"no schema at {file}; write one with: t2c-graph snapshot --uri bolt://... --out FOLDER"
            )
        return cls.from_json(file.read_text(encoding="utf-8"))


def _without_defaults(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out what readers of former versions do not know where it says nothing."""
    later = {"text_format", "missing_text"}
    return {name: value for name, value in entry.items() if name not in later or value is not None}


def _with_properties(part: dict[str, Any]) -> dict[str, Any]:
    properties = tuple(
        Property(**{**each, "examples": tuple(each["examples"])}) for each in part.pop("properties")
    )
    return {**part, "properties": properties}
