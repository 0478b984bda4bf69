"""The guard over lines of JSON, as `t2c-graph check` reads and prints them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from t2c_core.guard.guard import Guard


def check_jsonl(guard: Guard, lines: Iterable[bytes]) -> Iterator[str]:
    """Judge one query a line.

    Args:
        guard: what to judge with.
        lines: `{"id": …, "cypher": …, "params": {…}}`, the last one optional; blank lines are passed over.

    Raises:
        InputError: a line is something else; those before it have been judged.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _judged(guard, number, line)


def _judged(guard: Guard, number: int, line: bytes) -> str:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"line {number} is not JSON: {error}") from error
    parameters = row.get("params") if isinstance(row, dict) else None
    if (
        not isinstance(row, dict)
        or not isinstance(row.get("cypher"), str)
        or not isinstance(parameters or {}, dict)
    ):
        raise InputError(f'line {number}: want {{"id": …, "cypher": "…", "params": {{…}} or none}}')
    verdict = guard.check(row["cypher"], parameters)
    mended = verdict.allowed and verdict.cypher != row["cypher"]
    content = {
        "id": row.get("id"),
        "verdict": verdict.verdict,
        "codes": list(verdict.codes),
        "repaired": verdict.cypher if mended else None,
        "position": verdict.position,
        "message": verdict.message,
        "repairs": [
            {"code": each.code, "told": each.told, "position": each.position} for each in verdict.repairs
        ],
    }
    return json.dumps(content, ensure_ascii=True)
