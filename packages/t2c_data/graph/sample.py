"""A part of the graph in memory, or all of a small one: from its paths come the values of questions.

A node with several labels stands under each of them. Reads the graph once, in bulk; the same graph gives the same
sample whatever its internal ids. Builds no questions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.identifiers import format_identifier

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from t2c_core.schema.model import GraphSchema, Property, Scalar, Triple

    Read = Callable[[str, dict[str, Any]], Awaitable[list[list[Any]]]]

MAX_NODES = 30_000
"""Nodes read of each label."""
MAX_LINKS = 60_000
"""Relationships read of each triple."""
MAX_TEXT = 2_001
"""Characters read of a text: one more than a cell of a result may have."""
_BATCH = 5_000

Properties = dict[str, Any]
Place = tuple[str, str]
"""A node under one of its labels: its internal id and the label."""


@dataclass(slots=True)
class SampledNode:
    """A node: its label and properties, and what it is joined to by (triple number, whether it is the source)."""

    label: str
    properties: Properties
    links: dict[tuple[int, bool], list[tuple[Properties, int]]] = field(default_factory=dict)


@dataclass(slots=True)
class Sample:
    """Nodes by position, and positions by label."""

    nodes: list[SampledNode]
    by_label: dict[str, list[int]]
    values: dict[tuple[str, str], list[Scalar]] = field(default_factory=dict)
    """Distinct values of each property of the sample, sorted; elements for lists."""
    folded: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """The same in lower case, strings only."""


async def read_sample(
    read: Read, schema: GraphSchema, *, max_nodes: int = MAX_NODES, max_links: int = MAX_LINKS
) -> Sample:
    """Read a sample of a graph.

    Args:
        read: runs a Cypher query and gives its rows in JSON form.
        schema: labels, properties and triples to read; what it leaves out stays out.
        max_nodes: nodes of each label at most.
        max_links: relationships of each triple at most.
    """
    nodes: dict[Place, Properties] = {}
    for label in schema.labels:
        shown = _projection("n", label.properties)
        query = f"MATCH (n:{format_identifier(label.name)}) RETURN elementId(n), {shown} LIMIT $limit"
        for identity, properties in await read(query, {"limit": max_nodes}):
            nodes[identity, label.name] = _present(properties)
    links: list[tuple[int, Place, Place, Properties]] = []
    for number, triple in enumerate(schema.triples):
        rows = await read(_links_query(triple, schema), {"limit": max_links})
        links += [
            (number, (source, triple.source), (target, triple.target), _present(properties))
            for source, target, properties in rows
        ]
    await _complete(read, schema, nodes, links)
    return _assemble(schema, nodes, links)


def _links_query(triple: Triple, schema: GraphSchema) -> str:
    shown = _projection("r", schema.type_by_name[triple.type].properties)
    return (
        f"MATCH (a:{format_identifier(triple.source)})-[r:{format_identifier(triple.type)}]->(b:{format_identifier(triple.target)}) "
        f"RETURN elementId(a), elementId(b), {shown} LIMIT $limit"
    )


def _projection(variable: str, properties: Sequence[Property]) -> str:
    """Write a map of properties; texts are cut on the server, so that a huge one is never sent."""
    entries = []
    for each in properties:
        name = format_identifier(each.name)
        access = f"{variable}.{name}"
        cut = f"{name}: CASE WHEN {access} IS :: STRING NOT NULL THEN left({access}, {MAX_TEXT}) ELSE {access} END"
        entries.append(cut if each.type == "STRING" else f".{name}")
    return f"{variable} {{{', '.join(entries)}}}"


def _present(properties: Properties) -> Properties:
    return {name: value for name, value in properties.items() if value is not None}


async def _complete(
    read: Read,
    schema: GraphSchema,
    nodes: dict[Place, Properties],
    links: list[tuple[int, Place, Place, Properties]],
) -> None:
    """Read the ends of relationships that the first pass left out."""
    missing: dict[str, dict[str, None]] = {}
    for _, source, target, _ in links:
        for identity, label in (source, target):
            if (identity, label) not in nodes:
                missing.setdefault(label, {})[identity] = None
    for label, identities in missing.items():
        shown = _projection("n", schema.label_by_name[label].properties)
        query = f"UNWIND $ids AS id MATCH (n:{format_identifier(label)}) WHERE elementId(n) = id RETURN id, {shown}"
        wanted = list(identities)
        for start in range(0, len(wanted), _BATCH):
            for identity, properties in await read(query, {"ids": wanted[start : start + _BATCH]}):
                nodes[identity, label] = _present(properties)


def _assemble(
    schema: GraphSchema,
    nodes: dict[Place, Properties],
    links: list[tuple[int, Place, Place, Properties]],
) -> Sample:
    """Order everything by content, so that internal ids leave no trace."""
    ordered = sorted(nodes, key=lambda place: (place[1], _text(nodes[place])))
    position = {place: number for number, place in enumerate(ordered)}
    sample = Sample([SampledNode(place[1], nodes[place]) for place in ordered], {})
    for number, node in enumerate(sample.nodes):
        sample.by_label.setdefault(node.label, []).append(number)
    held: dict[tuple[str, str], set[Any]] = {}
    for node in sample.nodes:
        _collect(held, node.label, node.properties)
    known = [each for each in links if each[1] in position and each[2] in position]
    for number, source, target, properties in sorted(
        known, key=lambda each: (each[0], position[each[1]], position[each[2]], _text(each[3]))
    ):
        start, end = position[source], position[target]
        sample.nodes[start].links.setdefault((number, True), []).append((properties, end))
        sample.nodes[end].links.setdefault((number, False), []).append((properties, start))
        _collect(held, schema.triples[number].type, properties)
    for key, values in held.items():
        sample.values[key] = sorted(values, key=lambda value: (str(type(value)), value))
        sample.folded[key] = frozenset(value.lower() for value in values if isinstance(value, str))
    return sample


def _collect(held: dict[tuple[str, str], set[Any]], owner: str, properties: Properties) -> None:
    for name, value in properties.items():
        elements = value if isinstance(value, list) else [value]
        held.setdefault((owner, name), set()).update(
            each for each in elements if isinstance(each, str | int | float)
        )


def _text(properties: Properties) -> str:
    return json.dumps(properties, sort_keys=True, ensure_ascii=False, default=str)
