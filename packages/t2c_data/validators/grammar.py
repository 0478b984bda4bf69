"""Grammar validator: whether parser, guard and server accept a query, and whether it only reads and ends in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.consistency.findings import Finding

if TYPE_CHECKING:
    from t2c_core.guard.verdict import GuardVerdict
    from t2c_data.validators.execution import ExecutionEvidence

_WRITING = frozenset({"parse.write", "parse.load", "parse.command"})


def check_grammar(verdict: GuardVerdict, evidence: ExecutionEvidence) -> list[Finding]:
    """Check a query by the guard's verdict, then by its execution.

    Returns:
        `grammar.syntax`: it is not in the read-only Cypher subset. `grammar.writes`: it writes, loads data or is a
        command. `grammar.limits`: it exceeds a limit of the guard. `grammar.runtime`: it fails when run.
        `grammar.timeout`: it does not end in time.
    """
    if not verdict.allowed:
        code = verdict.codes[0]
        layer = code.partition(".")[0]
        if layer in {"schema", "policy"}:
            return []
        kind = "writes" if code in _WRITING else "syntax" if layer == "parse" else "limits"
        return [Finding(f"grammar.{kind}", verdict.message)]
    if evidence.query_type and evidence.query_type != "r":
        return [
            Finding(
                "grammar.writes",
                f"the server plans it as type {evidence.query_type!r}, not as read-only",
            )
        ]
    if not evidence.error:
        return []
    kind = "runtime" if evidence.planned else "syntax"
    if evidence.code == "timeout":
        kind = "timeout"
    elif evidence.code.endswith("AccessMode"):
        kind = "writes"
    return [Finding(f"grammar.{kind}", evidence.error.splitlines()[0])]
