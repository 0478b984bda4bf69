"""Provenance of a query: the nodes which its patterns match, for PSJS."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from t2c_core.cypher.ast_nodes import Match, ProjectionItem, SingleQuery, Variable, With
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import walk
from t2c_core.errors import CypherSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.cypher.ast_nodes import Clause


def provenance_query(cypher: str) -> str | None:
    """Return a query for the `id`s of all nodes which the leading patterns of a query match.

    Of each branch of a union, the MATCH clauses before the first clause that computes something count.

    Args:
        cypher: One query.

    Returns:
        The query; None if no branch begins with a pattern, or the query is not in the read-only subset.

    Source:
        CypherBench (arXiv 2412.18702), which collects the nodes by variable and so leaves out those of
        variable-length patterns; here each pattern is a path.
    """
    try:
        query = parse(cypher)
    except CypherSyntaxError:
        return None
    used = {node.name for node in walk(query) if isinstance(node, Variable)}
    names = (name for number in count() if (name := f"provenance_{number}") not in used)
    branches = [_branch(part, names) for part in query.parts]
    return " UNION ".join(branch for branch in branches if branch) or None


def _branch(part: SingleQuery, names: Iterator[str]) -> str | None:
    paths: list[Variable] = []
    out_of_scope: set[Variable] = set()
    clauses: list[Clause] = []
    for clause in part.clauses:
        if any(node in out_of_scope for node in walk(clause) if isinstance(node, Variable)):
            break
        if isinstance(clause, Match):
            patterns = []
            for pattern in clause.patterns:
                paths.append(pattern.variable or Variable(next(names)))
                patterns.append(replace(pattern, variable=paths[-1]))
            clauses.append(replace(clause, patterns=tuple(patterns)))
        elif isinstance(clause, With) and paths and _keeps_rows(clause):
            kept = {item.expression: item for item in clause.items}
            if not clause.star:
                out_of_scope.update(path for path in paths if path not in kept)
                kept |= {path: ProjectionItem(path) for path in paths if path not in kept}
            clauses.append(replace(clause, items=tuple(kept.values())))
        else:
            break
    if not paths:
        return None
    nodes = " + ".join(f"coalesce(nodes({render(path)}), [])" for path in paths)
    node = next(names)
    matched = render(SingleQuery(tuple(clauses)))
    return f"{matched} UNWIND {nodes} AS {node} RETURN DISTINCT elementId({node}) AS id"


def _keeps_rows(clause: With) -> bool:
    """Return whether WITH only passes variables on, under their own names."""
    is_plain = all(isinstance(item.expression, Variable) and item.alias is None for item in clause.items)
    return is_plain and not (clause.distinct or clause.order or clause.skip or clause.limit)
