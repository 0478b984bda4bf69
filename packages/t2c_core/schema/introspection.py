"""Introspection of a graph: labels, relationship types, triples, property names and values, in bounded time.

Labels and types are complete. Of a label or type with more than `MAX_SCAN` nodes or relationships, values come from a
sample; triples and property names are complete if the server can list them within `FULL_SCAN_TIMEOUT_S`.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from neo4j import READ_ACCESS, Driver
from neo4j.exceptions import Neo4jError

from t2c_core.cypher.identifiers import quote_identifier
from t2c_core.graph.connection import is_timeout
from t2c_core.graph.driver_values import record_values
from t2c_core.guard.policy.visibility import Visibility, check_names_in
from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType, Triple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from t2c_core.guard.policy.policy import Policy
    from t2c_core.values.sqlite_store import EntityType

MAX_SCAN = 1_000_000
"""Maximum number of nodes of a label, or relationships of a type, whose values are read."""
CHUNK = 100_000
"""Number of nodes or relationships per query, which bounds the memory of the server."""
MAX_TEXT = 200
"""Maximum length of an indexed string; one more character is read, which shows that a string is longer."""
QUERY_TIMEOUT_S = 600.0
FULL_SCAN_TIMEOUT_S = 60.0
"""Time limit for listing all triples of a type, or all property names of a label or type, beyond `MAX_SCAN`."""

_INTERNAL = re.compile(r"_(Bloom_\w*|GraphConfig|NsPrefDef|MapNs|MapDef|n10sValidatorConfig)|__\w+__")
"""Names of labels and types of Neo4j Bloom, neosemantics and neo4j-graphrag."""
_VECTOR_INDEXES = "SHOW VECTOR INDEXES YIELD labelsOrTypes, properties RETURN labelsOrTypes, properties"
_PATTERNS = {"node": "(x:$($owner))", "relationship": "(a)-[x:$($owner)]->(b)"}
_VALUE = f"CASE WHEN value IS :: STRING NOT NULL THEN left(value, {MAX_TEXT + 1}) ELSE value END AS value"
_VALUES = f"""
    MATCH {{pattern}} {{visible}} WITH x SKIP $skip LIMIT $rows
    WITH x[$name] AS value WHERE value IS NOT NULL
    RETURN {_VALUE}, count(*) AS count
"""
_RARE_VALUES = f"""
    MATCH {{pattern}} {{visible}} WITH x[$name] AS value WHERE value IS NOT NULL
    WITH value LIMIT $rows RETURN {_VALUE}, count(*) AS count
"""
_NAMES = f"""
    MATCH {{pattern}} {{visible}} WITH x LIMIT $rows
    WITH x[$name] AS value, x[$other] AS others WHERE value IS :: STRING NOT NULL AND others IS NOT NULL
    UNWIND others AS other WITH value, other WHERE other IS :: STRING NOT NULL AND value <> other
    RETURN DISTINCT value, left(other, {MAX_TEXT}) AS other
"""
_KEYS = """
    MATCH {pattern} {visible} {limit}
    UNWIND keys(x) AS key WITH key {visible_keys} RETURN key, count(*) AS count
"""
_ALL_KEYS = "MATCH {pattern} UNWIND keys(x) AS key RETURN DISTINCT key"
_TRIPLES = """
    MATCH (a)-[:$($owner)]->(b) {visible} {limit}
    RETURN labels(a) AS sources, labels(b) AS targets, count(*) AS count
"""
_TRIPLE_COUNT = "MATCH (a:{source})-[x:{type}]->(b:{target}) {visible} RETURN count(x) AS count"
_MOST = {
    True: """MATCH (a:$($from)) {start} WITH a LIMIT $rows
        RETURN max(COUNT {{ MATCH (a)-[:$($owner)]->(b WHERE $to IN labels(b)) {end} }}) AS most""",
    False: """MATCH (a:$($from)) {start} WITH a LIMIT $rows
        RETURN max(COUNT {{ MATCH (a)<-[:$($owner)]-(b WHERE $to IN labels(b)) {end} }}) AS most""",
}
"""By whether the relationships are outgoing."""


@dataclass(frozen=True)
class LabelOrTypeCount:
    """A label or relationship type and its number of nodes or relationships."""

    name: str
    entity_type: EntityType
    count: int

    @property
    def is_sampled(self) -> bool:
        """Whether values come from a sample of the nodes or relationships."""
        return self.count > MAX_SCAN


class SchemaIntrospector:
    """Reads the structure and values of a graph in READ transactions, without what a policy hides.

    Args:
        driver: an open driver.
        database: name of the database; the server's default database if None.
        policy: names that are hidden.
    """

    def __init__(self, driver: Driver, database: str | None, policy: Policy) -> None:
        self._driver = driver
        self._database = database
        self._policy = policy

    def server(self) -> tuple[str, str]:
        """Return the name of the database and the version of the server."""
        with self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session:
            result = session.run(
                "CALL dbms.components() YIELD name, versions RETURN versions[0] AS version LIMIT 1"
            )
            version = str(result.single(strict=True)["version"])
            return result.consume().database or self._database or "", version

    @cached_property
    def visibility(self) -> Visibility:
        """What the policy shows of the labels and types that the server lists."""
        labels = tuple(NodeLabel(name=each, count=0) for each in self._names["node"])
        types = tuple(RelationshipType(name=each, count=0) for each in self._names["relationship"])
        return Visibility(self._policy.hidden, GraphSchema(labels=labels, types=types, triples=()))

    @cached_property
    def _names(self) -> dict[EntityType, list[str]]:
        labels = "CALL db.labels() YIELD label AS name RETURN name"
        types = "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name"
        return {
            "node": sorted(str(row["name"]) for row in self._rows(labels)),
            "relationship": sorted(str(row["name"]) for row in self._rows(types)),
        }

    @cached_property
    def vector_indexed(self) -> frozenset[tuple[str, str]]:
        """Labels or types and properties of vector indexes, as far as the user may see them."""
        try:
            rows = list(self._rows(_VECTOR_INDEXES))
        except Neo4jError as error:
            if "Security" not in (error.code or ""):
                raise
            return frozenset()
        return frozenset(pair for row in rows for pair in product(row["labelsOrTypes"], row["properties"]))

    def check_policy(self) -> None:
        """Check that the graph has all names that the policy hides.

        Raises:
            PolicyError: A name is unknown; the message suggests similar names.
        """
        keys: dict[str, set[str] | None] = {}
        for entity_type, names in self._names.items():
            for name in names:
                found = keys.setdefault(name, set())
                if found is None or not any(each.startswith(f"{name}.") for each in self._policy.hidden):
                    continue
                if self._count(entity_type, name, "") > MAX_SCAN:
                    keys[name] = None
                else:
                    query = _ALL_KEYS.format(pattern=_PATTERNS[entity_type])
                    found.update(row["key"] for row in self._rows(query, owner=name))
        check_names_in(self._policy, keys)

    def labels(self) -> list[LabelOrTypeCount]:
        """Count the visible nodes of each visible label."""
        return self._counts("node")

    def types(self) -> list[LabelOrTypeCount]:
        """Count the visible relationships of each visible type."""
        return self._counts("relationship")

    def _counts(self, entity_type: EntityType) -> list[LabelOrTypeCount]:
        counts = [
            LabelOrTypeCount(name, entity_type, self._count(entity_type, name, self._visible(entity_type)))
            for name in self._names[entity_type]
            if self.visibility.shows(name) and not is_internal(name)
        ]
        return [each for each in counts if each.count]

    def _count(self, entity_type: EntityType, name: str, visible: str) -> int:
        pattern = _PATTERNS[entity_type].replace("$($owner)", quote_identifier(name))
        return int(next(self._rows(f"MATCH {pattern} {visible} RETURN count(x) AS count"))["count"])

    def triples(
        self, kind: LabelOrTypeCount, labels: dict[str, LabelOrTypeCount]
    ) -> tuple[list[Triple], bool]:
        """Count the labels at both ends of a relationship type; a node of several labels counts under each.

        Returns:
            The triples, and whether the list is complete.
        """
        visible = self._visible("relationship")
        rows = self._rows_within(
            FULL_SCAN_TIMEOUT_S if kind.is_sampled else None,
            _TRIPLES.format(visible=visible, limit=""),
            owner=kind.name,
        )
        if rows is not None:
            found = _pairs(rows)
            complete = True
        else:
            query = _TRIPLES.format(visible=visible, limit="WITH a, b LIMIT $rows")
            sampled = list(self._rows(query, owner=kind.name, rows=MAX_SCAN))
            scale = kind.count / sum(row["count"] for row in sampled)
            found = Counter({pair: round(count * scale) for pair, count in _pairs(sampled).items()})
            complete = self._add_rare_pairs(found, kind.name, labels)
        return [
            Triple(
                source=source,
                type=kind.name,
                target=target,
                count=count,
                source_max=self._most(kind.name, source, target, outgoing=True),
                target_max=self._most(kind.name, target, source, outgoing=False),
            )
            for (source, target), count in sorted(found.items())
            if source in labels and target in labels
        ], complete

    def _add_rare_pairs(self, found: Counter[tuple[str, str]], name: str, labels: Iterable[str]) -> bool:
        """Count pairs of labels that a sample lacks; return whether all were counted in time.

        The server's count store excludes labels that are at no start or at no end of the type.
        """
        stored = f"MATCH {{start}}-[:{quote_identifier(name)}]->{{end}} RETURN count(*) AS count"
        ends: dict[bool, list[str]] = {True: [], False: []}
        for label in labels:
            node = f"(:{quote_identifier(label)})"
            for is_start, query in (
                (True, stored.format(start=node, end="()")),
                (False, stored.format(start="()", end=node)),
            ):
                if next(self._rows(query))["count"]:
                    ends[is_start].append(label)
        deadline = time.monotonic() + FULL_SCAN_TIMEOUT_S
        visible = self._visible("relationship")
        for source, target in product(ends[True], ends[False]):
            if (source, target) in found:
                continue
            names = {"source": source, "type": name, "target": target}
            quoted = {key: quote_identifier(each) for key, each in names.items()}
            query = _TRIPLE_COUNT.format(visible=visible, **quoted)
            rows = self._rows_within(deadline - time.monotonic(), query)
            if rows is None:
                return False
            if rows[0]["count"]:
                found[source, target] = rows[0]["count"]
        return True

    def _most(self, name: str, start: str, end: str, *, outgoing: bool) -> int:
        parameters: dict[str, Any] = {"owner": name, "from": start, "to": end, "rows": MAX_SCAN}
        start, end = (_without(self.visibility.labels, each) for each in "ab")
        query = _MOST[outgoing].format(start=start, end=end)
        return int(next(self._rows(query, **parameters))["most"])

    def keys(self, owner: LabelOrTypeCount) -> tuple[list[str], bool]:
        """Return the property names of a label or type, and whether the list is complete."""
        hiding = {key: self.visibility.hiding_labels("node", key) for key in self.visibility.hidden_on}
        hidden = {key: labels for key, labels in hiding.items() if labels and owner.entity_type == "node"}
        tests = " AND ".join(
            f"NOT (key = $hidden[{number}] AND x:{_alternatives(labels)})"
            for number, labels in enumerate(hidden.values())
        )
        parts = {
            "pattern": _PATTERNS[owner.entity_type],
            "visible": self._visible(owner.entity_type),
            "visible_keys": f", x WHERE {tests}" if hidden else "",
        }
        parameters: dict[str, Any] = {"owner": owner.name, "hidden": list(hidden)}
        timeout_s = FULL_SCAN_TIMEOUT_S if owner.is_sampled else None
        rows = self._rows_within(timeout_s, _KEYS.format(limit="", **parts), **parameters)
        complete = rows is not None
        if rows is None:
            query = _KEYS.format(limit="WITH x LIMIT $rows", **parts)
            rows = list(self._rows(query, rows=MAX_SCAN, **parameters))
        return sorted(row["key"] for row in rows if self.visibility.shows(owner.name, row["key"])), complete

    def values(self, owner: LabelOrTypeCount, name: str) -> Iterator[tuple[Any, int]]:
        """Yield the values of a property with their counts; the same value may occur several times.

        Strings are cut after `MAX_TEXT` + 1 characters. At most `MAX_SCAN` nodes or relationships are read.
        """
        parts = {
            "pattern": _PATTERNS[owner.entity_type],
            "visible": self._visible(owner.entity_type, name),
        }
        query = _VALUES.format(**parts)
        for skip in range(0, self.scanned(owner), CHUNK):
            rows = min(CHUNK, MAX_SCAN - skip)
            for row in self._rows(query, owner=owner.name, name=name, skip=skip, rows=rows):
                yield row["value"], row["count"]

    def rare_values(self, owner: LabelOrTypeCount, name: str) -> list[tuple[Any, int]] | None:
        """Return up to `MAX_SCAN` values of a property that the sample lacks, or None if that takes too long."""
        query = _RARE_VALUES.format(
            pattern=_PATTERNS[owner.entity_type], visible=self._visible(owner.entity_type, name)
        )
        rows = self._rows_within(FULL_SCAN_TIMEOUT_S, query, owner=owner.name, name=name, rows=MAX_SCAN)
        return None if rows is None else [(row["value"], row["count"]) for row in rows]

    def names(self, owner: LabelOrTypeCount, name: str, other: str) -> Iterator[tuple[str, str]]:
        """Yield the strings of a property, each with those that another property of the same thing has."""
        query = _NAMES.format(
            pattern=_PATTERNS[owner.entity_type], visible=self._visible(owner.entity_type, name, other)
        )
        for row in self._rows(query, owner=owner.name, name=name, other=other, rows=MAX_SCAN):
            yield row["value"], row["other"]

    def scanned(self, owner: LabelOrTypeCount) -> int:
        """Return the number of nodes or relationships that `values` reads."""
        return min(owner.count, MAX_SCAN)

    def _visible(self, entity_type: EntityType, *keys: str) -> str:
        """Return a WHERE clause that excludes hidden nodes, their relationships, and nodes with a hidden property."""
        hidden = self.visibility.labels
        if entity_type == "relationship":
            return _without(hidden, "a", "b")
        return _without(hidden.union(*(self.visibility.hiding_labels("node", key) for key in keys)), "x")

    def _rows_within(
        self, timeout_s: float | None, query: str, **parameters: Any
    ) -> list[dict[str, Any]] | None:
        """Return all rows of a query, or None if it exceeds a time limit; no limit but the general one if None."""
        if timeout_s is None:
            return list(self._rows(query, **parameters))
        if timeout_s <= 0:
            return None
        try:
            return list(self._rows(query, timeout_s=timeout_s, **parameters))
        except Neo4jError as error:
            if is_timeout(error):
                return None
            raise

    def _rows(
        self, query: str, *, timeout_s: float = QUERY_TIMEOUT_S, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        with (
            self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session,
            session.begin_transaction(timeout=timeout_s) as transaction,
        ):
            result = transaction.run(query, **parameters)
            columns = result.keys()
            for record in result:
                yield dict(zip(columns, record_values(record), strict=True))


def is_internal(name: str) -> bool:
    """Return whether a label or relationship type belongs to a tool rather than to the data."""
    return _INTERNAL.fullmatch(name) is not None


def _pairs(rows: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for pair in product(row["sources"], row["targets"]):
            pairs[pair] += row["count"]
    return pairs


def _without(labels: Collection[str], *variables: str) -> str:
    """Return a WHERE clause that excludes nodes with any of the labels, or nothing if there are none."""
    tests = (f"NOT {each}:{_alternatives(labels)}" for each in variables)
    return f"WHERE {' AND '.join(tests)}" if labels else ""


def _alternatives(labels: Iterable[str]) -> str:
    return "|".join(map(quote_identifier, sorted(labels)))
