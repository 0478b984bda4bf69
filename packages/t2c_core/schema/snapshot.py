"""Snapshot of a graph for offline use, in a folder.

    schema.json      GraphSchema
    values.sqlite    ValueIndex
    manifest.json    written last: format, schema version, counts, sampled labels and types, checksums

Equal graphs give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import OutputError, atomic_directory
from t2c_core.errors import GraphError, SnapshotError
from t2c_core.graph.connection import connected
from t2c_core.graph.importer import MARKER
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.introspection import MAX_SCAN, LabelOrTypeCount, SchemaIntrospector
from t2c_core.schema.model import FORMAT_VERSION, GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.schema.properties import PropertyStatistics
from t2c_core.values.aliases import Aliases
from t2c_core.values.index import ValueIndex
from t2c_core.values.sqlite_store import IndexedValue

if TYPE_CHECKING:
    from pathlib import Path

    from neo4j import Driver

SCHEMA_FILE = "schema.json"
VALUES_FILE = "values.sqlite"
MANIFEST_FILE = "manifest.json"

Progress = Callable[[int, int], None]
"""Called with the number of labels and types read and the number of all."""


def write_snapshot(
    out: Path,
    *,
    uri: str,
    auth: tuple[str, str] | None = None,
    database: str | None = None,
    policy: Policy | None = None,
    aliases: Aliases | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the snapshot of a graph; the folder appears when it is complete.

    Args:
        out: folder to create.
        uri: Bolt address.
        auth: user and password.
        database: name of the database; the server's default database if None.
        policy: names to leave out of schema and values.
        aliases: other names of values, for the value index.
        replace: replace an existing snapshot.
        progress: callback with the progress of reading.

    Returns:
        The manifest.

    Raises:
        SnapshotError: `out` is not empty, or the graph is empty.
        PolicyError: the policy names what the graph does not have.
        InputError: the address is invalid.
        GraphError: the database failed, or has data of an interrupted import.
    """
    files = (SCHEMA_FILE, VALUES_FILE, MANIFEST_FILE)
    try:
        with (
            atomic_directory(
                out, markers=(MANIFEST_FILE, SCHEMA_FILE), contents=files, force=replace
            ) as folder,
            connected(uri, auth) as driver,
        ):
            return _fill(folder, driver, database, policy or Policy(), aliases or Aliases(), progress)
    except OutputError as error:
        raise SnapshotError(str(error)) from error


def _fill(
    folder: Path,
    driver: Driver,
    database: str | None,
    policy: Policy,
    aliases: Aliases,
    progress: Progress | None,
) -> dict[str, Any]:
    introspector = SchemaIntrospector(driver, database, policy)
    introspector.check_policy()
    labels = introspector.labels()
    if any(label.name == MARKER for label in labels):
        raise GraphError(
            "the database has data of a running or interrupted import; run t2c-graph import again"
        )
    if not labels:
        raise SnapshotError(
            "the graph has no node with a label; import data first, or choose another --database"
        )
    builder = _SnapshotBuilder(introspector, labels, introspector.types(), progress, aliases)
    values = ValueIndex.build(folder / VALUES_FILE, builder.values(), aliases)
    schema = builder.schema(*introspector.server(), policy)
    (folder / SCHEMA_FILE).write_text(schema.to_json(), encoding="utf-8")
    manifest = {
        "format": FORMAT_VERSION,
        "schema_version": schema.version,
        "database": schema.database,
        "server": schema.server,
        "labels": len(schema.labels),
        "types": len(schema.types),
        "triples": len(schema.triples),
        "values": values,
        "sampled": [each.name for each in builder.labels_and_types if each.is_sampled],
        "sample_size": MAX_SCAN,
        "unused_aliases": aliases.unused(builder.named_values),
        "excluded_properties": builder.excluded_properties,
        "left_out": builder.excluded_properties,  # former name
        "sha256": {name: _sha256(folder / name) for name in (SCHEMA_FILE, VALUES_FILE)},
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    return manifest


@dataclass
class _SnapshotBuilder:
    """Reads labels and types once; `values` must be exhausted before `schema` is called."""

    introspector: SchemaIntrospector
    labels: list[LabelOrTypeCount]
    types: list[LabelOrTypeCount]
    progress: Progress | None
    aliases: Aliases = field(default_factory=Aliases)
    named_values: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Values by property, of the properties that have aliases."""
    properties: dict[LabelOrTypeCount, list[Property]] = field(default_factory=dict)
    triples: list[Triple] = field(default_factory=list)
    partial_properties: list[str] = field(default_factory=list)
    partial_triples: list[str] = field(default_factory=list)
    excluded_properties: list[str] = field(default_factory=list)
    """Properties whose values are bytes, vectors or embeddings."""

    @property
    def labels_and_types(self) -> list[LabelOrTypeCount]:
        return [*self.labels, *self.types]

    def values(self) -> Iterator[IndexedValue]:
        labels = {label.name: label for label in self.labels}
        for number, owner in enumerate(self.labels_and_types, 1):
            if owner.entity_type == "relationship":
                triples, complete = self.introspector.triples(owner, labels)
                self.triples += triples
                self.partial_triples += [] if complete else [owner.name]
            self.properties[owner] = []
            names, complete = self.introspector.keys(owner)
            for name in names:
                statistics, described = self._describe(owner, name)
                complete = complete and described
                self._name_values(owner, name, names)
                known = self._known_values(owner, name)
                for value, count in statistics.indexable_values():
                    if known is not None:
                        known.add(str(value))
                    yield IndexedValue(value, owner.name, name, owner.entity_type, count)
            self.partial_properties += [] if complete else [owner.name]
            if self.progress:
                self.progress(number, len(self.labels_and_types))

    def _name_values(self, owner: LabelOrTypeCount, name: str, visible: list[str]) -> None:
        """Add the values of properties that are aliases of another one."""
        for other in self.aliases.properties.get((owner.name, name), ()):
            if other in visible:
                for value, alias in self.introspector.names(owner, name, other):
                    self.aliases.add((owner.name, name), value, [alias])

    def _known_values(self, owner: LabelOrTypeCount, name: str) -> set[str] | None:
        key = owner.name, name
        return self.named_values.setdefault(key, set()) if key in self.aliases.names else None

    def _describe(self, owner: LabelOrTypeCount, name: str) -> tuple[PropertyStatistics, bool]:
        """Add the description of a property; return its statistics, and whether its values could be read."""
        if (owner.name, name) in self.introspector.vector_indexed:
            self.excluded_properties.append(f"{owner.name}.{name}")
            return PropertyStatistics(()), True
        statistics = PropertyStatistics(self.introspector.values(owner, name))
        scanned = self.introspector.scanned(owner)
        if not statistics.types and owner.is_sampled:
            values = self.introspector.rare_values(owner, name)
            if values is None:
                return statistics, False
            statistics, scanned = PropertyStatistics(values), owner.count
        if statistics.embeddings > statistics.present_count:
            statistics = PropertyStatistics(())
        if statistics.types:
            self.properties[owner].append(statistics.describe(name, owner, scanned))
        else:
            self.excluded_properties.append(f"{owner.name}.{name}")
        return statistics, True

    def schema(self, database: str, server: str, policy: Policy) -> GraphSchema:
        return GraphSchema(
            labels=tuple(
                NodeLabel(name=each.name, count=each.count, properties=tuple(self.properties[each]))
                for each in self.labels
            ),
            types=tuple(
                RelationshipType(name=each.name, count=each.count, properties=tuple(self.properties[each]))
                for each in self.types
            ),
            triples=tuple(sorted(self.triples, key=lambda each: (each.source, each.type, each.target))),
            database=database,
            server=server,
            hidden=tuple(sorted(policy.hidden)),
            partial_properties=tuple(sorted(self.partial_properties)),
            partial_triples=tuple(sorted(self.partial_triples)),
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
