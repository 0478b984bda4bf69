"""Pairs of questions and golds.

Reads: JSONL rows {question, cypher?, parameters?, rows?, category?, id?}; a row without gold, or with
`"answerable": false`, is a question that the graph cannot answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_service.errors import PairsError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class EvaluationPair:
    """A question with its gold query, expected rows, or both."""

    id: str
    question: str
    cypher: str | None
    parameters: dict[str, Any]
    rows: list[list[Any]] | None
    """Expected rows, if the file has them."""
    category: str
    answerable: bool


def read_pairs(file: Path) -> list[EvaluationPair]:
    """Read the pairs of a file.

    Raises:
        PairsError: the file cannot be read or is empty, or a row is invalid.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PairsError(f"cannot read the pairs {file}: {error}") from error
    pairs = [_pair(line, f"{file}:{number}", number) for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise PairsError(f"{file} has no pairs")
    return pairs


def _pair(line: str, where: str, number: int) -> EvaluationPair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise PairsError(f"{where}: invalid JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("question"), str) or not row["question"].strip():
        raise PairsError(f"{where}: `question` is missing")
    cypher, parameters, rows = row.get("cypher"), row.get("parameters") or {}, row.get("rows")
    if cypher is not None and not isinstance(cypher, str):
        raise PairsError(f"{where}: invalid `cypher`; expected text")
    if not isinstance(parameters, dict):
        raise PairsError(f"{where}: invalid `parameters`; expected an object")
    if rows is not None and not (isinstance(rows, list) and all(isinstance(each, list) for each in rows)):
        raise PairsError(f"{where}: invalid `rows`; expected a list of lists")
    return EvaluationPair(
        id=str(row.get("id", number)),
        question=row["question"].strip(),
        cypher=cypher or None,
        parameters=parameters,
        rows=rows,
        category=str(row.get("category") or "all"),
        answerable=row.get("answerable") is not False and (bool(cypher) or rows is not None),
    )
