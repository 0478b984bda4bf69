"""Import of a folder or zip of CSVs into an empty database.

All headers and rows are validated before the first write. During an import the database has a marker node, which the
last transaction deletes. A marker therefore shows an interrupted import, whose data the next import deletes.

Reads: CSVs with typed headers, exports of APOC, and plain CSVs by a mapping. Writes: nodes and relationships.
"""

from __future__ import annotations

import re
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from t2c_core.cypher.identifiers import quote_identifier
from t2c_core.errors import GraphError, InputError, SourceError
from t2c_core.graph.connection import connected
from t2c_core.graph.csv.source import CsvSource
from t2c_core.graph.csv.tables import CsvRow, RejectedRow, TableKind
from t2c_core.graph.driver_values import IsoText

if TYPE_CHECKING:
    from pathlib import Path

    from neo4j import Driver, Session

Progress = Callable[[int, int], None]
"""Called with the number of rows written and the number of all rows."""
Report = Callable[[str], None]

MARKER = "_GraphlingImport"
BATCH_ROWS = 5_000
BATCH_CHARS = 4_000_000
DELETE_ROWS = 20_000
OTHER_IMPORT_WAIT_S = 6.0
INDEX_TIMEOUT_S = 300
MIN_INDEXED_VALUES = 500
"""Names and identifiers with fewer distinct values are not indexed."""
MAX_INDEXED_CHARS = 1_000
"""A property with a longer value is not indexed; the server cannot index strings of more than 8 kB."""
_LOOKED_UP = re.compile(r"(?i:name|title|label|id|code|key|number|uuid|isbn|email|symbol)$")
"""Names of properties by which people name a node."""

_CREATE_NODES = """
    UNWIND $rows AS row CREATE (x:$(row.names)) SET x = row.properties
    {texts} RETURN row.ordinal AS ordinal, elementId(x) AS id
"""
_CREATE_RELATIONSHIPS = """
    UNWIND $rows AS row
    MATCH (a) WHERE elementId(a) = row.start
    MATCH (b) WHERE elementId(b) = row.end
    CREATE (a)-[x:$(row.names)]->(b) SET x = row.properties {texts}
"""
_SET_TEXTS = """
    FOREACH (each IN row.texts | SET x[each.name] = CASE each.type
        WHEN 'DATE' THEN date(each.text)
        WHEN 'LOCAL DATETIME' THEN localdatetime(each.text)
        ELSE datetime(each.text)
    END)
"""
"""Sets dates and times that the driver cannot send, those outside the years 1 to 9999."""


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """Counts of an import."""

    nodes: int
    relationships: int
    by_label: dict[str, int]
    by_type: dict[str, int]
    rejected: int
    """Number of invalid rows, which were skipped."""


@dataclass
class _Validation:
    """Result of the validation of all rows."""

    ordinals: dict[tuple[str, str], int] = field(default_factory=dict)
    """Position of each node that has an id, by (space, id)."""
    counts: Counter[str] = field(default_factory=Counter)
    rejected: dict[TableKind, set[int]] = field(
        default_factory=lambda: {"nodes": set(), "relationships": set()}
    )
    """Positions of rejected rows, in the order of reading."""


def import_graph(
    path: Path | CsvSource,
    *,
    uri: str,
    auth: tuple[str, str] | None = None,
    database: str | None = None,
    replace: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    report: Report | None = None,
) -> ImportSummary:
    """Load a folder or zip of CSVs into an empty database.

    Args:
        path: folder or zip, or a source that is not open yet.
        uri: Bolt address.
        auth: user and password.
        database: name of the database; the server's default database if None.
        replace: delete existing data first.
        strict: import nothing if a row is invalid.
        progress: callback with the progress of writing.
        report: callback with a message for each rejected row, and for the deletion of an interrupted import.

    Returns:
        Counts of nodes, relationships and rejected rows.

    Raises:
        SourceError: the files cannot be imported; nothing was written.
        InputError: the address is invalid, or the database is not empty; nothing was written.
        GraphError: the database failed; partial data is deleted now or by the next import.
    """
    report = report or (lambda _: None)
    with path if isinstance(path, CsvSource) else CsvSource(path) as source:
        path = source.path
        checked = _validate(source, report)
        rejected = sum(len(each) for each in checked.rejected.values())
        if strict and rejected:
            raise SourceError(f"{rejected} rows of {path} are invalid (listed above); nothing was written")
        if not checked.counts["nodes"]:
            raise SourceError(f"{path} has no valid node; nothing was written")
        with connected(uri, auth) as driver:
            target = _Target(driver, database)
            target.begin(replace=replace, report=report)
            try:
                writer = _Writer(target, checked, progress)
                writer.write(source)
                target.index(writer.indexed_properties())
                target.finish()
            except BaseException:
                with suppress(Exception):  # the marker stays, and the next import deletes the rest
                    target.clear()
                    target.finish()
                raise
    return ImportSummary(
        nodes=checked.counts["nodes"],
        relationships=checked.counts["relationships"],
        by_label=dict(sorted(writer.by_label.items())),
        by_type=dict(sorted(writer.by_type.items())),
        rejected=rejected,
    )


def _validate(source: CsvSource, report: Report) -> _Validation:
    """Read all rows once; only ids are kept in memory."""
    checked = _Validation()
    for kind in get_args(TableKind):
        for position, row in enumerate(source.rows(kind)):
            checked_row = row if isinstance(row, RejectedRow) else _checked_row(row, kind, checked)
            if isinstance(checked_row, RejectedRow):
                checked.rejected[kind].add(position)
                report(str(checked_row))
                continue
            if kind == "nodes" and checked_row.ids:
                checked.ordinals[checked_row.ids[0]] = checked.counts[kind]
            checked.counts[kind] += 1
    return checked


def _checked_row(row: CsvRow, kind: TableKind, checked: _Validation) -> CsvRow | RejectedRow:
    if kind == "nodes":
        if row.ids and row.ids[0] in checked.ordinals:
            return RejectedRow(row.file, row.line, ":ID", f"duplicate id {row.ids[0][1]!r}")
        return row
    for end, column in zip(row.ids, (":START_ID", ":END_ID"), strict=True):
        if end not in checked.ordinals:
            return RejectedRow(row.file, row.line, column, f"no imported node has the id {end[1]!r}")
    return row


class _Writer:
    """Writes valid rows in batches."""

    def __init__(self, target: _Target, checked: _Validation, progress: Progress | None) -> None:
        self._target = target
        self._checked = checked
        self._progress = progress
        self._total = checked.counts.total()
        self._done = 0
        self._prefix = ""
        self._ids = array("q", bytes(8 * checked.counts["nodes"]))
        self.by_label: Counter[str] = Counter()
        self.by_type: Counter[str] = Counter()
        self._named: dict[tuple[str, str], set[Any]] = {}
        """Values of names and identifiers by label and property, as far as they are needed to know that they differ."""
        self._long: set[tuple[str, str]] = set()

    def indexed_properties(self) -> list[tuple[str, str]]:
        """List labels and properties by which nodes are looked up: names and identifiers of many nodes."""
        return sorted(
            place
            for place, values in self._named.items()
            if len(values) >= MIN_INDEXED_VALUES and place not in self._long
        )

    def write(self, source: CsvSource) -> None:
        first = 0
        for batch in _batches(self._valid_rows(source, "nodes")):
            self._write_nodes(batch, first)
            first += len(batch)
        for batch in _batches(self._valid_rows(source, "relationships")):
            self._write_relationships(batch)

    def _valid_rows(self, source: CsvSource, kind: TableKind) -> Iterator[CsvRow]:
        rejected = self._checked.rejected[kind]
        for position, row in enumerate(source.rows(kind)):
            if position not in rejected:
                if isinstance(row, RejectedRow):
                    raise SourceError(f"{row.file} changed while it was read; run the import again")
                yield row

    def _write_nodes(self, batch: list[CsvRow], first: int) -> None:
        rows = [
            {"ordinal": ordinal, "names": row.names, **_sent(row.properties)}
            for ordinal, row in enumerate(batch, first)
        ]
        for record in self._target.create(_CREATE_NODES, rows, self._done + len(batch)):
            prefix, _, number = record["id"].rpartition(":")
            self._prefix = self._prefix or prefix
            if prefix != self._prefix:
                raise GraphError(f"unexpected element id of a node: {record['id']}")
            self._ids[record["ordinal"]] = int(number)
        self.by_label.update(name for row in batch for name in row.names)
        for row in batch:
            self._collect_names(row)
        self._advance(len(batch))

    def _collect_names(self, row: CsvRow) -> None:
        for key, value in row.properties.items():
            if type(value) not in {str, int} or not _LOOKED_UP.search(key):
                continue
            for label in row.names:
                values = self._named.setdefault((label, key), set())
                if len(values) < MIN_INDEXED_VALUES:
                    values.add(value)
                if isinstance(value, str) and len(value) > MAX_INDEXED_CHARS:
                    self._long.add((label, key))

    def _write_relationships(self, batch: list[CsvRow]) -> None:
        rows = []
        for row in batch:
            start, end = (f"{self._prefix}:{self._ids[self._checked.ordinals[each]]}" for each in row.ids)
            rows.append({"start": start, "end": end, "names": row.names, **_sent(row.properties)})
        self._target.create(_CREATE_RELATIONSHIPS, rows, self._done + len(batch))
        self.by_type.update(name for row in batch for name in row.names)
        self._advance(len(batch))

    def _advance(self, rows: int) -> None:
        self._done += rows
        if self._progress:
            self._progress(self._done, self._total)


class _Target:
    """The target database and its marker node."""

    def __init__(self, driver: Driver, database: str | None) -> None:
        self._driver = driver
        self._database = database

    def begin(self, *, replace: bool, report: Report) -> None:
        """Create the marker; delete data of an interrupted import, or all data with `replace`."""
        count = self._value("MATCH (n) RETURN count(n)")
        done = self._marker()
        if done is not None:
            self._check_abandoned(done)
            report("The database has data of an interrupted import; deleting it.")
        elif count and not replace:
            raise InputError(
                f"the database already has {count} nodes; import into an empty one, or give --force to "
                "delete them first"
            )
        else:
            self._run(f"CREATE (:{MARKER} {{rows: 0}})")
        if count:
            self.clear()

    def create(self, template: str, rows: list[dict[str, Any]], done: int) -> list[dict[str, Any]]:
        """Write one batch in one transaction."""
        query = template.format(texts=_SET_TEXTS if any(row["texts"] for row in rows) else "")
        with self._session() as session, session.begin_transaction() as transaction:
            result = transaction.run(query, rows=rows)
            records = result.data()
            made = result.consume().counters
            if made.nodes_created + made.relationships_created != len(rows):
                raise GraphError("the database changed during the import; run it again")
            transaction.run(f"MATCH (m:{MARKER}) SET m.rows = $done", done=done).consume()
            transaction.commit()
        return records

    def clear(self) -> None:
        """Delete everything but the marker, in batches."""
        for query in (
            "MATCH ()-[r]->() WITH r LIMIT $rows DELETE r RETURN count(*)",
            f"MATCH (n) WHERE NOT n:{MARKER} WITH n LIMIT $rows DELETE n RETURN count(*)",
        ):
            while self._value(query, rows=DELETE_ROWS):
                pass

    def index(self, places: list[tuple[str, str]]) -> None:
        """Index properties of labels, and wait until the indexes can be used."""
        for label, name in places:
            self._run(
                f"CREATE INDEX IF NOT EXISTS FOR (n:{quote_identifier(label)}) ON (n.{quote_identifier(name)})"
            )
        if places:
            self._run("CALL db.awaitIndexes($timeout)", timeout=INDEX_TIMEOUT_S)

    def finish(self) -> None:
        """Delete the marker, which completes the import."""
        self._run(f"MATCH (m:{MARKER}) DELETE m")

    def _marker(self) -> int | None:
        found: int | None = self._value(f"MATCH (m:{MARKER}) RETURN max(m.rows)")
        return found

    def _check_abandoned(self, done: int) -> None:
        """Check that the import of the marker no longer runs."""
        end = time.monotonic() + OTHER_IMPORT_WAIT_S
        while time.monotonic() < end:
            time.sleep(0.5)
            if self._marker() != done:
                raise GraphError("another import into this database is running; wait for it to end")

    def _value(self, query: str, **parameters: Any) -> Any:
        return self._run(query, **parameters)[0][0]

    def _run(self, query: str, **parameters: Any) -> list[list[Any]]:
        with self._session() as session, session.begin_transaction() as transaction:
            rows: list[list[Any]] = transaction.run(query, **parameters).values()
            transaction.commit()
        return rows

    def _session(self) -> Session:
        return self._driver.session(database=self._database)


def _sent(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters for the properties of a row."""
    if not any(isinstance(each, IsoText) for each in properties.values()):
        return {"properties": properties, "texts": []}
    return {
        "properties": {name: each for name, each in properties.items() if not isinstance(each, IsoText)},
        "texts": [
            {"name": name, "type": each.property_type, "text": str(each)}
            for name, each in properties.items()
            if isinstance(each, IsoText)
        ],
    }


def _batches(rows: Iterable[CsvRow]) -> Iterator[list[CsvRow]]:
    """Split rows into batches of at most `BATCH_ROWS` rows and about `BATCH_CHARS` characters."""
    batch: list[CsvRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) if isinstance(value, str | list) else 8 for value in row.properties.values())
        if len(batch) >= BATCH_ROWS or size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
