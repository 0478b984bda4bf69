"""Schema validator: labels, types, directions and properties of a query, and what a policy hides.

The guard compares query and schema; its refusals and repairs become findings here. `owners` derives the labels and
types of a query's variables for the other validators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.consistency.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.consistency.query_analysis import QueryAnalysis, RelationshipPattern
    from t2c_core.guard.verdict import GuardVerdict
    from t2c_core.schema.model import GraphSchema

_REPAIRS = {
    "repair.direction": "schema.direction",
    "repair.label": "schema.label",
    "repair.property": "schema.property",
    "repair.hidden": "schema.hidden",
}


def check_schema(query: QueryAnalysis, verdict: GuardVerdict, hidden: tuple[str, ...]) -> list[Finding]:
    """Check a query against the schema by the guard's verdict.

    Returns:
        `schema.label`, `schema.type`, `schema.property`: no element of that name. `schema.owner`: the property exists
        on other labels or types only. `schema.pattern`: the relationship does not connect these labels.
        `schema.direction`: the relationship direction is reversed. `schema.hidden`: it uses or may return what a policy
        hides. `schema.value`: a property is compared with a map, which no property can hold.
    """
    nested = [
        Finding("schema.value", f"{each.property} is compared with a map, which no property can hold")
        for each in query.nested
    ]
    if verdict.allowed:
        found = [
            Finding(_REPAIRS[each.code], each.message)
            for each in verdict.repairs
            if each.code in _REPAIRS and (each.code != "repair.hidden" or _shows(query, hidden))
        ]
        return list(dict.fromkeys([*nested, *found]))
    layer, _, reason = verdict.codes[0].partition(".")
    if layer == "policy":
        return [Finding("schema.hidden", verdict.message), *nested]
    return [Finding(f"schema.{reason}", verdict.message), *nested] if layer == "schema" else nested


def _shows(query: QueryAnalysis, hidden: tuple[str, ...]) -> bool:
    """Return whether a query uses a hidden name or returns whole nodes.

    That the guard excludes nodes with hidden labels is no error of a query.
    """
    names = {name for each in hidden for name in (each, each.rpartition(".")[2])}
    return query.returns_elements or any(access.property in names for access in query.accesses)


def owners(query: QueryAnalysis, schema: GraphSchema) -> dict[str, frozenset[str]]:
    """Return the labels or types that each variable of a query can have; an empty set if they are unknown."""
    found: dict[str, frozenset[str]] = {name: frozenset(labels) for name, labels in query.labels.items()}
    for edge in query.edges:
        if edge.is_variable_length:
            continue
        found[edge.variable] = found.get(edge.variable, frozenset()) | frozenset(
            edge.types or (each.type for each in schema.triples)
        )
        for source, target in _ends(edge, query, schema):
            for variable, label in ((edge.source, source), (edge.target, target)):
                if not query.labels.get(variable):
                    found[variable] = found.get(variable, frozenset()) | {label}
    for name, variable in query.variables.items():
        found.setdefault(name, found.get(variable, frozenset()))
    return found


def _ends(edge: RelationshipPattern, query: QueryAnalysis, schema: GraphSchema) -> Iterator[tuple[str, str]]:
    """Yield the labels that both ends of a relationship can have together."""
    left, right = query.labels.get(edge.source, set()), query.labels.get(edge.target, set())
    for triple in schema.triples:
        if edge.types and triple.type not in edge.types:
            continue
        if (not left or triple.source in left) and (not right or triple.target in right):
            yield triple.source, triple.target
        if (
            not edge.directed
            and (not left or triple.target in left)
            and (not right or triple.source in right)
        ):
            yield triple.target, triple.source
