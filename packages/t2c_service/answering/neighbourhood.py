"""The part of the graph behind an answer, when its rows are plain values: the same pattern, returned as nodes.

Only queries of one plain shape are taken (`MATCH … [WHERE …] RETURN …`); for all others there is no view. The rewritten
query goes through the same guard as any other.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2c_core.schema.model import GraphSchema, Scalar

MAX_MATCHES = 40
"""Matches drawn at most."""
MAX_VALUES = 10
"""Rows whose matches are drawn, the same number for each."""
SHOWN = "shown"

_SHAPE = re.compile(
    r"\s*MATCH\s(?P<pattern>.+?)(?:\sWHERE\s(?P<where>.+?))?\sRETURN\s(?:DISTINCT\s)?(?P<returned>.+)",
    re.DOTALL | re.IGNORECASE,
)
_OTHER_CLAUSES = re.compile(
    r"\b(?:CALL|CREATE|DELETE|DETACH|FOREACH|LOAD|MATCH|MERGE|OPTIONAL|REMOVE|RETURN|SET|UNION|UNWIND|USE|WITH|YIELD)\b",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"['\"`{}]|//|/\*|\\")
_PROPERTY = re.compile(r"[A-Za-z_]\w*\.(?P<name>[A-Za-z_]\w*)")
_VARIABLE = re.compile(r"[(\[]\s*([A-Za-z_]\w*)")
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


@dataclass(frozen=True)
class Behind:
    """A query for the elements behind some rows."""

    cypher: str
    parameters: dict[str, Any]
    most: int
    """Matches that it looks for, for each row; where there are as many, there may be more."""

    def is_sample(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Tell from its rows whether there may be more matches than it found."""
        return any(count >= self.most for count in Counter(repr(row[0]) for row in rows).values())


def behind(
    cypher: str,
    parameters: Mapping[str, Scalar],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    plain: frozenset[str],
) -> Behind | None:
    """Rewrite a query so that it returns the nodes and relationships behind its rows.

    Args:
        cypher: a query that ran.
        parameters: of that query.
        columns: of its result.
        rows: of its result; the first column that is a plain property says which matches belong to which row.
        plain: see `plain_properties`.

    Returns:
        The query; none when the one given is of another shape, or has no relationship to draw.
    """
    shape = None if _OPAQUE.search(cypher) else _SHAPE.fullmatch(cypher)
    if shape is None or "-" not in shape["pattern"]:
        return None
    variables = ", ".join(dict.fromkeys(_VARIABLE.findall(shape["pattern"])))
    where = shape["where"] or ""
    text_free = re.sub(r"\b(?:STARTS|ENDS)\s+WITH\b", "", f"{shape['pattern']} {where} {shape['returned']}")
    if not variables or _OTHER_CLAUSES.search(text_free) or re.search(rf"\b{SHOWN}\b", cypher):
        return None
    accesses = [_PROPERTY.fullmatch(name) for name in columns]
    column = next(
        (index for index, access in enumerate(accesses) if access and access["name"] in plain), None
    )
    if column is None:
        condition = f" WHERE {where}" if where else ""
        query = f"MATCH {shape['pattern']}{condition} RETURN 1, {variables} LIMIT {MAX_MATCHES}"
        return Behind(query, dict(parameters), MAX_MATCHES)
    values = list(dict.fromkeys(row[column] for row in rows if row[column] is not None))[:MAX_VALUES]
    most = MAX_MATCHES // max(1, len(values))
    condition = f"({where}) AND " if where else ""
    query = (
        f"UNWIND ${SHOWN} AS {SHOWN} CALL ({SHOWN}) {{ MATCH {shape['pattern']} "
        f"WHERE {condition}{columns[column]} = {SHOWN} RETURN {variables} LIMIT {most} }} RETURN {SHOWN}, {variables}"
    )
    return Behind(query, {**parameters, SHOWN: values}, most)
