"""Whether a query is one that the server accepts, that only reads, and that ends in time.

The server's own answers are the evidence (see `evidence`); this judges them and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_core.errors import RefusedError
from t2c_core.guard.limits import check_limits
from t2c_data.validators.findings import Finding

if TYPE_CHECKING:
    from t2c_data.validators.evidence import Evidence


def check_grammar(cypher: str, evidence: Evidence) -> list[Finding]:
    """Judge what the server said of a query.

    Returns:
        `grammar.limits`: its text is too long or deep to be sent. `grammar.syntax`: the server cannot compile it.
        `grammar.writes`: it does not only read. `grammar.runtime`: it fails when run. `grammar.timeout`: it does
        not end in time.
    """
    try:
        check_limits(cypher)
    except RefusedError as error:
        return [Finding("grammar.limits", str(error))]
    if evidence.query_type and evidence.query_type != "r":
        return [Finding("grammar.writes", f"the server plans it as {evidence.query_type!r}, not as reading")]
    if not evidence.error:
        return []
    detail = evidence.error.splitlines()[0]
    if evidence.code == "timeout":
        return [Finding("grammar.timeout", detail)]
    if evidence.code.endswith("AccessMode"):
        return [Finding("grammar.writes", detail)]
    return [Finding("grammar.runtime" if evidence.planned else "grammar.syntax", detail)]
