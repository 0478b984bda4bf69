"""A sample of the graph in memory (all of a small graph); the values of questions come from its paths.

A node with several labels is sampled once per label. The sample depends on the content of the graph alone, not on
its internal ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.text_formats import CASTS, parse_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from t2c_core.schema.model import GraphSchema, Property, Scalar, Triple

    Read = Callable[[str, dict[str, Any]], Awaitable[list[list[Any]]]]

MAX_NODES = 30_000
"""Maximum number of nodes per label."""
MAX_RELATIONSHIPS = 60_000
"""Maximum number of relationships per triple."""
MAX_TEXT = 2_001
"""Maximum number of characters read of a string: one more than a cell of a result may have."""
_BATCH = 5_000

Properties = dict[str, Any]
NodeKey = tuple[str, str]
"""Internal id of a node and one of its labels."""


@dataclass(slots=True)
class SampledNode:
    """A node under one label."""

    label: str
    properties: Properties
    relationships: dict[tuple[int, bool], list[tuple[Properties, int]]] = field(default_factory=dict)
    """Properties and index of the other node, by triple index and whether this node is the source."""


@dataclass(slots=True)
class Sample:
    """Nodes, and their indices by label."""

    nodes: list[SampledNode]
    by_label: dict[str, list[int]]
    values: dict[tuple[str, str], list[Scalar]] = field(default_factory=dict)
    """Sorted distinct values by label or type and property; for lists, their elements."""
    folded: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """Strings among the values, in lower case."""


async def read_sample(
    read: Read, schema: GraphSchema, *, max_nodes: int = MAX_NODES, max_relationships: int = MAX_RELATIONSHIPS
) -> Sample:
    """Read a sample of a graph.

    Args:
        read: function that runs a Cypher query and returns its rows in JSON form.
        schema: labels, properties and triples to read.
        max_nodes: maximum number of nodes per label.
        max_relationships: maximum number of relationships per triple.
    """
    nodes: dict[NodeKey, Properties] = {}
    for label in schema.labels:
        shown = _projection("n", label.properties)
        query = f"MATCH (n:{format_identifier(label.name)}) RETURN elementId(n), {shown} LIMIT $limit"
        for identity, properties in await read(query, {"limit": max_nodes}):
            nodes[identity, label.name] = _present(properties, label.properties)
    relationships: list[tuple[int, NodeKey, NodeKey, Properties]] = []
    for number, triple in enumerate(schema.triples):
        held = schema.type_by_name[triple.type].properties
        rows = await read(_relationships_query(triple, schema), {"limit": max_relationships})
        relationships += [
            (number, (source, triple.source), (target, triple.target), _present(properties, held))
            for source, target, properties in rows
        ]
    await _complete(read, schema, nodes, relationships)
    return _assemble(schema, nodes, relationships)


def _relationships_query(triple: Triple, schema: GraphSchema) -> str:
    shown = _projection("r", schema.type_by_name[triple.type].properties)
    source, rel_type, target = map(format_identifier, (triple.source, triple.type, triple.target))
    return f"MATCH (a:{source})-[r:{rel_type}]->(b:{target}) RETURN elementId(a), elementId(b), {shown} LIMIT $limit"


def _projection(variable: str, properties: Sequence[Property]) -> str:
    """Render a map projection; the server truncates strings, so that no huge one is sent."""
    entries = []
    for each in properties:
        name = format_identifier(each.name)
        access = f"{variable}.{name}"
        cut = f"{name}: CASE WHEN {access} IS :: STRING NOT NULL THEN left({access}, {MAX_TEXT}) ELSE {access} END"
        entries.append(cut if each.type == "STRING" else f".{name}")
    return f"{variable} {{{', '.join(entries)}}}"


def _present(properties: Properties, held: Sequence[Property]) -> Properties:
    """Leave out absent values, and read the strings that hold numbers or dates."""
    typed = {each.name: each for each in held if each.text_format in CASTS or each.missing_text is not None}
    read = {
        name: parse_text(value, typed[name]) if name in typed and isinstance(value, str) else value
        for name, value in properties.items()
    }
    return {name: value for name, value in read.items() if value is not None}


async def _complete(
    read: Read,
    schema: GraphSchema,
    nodes: dict[NodeKey, Properties],
    relationships: list[tuple[int, NodeKey, NodeKey, Properties]],
) -> None:
    """Read end nodes of relationships that the limit per label excluded."""
    missing: dict[str, dict[str, None]] = {}
    for _, source, target, _ in relationships:
        for identity, label in (source, target):
            if (identity, label) not in nodes:
                missing.setdefault(label, {})[identity] = None
    for label, identities in missing.items():
        shown = _projection("n", schema.label_by_name[label].properties)
        query = f"UNWIND $ids AS id MATCH (n:{format_identifier(label)}) WHERE elementId(n) = id RETURN id, {shown}"
        wanted = list(identities)
        for start in range(0, len(wanted), _BATCH):
            for identity, properties in await read(query, {"ids": wanted[start : start + _BATCH]}):
                nodes[identity, label] = _present(properties, schema.label_by_name[label].properties)


def _assemble(
    schema: GraphSchema,
    nodes: dict[NodeKey, Properties],
    relationships: list[tuple[int, NodeKey, NodeKey, Properties]],
) -> Sample:
    """Sort nodes and relationships by content, so that the order does not depend on internal ids."""
    ordered = sorted(nodes, key=lambda place: (place[1], _text(nodes[place])))
    position = {place: number for number, place in enumerate(ordered)}
    sample = Sample([SampledNode(place[1], nodes[place]) for place in ordered], {})
    for number, node in enumerate(sample.nodes):
        sample.by_label.setdefault(node.label, []).append(number)
    distinct: dict[tuple[str, str], set[Any]] = {}
    for node in sample.nodes:
        _collect(distinct, node.label, node.properties)
    known = [each for each in relationships if each[1] in position and each[2] in position]
    for number, source, target, properties in sorted(
        known, key=lambda each: (each[0], position[each[1]], position[each[2]], _text(each[3]))
    ):
        start, end = position[source], position[target]
        sample.nodes[start].relationships.setdefault((number, True), []).append((properties, end))
        sample.nodes[end].relationships.setdefault((number, False), []).append((properties, start))
        _collect(distinct, schema.triples[number].type, properties)
    for key, values in distinct.items():
        sample.values[key] = sorted(values, key=lambda value: (str(type(value)), value))
        sample.folded[key] = frozenset(value.lower() for value in values if isinstance(value, str))
    return sample


def _collect(distinct: dict[tuple[str, str], set[Any]], label_or_type: str, properties: Properties) -> None:
    for name, value in properties.items():
        elements = value if isinstance(value, list) else [value]
        distinct.setdefault((label_or_type, name), set()).update(
            each for each in elements if isinstance(each, str | int | float)
        )


def _text(properties: Properties) -> str:
    return json.dumps(properties, sort_keys=True, ensure_ascii=False, default=str)
