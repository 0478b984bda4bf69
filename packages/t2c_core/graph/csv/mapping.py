"""Mapping of plain CSVs to a graph: a YAML that is proposed, edited by a person and read back.

nodes:
orders.csv:
label: Order                 # several labels: Order;Sale
id: order_id                 # column by which other files name a row
properties:
order_id: int
Order date: placed:date    # column: type, or column: property:type
links:                       # columns that name another row
customer_id: {type: HAS_CUSTOMER, to: customers.csv}
city: {type: SHIPPED_TO, label: City}    # one City for each value of the column
relationships:
order_items.csv:
type: CONTAINS
from: {column: order_id, to: orders.csv}
to: {column: product_id, to: products.csv}
properties: {quantity: int}
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from t2c_core.errors import SourceError
from t2c_core.graph.csv.columns import SEPARATOR, Column, HeaderError, read_column
from t2c_core.graph.csv.tables import CsvTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from t2c_core.graph.csv.columns import ColumnKind

VALUE_PROPERTY = "name"
"""Property of nodes that are made of the values of a column."""
_HEADER = """\
# How the files become a graph. Edit it, and pass it back with --mapping.
# nodes: each row becomes a node; relationships: each row becomes a relationship between two nodes.
# A file or column that is deleted here is not imported.
# properties: column: type, or column: property:type, with the types of neo4j-admin import.
# links: columns that name a row of another file; `from: file.csv` instead of `to` turns the relationship, and with
# `label: Label` instead, one node is made for each value of the column.
"""


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a cell names: a row of a file by its id, or a node made of the value."""

    column: str
    type: str = ""
    """Relationship type of a link from the row; unused at the ends of a relationship."""
    file: str = ""
    label: str = ""
    is_incoming: bool = False
    """Whether the relationship goes from what the cell names to the row."""

    @property
    def space(self) -> str:
        """Id space of what the cell names."""
        return self.file or f"values of {self.label}"


@dataclass(frozen=True, kw_only=True)
class NodeFile:
    """A file of which each row is a node."""

    label: str
    id: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    """`type` or `property:type` by column."""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RelationshipFile:
    """A file of which each row is a relationship."""

    type: str
    start: Link
    end: Link
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CsvMapping:
    """What plain files hold, by their names."""

    nodes: dict[str, NodeFile] = field(default_factory=dict)
    relationships: dict[str, RelationshipFile] = field(default_factory=dict)
    missing: tuple[str, ...] = ("",)
    """Cells that stand for an absent value."""

    def to_yaml(self) -> str:
        """Return the mapping as YAML with a comment on how to edit it."""
        content: dict[str, Any] = {"nodes": {}, "relationships": {}, "missing": list(self.missing)}
        for name, node in self.nodes.items():
            links = {
                each.column: {"type": each.type} | _target(each, "from" if each.is_incoming else "to")
                for each in node.links
            }
            content["nodes"][name] = {"label": node.label, "id": node.id, "properties": node.properties} | (
                {"links": links} if links else {}
            )
        for name, each in self.relationships.items():
            content["relationships"][name] = {
                "type": each.type,
                "from": {"column": each.start.column} | _target(each.start, "to"),
                "to": {"column": each.end.column} | _target(each.end, "to"),
                "properties": each.properties,
            }
        return _HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)

    def summary(self) -> str:
        """Return in one line what the files become."""
        parts = [f"{name} → {each.label}" for name, each in self.nodes.items()]
        parts += [f"{name} → {each.type}" for name, each in self.relationships.items()]
        links = {link.type for each in self.nodes.values() for link in each.links}
        return ", ".join([*parts, *([f"columns → {', '.join(sorted(links))}"] if links else [])])

    @classmethod
    def load(cls, file: Path) -> CsvMapping:
        """Read a mapping.

        Raises:
            SourceError: the file cannot be read, or is not a mapping.
        """
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SourceError(f"cannot read the mapping {file}: {error}") from error
        reader = _Reader(str(file))
        top = reader.mapping("the file", content, {"nodes", "relationships", "missing"})
        missing = top.get("missing") or []
        return cls(
            nodes={
                str(name): reader.node(str(name), each)
                for name, each in reader.mapping("nodes", top.get("nodes") or {}).items()
            },
            relationships={
                str(name): reader.relationship(str(name), each)
                for name, each in reader.mapping("relationships", top.get("relationships") or {}).items()
            },
            missing=tuple(
                dict.fromkeys(["", *map(str, missing)] if isinstance(missing, list) else ["", str(missing)])
            ),
        )

    def tables(self, headers: Mapping[str, Sequence[str]]) -> list[CsvTable]:
        """Return the tables of the files.

        Args:
            headers: header of each plain file by name.

        Raises:
            SourceError: the mapping does not fit the files; the message lists all errors.
        """
        builder = _TablesBuilder(self, headers)
        tables = [each for name in self.nodes for each in builder.node_tables(name)]
        tables += [each for name in self.relationships for each in builder.relationship_tables(name)]
        if builder.errors:
            raise SourceError("\n".join(builder.errors))
        return tables


def _target(link: Link, key: str) -> dict[str, str]:
    return {"label": link.label} if link.label else {key: link.file}


class _Reader:
    """Reads the parts of a mapping.

    Args:
        file: name of the file, for messages.
    """

    def __init__(self, file: str) -> None:
        self._file = file

    def mapping(self, place: str, content: object, known: set[str] | None = None) -> dict[Any, Any]:
        """Return a YAML mapping, whose keys must be known."""
        if not isinstance(content, dict):
            raise self._error(place, f"expected a mapping, found {content!r}")
        unknown = [each for each in content if known is not None and each not in known]
        if unknown:
            raise self._error(place, f"unknown key {unknown[0]!r}; expected {', '.join(sorted(known or ()))}")
        return content

    def node(self, name: str, content: object) -> NodeFile:
        """Read the entry of a file of nodes."""
        entry = self.mapping(name, content, {"label", "id", "properties", "links"})
        links = []
        for column, value in self.mapping(f"{name}, links", entry.get("links") or {}).items():
            link = self.mapping(f"{name}, links, {column}", value, {"type", "to", "from", "label"})
            links.append(self._link(f"{name}, links, {column}", str(column), link))
        return NodeFile(
            label=self._text(name, entry, "label"),
            id=None if entry.get("id") is None else str(entry["id"]),
            properties=self._properties(name, entry),
            links=tuple(links),
        )

    def relationship(self, name: str, content: object) -> RelationshipFile:
        """Read the entry of a file of relationships."""
        entry = self.mapping(name, content, {"type", "from", "to", "properties"})
        ends = []
        for key in ("from", "to"):
            place = f"{name}, {key}"
            end = self.mapping(place, entry.get(key), {"column", "to", "label"})
            ends.append(self._link(place, self._text(place, end, "column"), end, has_type=False))
        return RelationshipFile(
            type=self._text(name, entry, "type"),
            start=ends[0],
            end=ends[1],
            properties=self._properties(name, entry),
        )

    def _link(self, place: str, column: str, entry: dict[Any, Any], *, has_type: bool = True) -> Link:
        targets = [key for key in ("to", "from", "label") if entry.get(key)]
        if len(targets) != 1:
            raise self._error(place, "expected one of `to: file.csv`, `from: file.csv` and `label: Label`")
        target = str(entry[targets[0]])
        return Link(
            column=column,
            type=self._text(place, entry, "type") if has_type else "",
            file="" if targets[0] == "label" else target,
            label=target if targets[0] == "label" else "",
            is_incoming=targets[0] == "from",
        )

    def _properties(self, place: str, entry: dict[Any, Any]) -> dict[str, str]:
        found = self.mapping(f"{place}, properties", entry.get("properties") or {})
        return {str(column): str(kind) for column, kind in found.items()}

    def _text(self, place: str, entry: dict[Any, Any], key: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str | int | float) or not str(value):
            raise self._error(place, f"`{key}` is missing")
        return str(value)

    def _error(self, place: str, message: str) -> SourceError:
        return SourceError(f"{self._file}, {place}: {message}")


class _TablesBuilder:
    """Makes the tables of a mapping, collecting all errors."""

    def __init__(self, mapping: CsvMapping, headers: Mapping[str, Sequence[str]]) -> None:
        self._mapping = mapping
        self._headers = headers
        self._missing = frozenset(mapping.missing)
        self.errors: list[str] = []

    def node_tables(self, name: str) -> Iterator[CsvTable]:
        """Yield the nodes of a file, those made of its values, and the relationships of its links."""
        entry, header = self._mapping.nodes[name], self._known(name)
        labels = tuple(each for each in entry.label.split(SEPARATOR) if each)
        self._check_columns(name, [entry.id or "", *entry.properties, *(each.column for each in entry.links)])
        rows = "" if entry.id else name
        ids: dict[str, tuple[ColumnKind, str]] = {entry.id: ("id", name)} if entry.id else {}
        yield self._table(name, header, "nodes", labels, ids, entry.properties, row_space=rows)
        for link in entry.links:
            yield from self._values(name, header, link)
            ends: dict[str, tuple[ColumnKind, str]] = {}
            if entry.id:
                ends[entry.id] = ("end" if link.is_incoming else "start", name)
            ends[link.column] = ("start" if link.is_incoming else "end", link.space)
            only = header.index(link.column) if link.column in header else None
            yield self._table(
                name, header, "relationships", (link.type,), ends, {}, row_space=rows, only=only
            )

    def relationship_tables(self, name: str) -> Iterator[CsvTable]:
        """Yield the relationships of a file and the nodes made of its values."""
        entry, header = self._mapping.relationships[name], self._known(name)
        self._check_columns(name, [entry.start.column, entry.end.column, *entry.properties])
        if entry.start.column == entry.end.column:
            self.errors.append(f"{name}: both ends are the column {entry.start.column!r}")
        yield from self._values(name, header, entry.start)
        yield from self._values(name, header, entry.end)
        ends: dict[str, tuple[ColumnKind, str]] = {
            entry.start.column: ("start", entry.start.space),
            entry.end.column: ("end", entry.end.space),
        }
        yield self._table(name, header, "relationships", (entry.type,), ends, entry.properties)

    def _values(self, name: str, header: Sequence[str], link: Link) -> Iterator[CsvTable]:
        if link.file:
            target = self._mapping.nodes.get(link.file)
            if target is None or target.id is None:
                what = "is no file under `nodes`" if target is None else "has no `id`"
                self.errors.append(f"{name}, column {link.column!r}: {link.file} {what}")
        elif link.column in header:
            ids: dict[str, tuple[ColumnKind, str]] = {link.column: ("id", link.space)}
            properties = {link.column: f"{VALUE_PROPERTY}:string"}
            only = header.index(link.column)
            yield self._table(name, header, "nodes", (link.label,), ids, properties, only=only, distinct=True)

    def _table(
        self,
        name: str,
        header: Sequence[str],
        kind: Any,
        names: tuple[str, ...],
        roles: Mapping[str, tuple[ColumnKind, str]],
        properties: Mapping[str, str],
        **options: Any,
    ) -> CsvTable:
        columns = tuple(
            self._column(name, field, roles.get(field), properties.get(field)) for field in header
        )
        return CsvTable(
            file=name, kind=kind, names=names, columns=columns, missing=self._missing, padded=True, **options
        )

    def _column(
        self, name: str, field: str, role: tuple[ColumnKind, str] | None, given: str | None
    ) -> Column:
        found = Column(field, "ignore")
        if given is not None:
            text = given if ":" in given.partition("{")[0] else f"{field}:{given}"
            try:
                found = replace(read_column(text), field=field)
            except HeaderError as error:
                self.errors.append(f"{name}, column {field!r}: {error}")
            if found.kind not in ("property", "ignore"):
                self.errors.append(f"{name}, column {field!r}: {given!r} is no type of a property")
        if role is None:
            return found
        return Column(field, role[0], found.property, role[1], found.convert)

    def _known(self, name: str) -> Sequence[str]:
        if name not in self._headers:
            self.errors.append(f"{name}: no such plain file; there are {', '.join(self._headers) or 'none'}")
        return self._headers.get(name, ())

    def _check_columns(self, name: str, columns: Sequence[str]) -> None:
        header = self._headers.get(name, ())
        for each in columns:
            if each and header and each not in header:
                self.errors.append(f"{name} has no column {each!r}; it has {', '.join(header)}")
