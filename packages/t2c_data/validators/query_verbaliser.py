"""A query in words, to be compared with a question by a sentence encoder; not for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import Variable
from t2c_core.cypher.traversal import walk
from t2c_data.lexicon.identifiers import split_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.consistency.query_analysis import QueryAnalysis, ResultColumn, ValueComparison

_SIGNS = {
    "=": "is", "<>": "is not", "<": "less than", ">": "greater than", "<=": "at most", ">=": "at least", "IN": "is",
    "CONTAINS": "contains", "STARTS WITH": "starts with", "ENDS WITH": "ends with",
}  # fmt: skip
_AGGREGATES = (
    ("count", "number of"), ("avg", "average"), ("sum", "total"), ("min", "lowest"), ("max", "highest"),
    ("collect", "list of"),
)  # fmt: skip


def verbalise_query(query: QueryAnalysis, owners: Mapping[str, frozenset[str]]) -> str:
    """Return a query in words: what it returns, its relationships, and its comparisons."""
    returned = ", ".join(_item(item, owners) for item in query.items)
    joined = "; ".join(
        f"{_owner(edge.source, owners)} {split_identifier(' '.join(edge.types)).lower()} {_owner(edge.target, owners)}"
        for edge in query.edges
    )
    compared = ", ".join(_comparison(each, owners) for each in query.comparisons if each.accesses)
    order = " in order" if query.order else ""
    first = f" first {query.limit}" if query.limit is not None else ""
    parts = (returned + order + first, joined, f"where {compared}" if compared else "")
    return ". ".join(part for part in parts if part)


def _owner(variable: str, owners: Mapping[str, frozenset[str]]) -> str:
    return split_identifier(min(owners.get(variable, ()), default=""))


def _item(item: ResultColumn, owners: Mapping[str, frozenset[str]]) -> str:
    aggregates = " ".join(word for name, word in _AGGREGATES if name in item.functions)
    held = " ".join(
        f"{_owner(each.variable, owners)} {split_identifier(each.property)}" for each in item.accesses
    )
    if not held:
        variables = [node.name for node in walk(item.expression) if isinstance(node, Variable)]
        held = next(filter(None, (_owner(name, owners) for name in variables)), split_identifier(item.name))
    return f"{aggregates} {held}".strip()


def _comparison(each: ValueComparison, owners: Mapping[str, frozenset[str]]) -> str:
    access = each.accesses[0]
    name = f"{_owner(access.variable, owners)} {split_identifier(access.property)}"
    return f"{name} {_SIGNS.get(each.operator, '')} {each.value}"
