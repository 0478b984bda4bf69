"""Read the schema and the values of a graph with plain Cypher, without APOC. Writes no file (see `snapshot`).

Counts come from the count store; what needs a scan is bounded by `ScanLimits`, and a figure that comes from a part
of the graph is marked `sampled`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

from t2c_core.cypher.names import quote_name
from t2c_core.guard.policy import Policy
from t2c_core.results import canonical
from t2c_core.schema.model import (
    GraphSchema,
    NodeLabel,
    Property,
    PropertyType,
    RelationshipType,
    Scalar,
    Triple,
)
from t2c_core.values.index import IndexedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from neo4j import Session

    from t2c_core.values.storage import OwnerKind

EXAMPLES = 5
MAX_TEXT = 200
"""Longest text that is kept as an example or indexed, in characters."""
INDEXED_TYPES = frozenset({"STRING", "INTEGER", "DATE", "LIST<STRING>", "LIST<INTEGER>", "LIST<DATE>"})
ORDERED_TYPES = frozenset(
    {"INTEGER", "FLOAT", "DATE", "LOCAL DATETIME", "ZONED DATETIME", "LOCAL TIME", "ZONED TIME"}
)
KNOWN_TYPES = frozenset(get_args(PropertyType))


@dataclass(frozen=True, kw_only=True)
class ScanLimits:
    """How much of a large graph is looked at."""

    elements: int = 500_000
    """Nodes of a label, or relationships of a type, whose keys and ends are looked at."""
    values: int = 1_000_000
    """Distinct values of a property that are listed."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A label or relationship type, as a Cypher pattern that binds `x` to each of its elements."""

    name: str
    kind: OwnerKind
    count: int
    pattern: str
    hidden_labels: tuple[str, ...] = ()
    """Labels a node must not carry as well."""

    def match(self, hidden: Iterable[str] = ()) -> str:
        """Write the MATCH that binds `x`, without nodes that carry a hidden label."""
        labels = sorted({*self.hidden_labels, *hidden})
        unseen = " AND ".join(f"NOT x:{quote_name(label)}" for label in labels)
        return f"MATCH {self.pattern}" + (f" WHERE {unseen}" if unseen else "")


@dataclass(kw_only=True)
class Introspection:
    """One look at a graph, in a READ session.

    Args:
        session: where to ask.
        policy: what must not be seen.
        limits: how much to look at.
        progress: told of steps done and of all steps.
    """

    session: Session
    policy: Policy = field(default_factory=Policy)
    limits: ScanLimits = field(default_factory=ScanLimits)
    progress: Callable[[int, int], None] | None = None

    def schema(self, *, database: str, server: str) -> GraphSchema:
        """Describe the graph."""
        labels = [each for each in self._names("CALL db.labels()") if not self.policy.hides(each)]
        types = [each for each in self._names("CALL db.relationshipTypes()") if not self.policy.hides(each)]
        hidden_labels = tuple(
            each for each in sorted(self.policy.hidden) if "." not in each and each not in types
        )
        holders = self._holders(labels, types, hidden_labels)
        total = len(holders) * 2
        described: dict[str, tuple[Property, ...]] = {}
        for done, holder in enumerate(holders, start=1):
            described[f"{holder.kind} {holder.name}"] = tuple(self._properties(holder))
            self._tell(done, total)
        triples: list[Triple] = []
        for done, holder in enumerate((each for each in holders if each.kind == "relationship"), start=1):
            triples += self._triples(holder, frozenset(labels))
            self._tell(len(holders) + done, total)
        self._tell(total, total)
        nodes = [each for each in holders if each.kind == "node"]
        links = [each for each in holders if each.kind == "relationship"]
        return GraphSchema(
            labels=tuple(
                NodeLabel(name=each.name, count=each.count, properties=described[f"node {each.name}"])
                for each in nodes
            ),
            types=tuple(
                RelationshipType(
                    name=each.name, count=each.count, properties=described[f"relationship {each.name}"]
                )
                for each in links
            ),
            triples=tuple(sorted(triples, key=lambda each: (each.source, each.type, each.target))),
            database=database,
            server=server,
            hidden=tuple(sorted(self.policy.hidden)),
        )

    def indexed_values(self, schema: GraphSchema) -> Iterator[IndexedValue]:
        """List every distinct value that questions may name, property by property."""
        for holder in self._holders(
            [each.name for each in schema.labels],
            [each.name for each in schema.types],
            tuple(each for each in schema.hidden if "." not in each and each not in schema.type_by_name),
        ):
            for each in (schema.label_by_name | schema.type_by_name)[holder.name].properties:
                if each.type in INDEXED_TYPES:
                    yield from self._values(holder, each)

    def _tell(self, done: int, total: int) -> None:
        if self.progress:
            self.progress(done, total)

    def _ask(self, query: str, **parameters: object) -> Iterator[dict[str, Any]]:
        for record in self.session.run(query, **parameters):  # type: ignore[arg-type]
            yield record.data()

    def _names(self, query: str) -> list[str]:
        return sorted(next(iter(row.values())) for row in self._ask(query))

    def _holders(self, labels: list[str], types: list[str], hidden_labels: tuple[str, ...]) -> list[Holder]:
        nodes = [("node", name, f"(x:{quote_name(name)})") for name in labels]
        links = [("relationship", name, f"()-[x:{quote_name(name)}]->()") for name in types]
        holders = []
        for kind, name, pattern in (*nodes, *links):
            count = next(self._ask(f"MATCH {pattern} RETURN count(x) AS count"))["count"]
            if count:
                unseen = hidden_labels if kind == "node" else ()
                holders.append(
                    Holder(
                        name=name,
                        kind=cast("OwnerKind", kind),
                        count=count,
                        pattern=pattern,
                        hidden_labels=unseen,
                    )
                )
        return holders

    def _properties(self, holder: Holder) -> Iterator[Property]:
        """Describe the properties of a label or type."""
        types: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self._ask(
            f"{holder.match()} WITH x LIMIT $limit UNWIND keys(x) AS key "
            "RETURN key, valueType(x[key]) AS type, count(*) AS count",
            limit=self.limits.elements,
        ):
            types[row["key"]][property_type(row["type"])] += row["count"]
        seen = min(holder.count, self.limits.elements)
        for name in sorted(types):
            if not self.policy.hides(holder.name, name):
                yield self._property(holder, name, types[name], seen)

    def _property(self, holder: Holder, name: str, types: Counter[str], seen: int) -> Property:
        kind = cast("PropertyType", types.most_common(1)[0][0])
        access = f"x.{quote_name(name)}"
        element = "UNWIND value AS value " if kind.startswith("LIST<") else ""
        start = f"{self._part(holder, name)} WITH {access} AS value WHERE value IS NOT NULL {element}"
        facts = next(
            self._ask(
                f"{start}RETURN count(value) AS count, count(DISTINCT value) AS distinct"
                + (", min(value) AS minimum, max(value) AS maximum" if kind in ORDERED_TYPES else ""),
                limit=self.limits.elements,
            )
        )
        examples = self._ask(
            f"{start}WITH value, count(*) AS count WHERE NOT (value IS :: STRING AND size(value) > $longest) "
            "RETURN value ORDER BY count DESC, toStringOrNull(value) LIMIT $examples",
            limit=self.limits.elements,
            longest=MAX_TEXT,
            examples=EXAMPLES,
        )
        return Property(
            name=name,
            type=kind,
            share=round(types.total() / seen, 6) if seen else 0.0,
            distinct=facts["distinct"],
            unique=not element and facts["distinct"] == facts["count"],
            sampled=holder.count > self.limits.elements,
            examples=tuple(_scalar(row["value"]) for row in examples),
            minimum=_bound(facts.get("minimum")),
            maximum=_bound(facts.get("maximum")),
        )

    def _part(self, holder: Holder, name: str) -> str:
        """Match the elements whose property `name` may be seen, as many as the limits allow."""
        hidden = [each.rpartition(".")[0] for each in self.policy.hidden if each.endswith(f".{name}")]
        unseen = hidden if holder.kind == "node" else ()
        bound = " WITH x LIMIT $limit" if holder.count > self.limits.elements else ""
        return f"{holder.match(unseen)}{bound}"

    def _values(self, holder: Holder, each: Property) -> Iterator[IndexedValue]:
        element = "UNWIND value AS value " if each.type.startswith("LIST<") else ""
        rows = self._ask(
            f"{self._part(holder, each.name)} WITH x.{quote_name(each.name)} AS value WHERE value IS NOT NULL {element}"
            "WITH value WHERE NOT (value IS :: STRING AND size(value) > $longest) "
            "RETURN value, count(*) AS count LIMIT $values",
            limit=self.limits.elements,
            longest=MAX_TEXT,
            values=self.limits.values,
        )
        for row in rows:
            value = canonical(row["value"])
            if isinstance(value, str | int | float | bool):
                yield IndexedValue(
                    value=value, owner=holder.name, property=each.name, kind=holder.kind, count=row["count"]
                )

    def _triples(self, holder: Holder, labels: frozenset[str]) -> Iterator[Triple]:
        """Find which labels a relationship type joins."""
        bound = "WITH a, b LIMIT $limit " if holder.count > self.limits.elements else ""
        rows = self._ask(
            f"MATCH (a)-[:{quote_name(holder.name)}]->(b) {bound}UNWIND labels(a) AS source UNWIND labels(b) AS target "
            "RETURN source, target, count(*) AS count",
            limit=self.limits.elements,
        )
        for row in rows:
            if row["source"] in labels and row["target"] in labels:
                most = self._most(holder, row["source"], row["target"])
                count = (
                    row["count"] if not bound else round(row["count"] * holder.count / self.limits.elements)
                )
                yield Triple(
                    source=row["source"],
                    type=holder.name,
                    target=row["target"],
                    count=count,
                    source_max=most["a"],
                    target_max=most["b"],
                )

    def _most(self, holder: Holder, source: str, target: str) -> dict[str, int]:
        """Count the most relationships of one node, on each side; 0 where a graph is too large to look."""
        if holder.count > self.limits.elements:
            return {"a": 0, "b": 0}
        pattern = f"(a:{quote_name(source)})-[:{quote_name(holder.name)}]->(b:{quote_name(target)})"
        return {
            side: next(
                self._ask(f"MATCH {pattern} WITH {side}, count(*) AS count RETURN max(count) AS most")
            )["most"]
            for side in ("a", "b")
        }


def property_type(value_type: str) -> PropertyType:
    """Name a type as the schema does, from what `valueType()` says."""
    name = value_type.replace(" NOT NULL", "")
    if name in KNOWN_TYPES:
        return cast("PropertyType", name)
    if name.startswith("LIST<"):
        return "LIST<ANY>"
    return "POINT" if name.startswith("POINT") else "STRING"


def _scalar(value: object) -> Scalar:
    plain = canonical(value)
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def _bound(value: object) -> Scalar | None:
    return None if value is None else _scalar(value)
