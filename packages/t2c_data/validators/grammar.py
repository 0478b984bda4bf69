"""Whether a query is one that the server accepts, that only reads, and that ends in time.

The server's own answers are the evidence (see `evidence`); this judges them and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_data.validators.evidence import refusal
from t2c_data.validators.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import Scalar
    from t2c_data.validators.evidence import Evidence


def check_grammar(cypher: str, parameters: Mapping[str, Scalar], evidence: Evidence) -> list[Finding]:
    """Judge a query by our parser and limits, then by what the server said of it.

    Returns:
        `grammar.syntax`: it is no Cypher that only reads. `grammar.writes`: it writes, loads or commands.
        `grammar.limits`: too long, too deep or otherwise not fit to be sent. `grammar.runtime`: it fails when run.
        `grammar.timeout`: it does not end in time.
    """
    refused = refusal(cypher, parameters)
    if refused is not None:
        code, detail = refused
        writes = code in {"parse.write", "parse.load", "parse.command"}
        layer = "writes" if writes else "syntax" if code.startswith("parse.") else "limits"
        return [Finding(f"grammar.{layer}", detail)]
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
