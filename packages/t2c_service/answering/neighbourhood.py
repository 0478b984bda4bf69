"""The part of the graph behind an answer, when its rows are plain values: the same pattern, returned as nodes.

Only queries of one plain shape are taken (`MATCH … [WHERE …] RETURN …`); for all others there is no view. The rewritten
query goes through the same guard as any other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_core.schema.model import GraphSchema, Scalar

MAX_ROWS = 40
"""Matches drawn at most."""
SHOWN = "shown"

_SHAPE = re.compile(
    r"\s*MATCH\s(?P<pattern>.+?)(?:\sWHERE\s(?P<where>.+?))?\sRETURN\s(?:DISTINCT\s)?(?P<returned>.+)",
    re.DOTALL,
)
_OTHER_CLAUSES = re.compile(
    r"\b(?:CALL|CREATE|DELETE|DETACH|FOREACH|LOAD|MATCH|MERGE|OPTIONAL|REMOVE|RETURN|SET|UNION|UNWIND|USE|WITH|YIELD)\b",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"['\"`{}]|//|/\*|\\")
_PROPERTY = re.compile(r"[A-Za-z_]\w*\.(?P<name>[A-Za-z_]\w*)")
_VARIABLE = re.compile(r"[(\[]\s*[A-Za-z_]")


_PLAIN_TYPES = frozenset({"STRING", "INTEGER", "FLOAT", "BOOLEAN"})


def plain_properties(schema: GraphSchema) -> frozenset[str]:
    """Names of the properties whose values come back from JSON as they were, for every owner that has them."""
    types: dict[str, set[str]] = {}
    for properties in (
        *(each.properties for each in schema.labels),
        *(each.properties for each in schema.types),
    ):
        for each in properties:
            types.setdefault(each.name, set()).add(each.type)
    return frozenset(name for name, found in types.items() if found <= _PLAIN_TYPES)


def behind(
    cypher: str,
    parameters: dict[str, Scalar],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    plain: frozenset[str],
) -> tuple[str, dict[str, Any]] | None:
    """Rewrite a query so that it returns the nodes and relationships behind its rows.

    Args:
        cypher: a query that ran.
        parameters: of that query.
        columns: of its result.
        rows: of its result; matches are narrowed to those that are in the first plain property column.
        plain: see `plain_properties`.

    Returns:
        The query and its parameters; none when the query is of another shape.
    """
    shape = None if _OPAQUE.search(cypher) else _SHAPE.fullmatch(cypher)
    if shape is None or not _VARIABLE.search(shape["pattern"]) or SHOWN in parameters:
        return None
    where = shape["where"] or ""
    text_free = re.sub(r"\b(?:STARTS|ENDS)\s+WITH\b", "", f"{shape['pattern']} {where} {shape['returned']}")
    if _OTHER_CLAUSES.search(text_free):
        return None
    narrowed: dict[str, Any] = dict(parameters)
    conditions = [f"({where})"] if where else []
    accesses = [_PROPERTY.fullmatch(name) for name in columns]
    column = next(
        (index for index, access in enumerate(accesses) if access and access["name"] in plain), None
    )
    if column is not None:
        conditions.append(f"{columns[column]} IN ${SHOWN}")
        narrowed[SHOWN] = [row[column] for row in rows[:MAX_ROWS] if row[column] is not None]
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"MATCH {shape['pattern']}{condition} RETURN * LIMIT {MAX_ROWS + 1}", narrowed
