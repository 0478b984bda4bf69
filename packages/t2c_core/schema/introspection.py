"""Counts labels, relationship types and triples of a graph and reads the values of their properties.

Needs no procedures beyond the built-in ones and bounds every scan. Holds no statistics (see `properties`) and
writes no files (see `snapshot`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from neo4j import READ_ACCESS, Driver

from t2c_core.cypher.identifiers import quote_identifier
from t2c_core.schema.model import Triple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.guard.policy.policy import Policy
    from t2c_core.values.sqlite_store import OwnerKind

MAX_SCAN = 1_000_000
"""Nodes of one label, or relationships of one type, that are looked at; of more only the first."""
CHUNK = 100_000
"""How many of them one query looks at, which bounds the server's memory."""
MAX_TEXT = 200
"""Characters of a string that are read; one more tells that it is longer."""
QUERY_TIMEOUT_S = 600.0

_PATTERNS = {"node": "(x:$($owner))", "relationship": "()-[x:$($owner)]->()"}
_VALUES = f"""
    MATCH {{pattern}} {{visible}} WITH x SKIP $skip LIMIT $rows
    WITH x[$name] AS value WHERE value IS NOT NULL
    RETURN CASE WHEN value IS :: STRING NOT NULL THEN left(value, {MAX_TEXT + 1}) ELSE value END AS value,
           count(*) AS count
"""
_KEYS = """
    MATCH {pattern} {visible} WITH x SKIP $skip LIMIT $rows
    UNWIND keys(x) AS key RETURN key, count(*) AS count
"""
_TRIPLES = """
    MATCH (a)-[:$($owner)]->(b) WITH a, b LIMIT $rows
    RETURN labels(a) AS sources, labels(b) AS targets, count(*) AS count
"""
_MOST = {
    True: """MATCH (a:$($from)) WITH a LIMIT $rows
        RETURN max(COUNT { (a)-[:$($owner)]->(b WHERE $to IN labels(b)) }) AS most""",
    False: """MATCH (a:$($from)) WITH a LIMIT $rows
        RETURN max(COUNT { (a)<-[:$($owner)]-(b WHERE $to IN labels(b)) }) AS most""",
}
"""By whether the relationships are outgoing."""


@dataclass(frozen=True)
class LabelOrTypeCount:
    """A label or relationship type, and how many nodes or relationships it has."""

    name: str
    kind: OwnerKind
    count: int

    @property
    def sampled(self) -> bool:
        """Whether there are too many to look at all."""
        return self.count > MAX_SCAN


class SchemaIntrospector:
    """A graph seen through READ transactions, without what a policy hides.

    Args:
        driver: an open driver.
        database: its name; the server's default when absent.
        policy: what must not be seen.
    """

    def __init__(self, driver: Driver, database: str | None, policy: Policy) -> None:
        self._driver = driver
        self._database = database
        self._policy = policy

    def server(self) -> tuple[str, str]:
        """Give the database's name and the server's version."""
        with self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session:
            result = session.run(
                "CALL dbms.components() YIELD name, versions RETURN versions[0] AS version LIMIT 1"
            )
            version = str(result.single(strict=True)["version"])
            return result.consume().database or self._database or "", version

    def labels(self) -> list[LabelOrTypeCount]:
        """Count the nodes of each label."""
        return self._owners(
            "CALL db.labels() YIELD label AS name RETURN name", "node", "MATCH (x:{}) RETURN count(x)"
        )

    def types(self) -> list[LabelOrTypeCount]:
        """Count the relationships of each type."""
        query = "CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name"
        return self._owners(query, "relationship", "MATCH ()-[x:{}]->() RETURN count(x)")

    def _owners(self, listing: str, kind: OwnerKind, counting: str) -> list[LabelOrTypeCount]:
        names = sorted(str(row["name"]) for row in self._rows(listing))
        owners = []
        for name in names:
            if not self._policy.hides(name):
                count = next(iter(self._rows(counting.format(quote_identifier(name))))).value()
                owners.append(LabelOrTypeCount(name, kind, count))
        return [owner for owner in owners if owner.count]

    def triples(self, kind: LabelOrTypeCount, labels: dict[str, LabelOrTypeCount]) -> list[Triple]:
        """Count which labels a relationship type joins; a node of several labels counts under each."""
        found: Counter[tuple[str, str]] = Counter()
        seen = 0
        for row in self._rows(_TRIPLES, owner=kind.name, rows=MAX_SCAN):
            seen += row["count"]
            if not any(self._policy.hides(label) for label in (*row["sources"], *row["targets"])):
                for pair in product(row["sources"], row["targets"]):
                    found[pair] += row["count"]
        scale = kind.count / seen if kind.sampled else 1
        return [
            Triple(
                source=source,
                type=kind.name,
                target=target,
                count=round(count * scale),
                source_max=self._most(kind.name, source, target, outgoing=True),
                target_max=self._most(kind.name, target, source, outgoing=False),
            )
            for (source, target), count in sorted(found.items())
            if source in labels and target in labels
        ]

    def _most(self, name: str, start: str, end: str, *, outgoing: bool) -> int:
        parameters = {"owner": name, "from": start, "to": end, "rows": MAX_SCAN}
        return int(next(iter(self._rows(_MOST[outgoing], **parameters)))["most"])

    def keys(self, owner: LabelOrTypeCount) -> list[str]:
        """List the properties that a label or type has."""
        found: set[str] = set()
        for row in self._chunks(_KEYS, owner):
            found.add(row["key"])
        return sorted(key for key in found if not self._policy.hides(owner.name, key))

    def values(self, owner: LabelOrTypeCount, name: str) -> Iterator[tuple[Any, int]]:
        """Give the values of a property and how often each occurs; the same value may come several times.

        Strings are cut after `MAX_TEXT` + 1 characters.
        """
        for row in self._chunks(_VALUES, owner, name):
            yield row["value"], row["count"]

    def scanned(self, owner: LabelOrTypeCount) -> int:
        """Count the nodes or relationships that `values` looks at."""
        if not self._visible(owner):
            return min(owner.count, MAX_SCAN)
        query = f"MATCH {_PATTERNS[owner.kind]} {self._visible(owner)} WITH x LIMIT $rows RETURN count(x) AS count"
        return int(next(iter(self._rows(query, owner=owner.name, rows=MAX_SCAN)))["count"])

    def _visible(self, owner: LabelOrTypeCount, name: str = "") -> str:
        """Keep out of sight nodes that also have a label which is hidden, or whose property `name` is."""
        hidden = {each for each in self._policy.hidden if "." not in each}
        hidden |= {
            each.removesuffix(f".{name}")
            for each in self._policy.hidden
            if name and each.endswith(f".{name}")
        }
        if owner.kind == "relationship" or not hidden:
            return ""
        return f"WHERE NOT x:{'|'.join(quote_identifier(each) for each in sorted(hidden))}"

    def _chunks(self, template: str, owner: LabelOrTypeCount, name: str = "") -> Iterator[Any]:
        query = template.format(pattern=_PATTERNS[owner.kind], visible=self._visible(owner, name))
        for skip in range(0, min(owner.count, MAX_SCAN), CHUNK):
            rows = min(CHUNK, MAX_SCAN - skip)
            yield from self._rows(query, owner=owner.name, name=name, skip=skip, rows=rows)

    def _rows(self, query: str, **parameters: Any) -> Iterator[Any]:
        with (
            self._driver.session(database=self._database, default_access_mode=READ_ACCESS) as session,
            session.begin_transaction(timeout=QUERY_TIMEOUT_S) as transaction,
        ):
            yield from transaction.run(query, **parameters)
