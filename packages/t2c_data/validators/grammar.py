"""Whether a query is one that parser, guard and server accept, that only reads, and that ends in time.

Their answers are the evidence (see `evidence`); this judges them and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.validators.findings import Finding

if TYPE_CHECKING:
    from t2c_core.guard.verdict import GuardVerdict
    from t2c_data.validators.execution import ExecutionEvidence

_WRITING = frozenset({"parse.write", "parse.load", "parse.command"})


def check_grammar(verdict: GuardVerdict, evidence: ExecutionEvidence) -> list[Finding]:
    """Judge a query by the guard's verdict, then by what the server said of it.

    Returns:
        `grammar.syntax`: it is no Cypher that only reads. `grammar.writes`: it writes, loads or commands.
        `grammar.limits`: too long, too deep, too costly or otherwise not fit to be sent. `grammar.runtime`: it fails
        when run. `grammar.timeout`: it does not end in time.
    """
    if not verdict.allowed:
        code = verdict.codes[0]
        layer = code.partition(".")[0]
        if layer in {"schema", "policy"}:
            return []
        kind = "writes" if code in _WRITING else "syntax" if layer == "parse" else "limits"
        return [Finding(f"grammar.{kind}", verdict.message)]
    if evidence.query_type and evidence.query_type != "r":
        return [Finding("grammar.writes", f"the server plans it as {evidence.query_type!r}, not as reading")]
    if not evidence.error:
        return []
    kind = "runtime" if evidence.planned else "syntax"
    if evidence.code == "timeout":
        kind = "timeout"
    elif evidence.code.endswith("AccessMode"):
        kind = "writes"
    return [Finding(f"grammar.{kind}", evidence.error.splitlines()[0])]
