"""Whether a query keeps to the schema: labels, types, their directions, and who owns which property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.validators.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.schema.model import GraphSchema
    from t2c_data.validators.reading import Edge, QueryReading


def check_schema(query: QueryReading, schema: GraphSchema) -> list[Finding]:
    """Hold a query to a schema.

    Returns:
        `schema.label`, `schema.type`: there is none of that name. `schema.direction`: the relationship goes the
        other way. `schema.triple`: it does not join these labels. `schema.property`: none of the labels or types
        that the variable can have owns the property.
    """
    found = [*_names(query, schema)]
    if not found:
        found += _edges(query, schema)
        found += _properties(query, schema)
    return list(dict.fromkeys(found))


def owners(query: QueryReading, schema: GraphSchema) -> dict[str, frozenset[str]]:
    """Tell which labels or types each variable of the patterns can have; an empty set if that is not known."""
    found: dict[str, frozenset[str]] = {name: frozenset(labels) for name, labels in query.labels.items()}
    for edge in query.edges:
        if not edge.steps:
            found[edge.variable] = found.get(edge.variable, frozenset()) | frozenset(
                edge.types or (each.type for each in schema.triples)
            )
        for source, kind, target in _possible(edge, query, schema):
            for variable, label in ((edge.source, source), (edge.target, target)):
                if not query.labels.get(variable) and kind and not edge.steps:
                    found[variable] = found.get(variable, frozenset()) | {label}
    for name, variable in query.variables.items():
        found.setdefault(name, found.get(variable, frozenset()))
    return found


def _names(query: QueryReading, schema: GraphSchema) -> Iterator[Finding]:
    for label in sorted({label for labels in query.labels.values() for label in labels}):
        if label not in schema.label_by_name:
            yield Finding("schema.label", f"there is no label {label}")
    for kind in sorted({kind for edge in query.edges for kind in edge.types}):
        if kind not in schema.type_by_name:
            yield Finding("schema.type", f"there is no relationship type {kind}")


def _edges(query: QueryReading, schema: GraphSchema) -> Iterator[Finding]:
    for edge in query.edges:
        if edge.steps or any(_possible(edge, query, schema)):
            continue
        source, target = (
            "|".join(sorted(query.labels.get(end, ()))) or "?" for end in (edge.source, edge.target)
        )
        kinds = "|".join(edge.types) or "?"
        if edge.directed and any(_possible(edge, query, schema, reversed_=True)):
            yield Finding("schema.direction", f"{kinds} goes from {target} to {source}, not the other way")
        else:
            yield Finding("schema.triple", f"{kinds} does not join {source} to {target}")


def _possible(
    edge: Edge, query: QueryReading, schema: GraphSchema, *, reversed_: bool = False
) -> Iterator[tuple[str, str, str]]:
    """List what an edge can stand for: the label at its source, its type, and the label at its target."""
    left, right = query.labels.get(edge.source, set()), query.labels.get(edge.target, set())
    for triple in schema.triples:
        if edge.types and triple.type not in edge.types:
            continue
        forward = (not left or triple.source in left) and (not right or triple.target in right)
        backward = (not left or triple.target in left) and (not right or triple.source in right)
        if forward and not reversed_:
            yield triple.source, triple.type, triple.target
        if backward and (reversed_ or not edge.directed):
            yield triple.target, triple.type, triple.source


def _properties(query: QueryReading, schema: GraphSchema) -> Iterator[Finding]:
    known = owners(query, schema)
    for access in query.accesses:
        holders = known.get(access.variable)
        if holders and not any(schema.property_of(holder, access.property) for holder in holders):
            yield Finding("schema.property", f"{'|'.join(sorted(holders))} has no property {access.property}")
