"""Question-query pairs from feedback: what was found right, and what was corrected.

The last feedback about a question counts. A pair is left out if its query cannot become a training row: parameters
without a value, or other variables than those of the graph's small model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.ast_nodes import Parameter
from t2c_core.cypher.parser import parse
from t2c_core.cypher.render import render
from t2c_core.cypher.traversal import parameter_names, transform
from t2c_core.errors import CypherSyntaxError
from t2c_core.prompt.compact_cypher import ACCESS, NODE, TRIPLE, CompactSyntaxError, tokenize
from t2c_core.prompt.variable_names import VariableNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from t2c_core.cypher.ast_nodes import Node
    from t2c_core.schema.model import GraphSchema
    from t2c_service.feedback.store import FeedbackRecord


def feedback_pairs(
    records: Iterable[FeedbackRecord], schema: GraphSchema
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the pairs of feedback about one graph, and the number of records that give none by reason.

    Args:
        records: feedback, oldest first.
        schema: schema of the graph.
    """
    latest: dict[str, FeedbackRecord] = {}
    left_out: Counter[str] = Counter()
    for record in records:
        key = " ".join(record.question.casefold().split())
        left_out["superseded"] += key in latest
        latest[key] = record
    names = VariableNames(schema)
    pairs = []
    for record in latest.values():
        accepted = _accepted(record)
        if accepted is None:
            left_out["without a right query"] += 1
            continue
        pair = _pair(record, *accepted, names)
        if pair is None:
            left_out["not a query of the training form"] += 1
            continue
        pairs.append(pair)
    return pairs, {reason: count for reason, count in sorted(left_out.items()) if count}


def _accepted(record: FeedbackRecord) -> tuple[str, Mapping[str, Any]] | None:
    """Return the query that a record says is right, with its parameters."""
    if record.corrected_cypher is not None:
        return record.corrected_cypher, record.corrected_parameters
    if record.verdict == "right" and record.cypher is not None:
        return record.cypher, record.parameters
    return None


def _pair(
    record: FeedbackRecord, cypher: str, parameters: Mapping[str, Any], names: VariableNames
) -> dict[str, Any] | None:
    """Return a pair with parameters `$v1`, `$v2`, … in the order of the query; None if it has no training form."""
    try:
        tree = parse(cypher)
    except CypherSyntaxError:
        return None
    order = parameter_names(tree)
    if not all(isinstance(parameters.get(name), str | int | float | bool) for name in order):
        return None
    renamed = {name: f"v{number}" for number, name in enumerate(order, 1)}

    def rename(node: Node) -> Node:
        return Parameter(renamed[node.name], position=node.position) if isinstance(node, Parameter) else node

    if any(name != new for name, new in renamed.items()):
        cypher = render(transform(tree, rename))
    if not _has_training_form(cypher, names):
        return None
    return {
        "id": hashlib.sha256(f"{record.question}\n{cypher}".encode()).hexdigest()[:16],
        "question": record.question,
        "cypher": cypher,
        "parameters": {renamed[name]: parameters[name] for name in order},
        "category": "feedback",
        "template": "feedback",
        "difficulty": 1,
        "split": "train",
        "graph": record.schema_version,
        "result_rows": 1,
    }


def _has_training_form(cypher: str, names: VariableNames) -> bool:
    """Return whether a query consists of atoms, with the variables that the small model writes."""
    try:
        atoms = tokenize(cypher)
    except CompactSyntaxError:
        return False
    known = names.by_variable
    for atom in atoms:
        triple, node, access = TRIPLE.fullmatch(atom), NODE.fullmatch(atom), ACCESS.fullmatch(atom)
        variables = []
        if triple:
            variables = [triple["source"], triple["target"]]
        elif node or access:
            variables = [(node or access)["variable"]]  # type: ignore[index]
        if any(each not in known for each in variables):
            return False
    return True
