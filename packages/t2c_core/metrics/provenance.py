"""Which nodes a query's patterns matched: its provenance, for PSJS.

Runs nothing: it writes the query that finds them.
"""

from __future__ import annotations

import re

from t2c_core.metrics.clauses import ClauseText, split_clauses, split_items

_NAMED_PATH = re.compile(r"^(`(?:[^`]|``)+`|\w+)\s*=")
_RENAMES = re.compile(r"\sAS\s|\*|\(|\bDISTINCT\b", re.IGNORECASE)
_PATH = "provenance_"


def provenance_query(cypher: str) -> str | None:
    """Write a query for the `id`s of all nodes that the leading patterns of a query match.

    The MATCH clauses up to the first one that computes something count, of each branch of a union.

    Args:
        cypher: one reading query.

    Returns:
        The query; None if no branch begins with a pattern.

    Source:
        CypherBench (arXiv 2412.18702), which names nodes one by one and so leaves those of variable-length
        patterns out; here each pattern is a path.
    """
    branches: list[list[ClauseText]] = [[]]
    for clause in split_clauses(cypher):
        if clause.keyword == "UNION":
            branches.append([])
        else:
            branches[-1].append(clause)
    written = [query for query in map(_branch, branches) if query]
    return " UNION ".join(written) or None


def _branch(found: list[ClauseText]) -> str | None:
    paths: list[str] = []
    written: list[str] = []
    for clause in found:
        if clause.keyword in {"MATCH", "OPTIONAL MATCH"}:
            named = [
                _name(pattern, len(paths) + number) for number, pattern in enumerate(split_items(clause.body))
            ]
            paths += [name for name, _ in named]
            written.append(f"{clause.keyword} {', '.join(pattern for _, pattern in named)}")
        elif clause.keyword == "WITH" and paths and not _RENAMES.search(clause.body):
            written.append("WITH *")
        elif clause.keyword == "WHERE" and paths:
            written.append(f"WHERE {clause.body}")
        else:
            break
    if not paths:
        return None
    nodes = " + ".join(f"coalesce(nodes({path}), [])" for path in paths)
    return f"{' '.join(written)} UNWIND {nodes} AS node RETURN DISTINCT elementId(node) AS id"


def _name(pattern: str, number: int) -> tuple[str, str]:
    named = _NAMED_PATH.match(pattern)
    if named:
        return named[1], pattern
    path = f"{_PATH}{number}"
    return path, f"{path} = {pattern}"
