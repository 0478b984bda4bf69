"""JSON Lines front end of the guard, for `t2c-graph check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.guard.guard import Guard


def check_jsonl(guard: Guard, lines: Iterable[bytes]) -> Iterator[str]:
    """Check one query per line and yield one JSON object per query.

    Args:
        guard: Guard to check with.
        lines: JSON objects `{"id": …, "cypher": …, "params": {…}}`, `params` optional. Blank lines are skipped.

    Raises:
        InputError: A line is not such an object; the lines before it have been checked.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _check_line(guard, number, line)


def _check_line(guard: Guard, number: int, line: bytes) -> str:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {number}: invalid JSON: {error}") from error
    query = row.get("cypher") if isinstance(row, dict) else None
    parameters = row.get("params") if isinstance(row, dict) else None
    if not isinstance(query, str) or not isinstance(parameters or {}, dict):
        raise InputError(
            f'line {number}: invalid query: expected {{"id": …, "cypher": "…", "params": {{…}}}}, `params` optional'
        )
    verdict = guard.check(query, parameters)
    is_repaired = verdict.allowed and verdict.cypher != query
    content = {
        "id": row.get("id"),
        "verdict": verdict.verdict,
        "codes": list(verdict.codes),
        "repaired": verdict.cypher if is_repaired else None,
        "position": verdict.position,
        "message": verdict.message,
        "repairs": [  # `told` is the deprecated name of `message`
            {"code": each.code, "message": each.message, "told": each.message, "position": each.position}
            for each in verdict.repairs
        ],
    }
    return json.dumps(content, ensure_ascii=True)
