"""Labels, relationship types and properties that no question is about: those of tools, and embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.identifiers import format_identifier
from t2c_core.results import MIN_EMBEDDING_LENGTH
from t2c_core.schema.introspection import is_internal

if TYPE_CHECKING:
    from collections.abc import Collection

    from t2c_core.schema.model import GraphSchema, NodeLabel, RelationshipType
    from t2c_data.graph.sample import Read

SAMPLED = 1_000
"""Number of values of a property whose length is looked at."""


async def without_excluded(read: Read, schema: GraphSchema) -> GraphSchema:
    """Return a schema without internal labels and types and without embeddings.

    Args:
        read: function that runs a Cypher query and returns its rows in JSON form.
        schema: schema of the graph.
    """
    labels = [each for each in schema.labels if not is_internal(each.name)]
    types = [each for each in schema.types if not is_internal(each.name)]
    embeddings = set()
    elements: list[tuple[NodeLabel | RelationshipType, str]] = [
        (label, f"(n:{format_identifier(label.name)})") for label in labels
    ]
    elements += [(kind, f"()-[n:{format_identifier(kind.name)}]->()") for kind in types]
    for element, pattern in elements:
        for name in (each.name for each in element.properties if each.type in {"LIST<FLOAT>", "LIST<ANY>"}):
            access = f"n.{format_identifier(name)}"
            sampled = f"MATCH {pattern} WHERE {access} IS NOT NULL WITH {access} AS list LIMIT {SAMPLED}"
            query = f"{sampled} RETURN max(size(list))"
            if ((await read(query, {}))[0][0] or 0) >= MIN_EMBEDDING_LENGTH:
                embeddings.add((element.name, name))
    kept = {each.name for each in labels}
    return replace(
        schema,
        labels=tuple(_without(each, embeddings) for each in labels),
        types=tuple(_without(each, embeddings) for each in types),
        triples=tuple(
            each
            for each in schema.triples
            if not is_internal(each.type) and {each.source, each.target} <= kept
        ),
    )


def _without(element: Any, embeddings: Collection[tuple[str, str]]) -> Any:
    kept = tuple(each for each in element.properties if (element.name, each.name) not in embeddings)
    return element if len(kept) == len(element.properties) else replace(element, properties=kept)
