"""A snapshot folder: what `t2c-graph snapshot` learns of a graph, for all who work without the graph.

    schema.json      GraphSchema
    values.sqlite    values of its properties, ValueIndex
    manifest.json    written last: format, schema version, counts, what was sampled, checksums

The same graph gives the same bytes. Holds no queries (see `census`) and no statistics (see `properties`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.errors import GraphError, SnapshotError
from t2c_core.graph.connection import connected
from t2c_core.graph.importer import MARKER
from t2c_core.guard.policy.policy import Policy
from t2c_core.schema.introspection import MAX_SCAN, LabelOrTypeCount, SchemaIntrospector
from t2c_core.schema.model import FORMAT_VERSION, GraphSchema, NodeLabel, Property, RelationshipType, Triple
from t2c_core.schema.properties import PropertyStatistics
from t2c_core.values.index import ValueIndex
from t2c_core.values.sqlite_store import IndexedValue

if TYPE_CHECKING:
    from pathlib import Path

    from neo4j import Driver

SCHEMA_FILE = "schema.json"
VALUES_FILE = "values.sqlite"
MANIFEST_FILE = "manifest.json"

Progress = Callable[[int, int], None]
"""Called with labels and types done and all of them."""


def write_snapshot(
    out: Path,
    *,
    uri: str,
    auth: tuple[str, str] | None = None,
    database: str | None = None,
    policy: Policy | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the snapshot of a graph; the folder appears when it is whole.

    Args:
        out: folder to make.
        uri: Bolt address.
        auth: user and password.
        database: its name; the server's default when absent.
        policy: what to leave out of schema and values.
        replace: replace a snapshot that is there.
        progress: told how far it is.

    Returns:
        The manifest.

    Raises:
        SnapshotError: `out` holds something, or the graph is empty.
        InputError: the address is wrong.
        GraphError: the database failed, or holds an import that was broken off.
    """
    out = out.resolve()
    _check_free(out, replace=replace)
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with connected(uri, auth) as driver:
            manifest = _fill(partial, driver, database, policy or Policy(), progress)
        _put_in_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _fill(
    folder: Path, driver: Driver, database: str | None, policy: Policy, progress: Progress | None
) -> dict[str, Any]:
    census = SchemaIntrospector(driver, database, policy)
    labels = census.labels()
    if any(label.name == MARKER for label in labels):
        raise GraphError(
            "the database holds an import that is going on or was broken off; run t2c-graph import again"
        )
    if not labels:
        raise SnapshotError(
            "the graph has no node with a label; import something first, or choose another --database"
        )
    survey = _SnapshotBuilder(census, labels, census.types(), progress)
    values = ValueIndex.build(folder / VALUES_FILE, survey.values())
    schema = survey.schema(*census.server(), policy)
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
        "sampled": [owner.name for owner in survey.owners if owner.sampled],
        "sample_size": MAX_SCAN,
        "left_out": survey.left_out,
        "sha256": {name: _sha256(folder / name) for name in (SCHEMA_FILE, VALUES_FILE)},
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    return manifest


@dataclass
class _SnapshotBuilder:
    """Goes through labels and types once; `values` must be read to its end before `schema`."""

    census: SchemaIntrospector
    labels: list[LabelOrTypeCount]
    types: list[LabelOrTypeCount]
    progress: Progress | None
    properties: dict[LabelOrTypeCount, list[Property]] = field(default_factory=dict)
    triples: list[Triple] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Properties that hold only bytes or vectors."""

    @property
    def owners(self) -> list[LabelOrTypeCount]:
        return [*self.labels, *self.types]

    def values(self) -> Iterator[IndexedValue]:
        by_name = {label.name: label for label in self.labels}
        for number, owner in enumerate(self.owners, 1):
            if owner.kind == "relationship":
                self.triples += self.census.triples(owner, by_name)
            self.properties[owner] = []
            scanned = self.census.scanned(owner)
            for name in self.census.keys(owner):
                tally = PropertyStatistics(self.census.values(owner, name))
                if not tally.types:
                    self.left_out.append(f"{owner.name}.{name}")
                else:
                    self.properties[owner].append(tally.describe(name, owner, scanned))
                for value, count in tally.indexable_values():
                    yield IndexedValue(value, owner.name, name, owner.kind, count)
            if self.progress:
                self.progress(number, len(self.owners))

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
        )


def _check_free(out: Path, *, replace: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise SnapshotError(f"{out} is a file; give a folder with --out")
    found = {each.name for each in out.iterdir()}
    if found and not replace:
        raise SnapshotError(
            f"{out} is not empty; choose another --out, or give --force to replace a snapshot"
        )
    if found - {SCHEMA_FILE, VALUES_FILE, MANIFEST_FILE}:
        strange = ", ".join(sorted(found - {SCHEMA_FILE, VALUES_FILE, MANIFEST_FILE})[:5])
        raise SnapshotError(f"{out} holds more than a snapshot ({strange}); choose another --out")


def _put_in_place(partial: Path, out: Path) -> None:
    old = out.with_name(f"{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
