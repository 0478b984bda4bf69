"""A language model as judge of a pair: back-translation of the query, and a check of the result.

Source: the semantic and coherence validators of SyntheT2C (arXiv 2406.10710), section 3.3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_core.consistency.findings import Finding
from t2c_core.prompt.chat import describe
from t2c_data.llm.messages import MAX_SCHEMA_CHARS, QUESTION, VERDICT, messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import GraphSchema
    from t2c_data.llm.client import LLMClient
    from t2c_data.validators.execution import ExecutionEvidence

ROWS = 5
"""Number of rows of the result that the model is shown."""
MAX_ROW = 300
"""Maximum number of characters per row."""
_UNREADABLE = Finding("semantic.unjudged", "no reply of the model could be read")


class Judge:
    """Judges pairs with a language model.

    Args:
        client: the model.
        schema: the graph's schema.
    """

    def __init__(self, client: LLMClient, schema: GraphSchema) -> None:
        self._client = client
        self._schema = describe(schema)[:MAX_SCHEMA_CHARS]

    async def judge(
        self, question: str, cypher: str, parameters: Mapping[str, Any], evidence: ExecutionEvidence
    ) -> list[Finding]:
        """Return what the model finds wrong with a pair.

        Returns:
            `semantic.judge`: the query answers another question. `coherence.judge`: the result does not answer the
            question. `semantic.unjudged`: no reply of the model could be read.
        """
        translated = await self._client.ask(
            messages("back_translate", schema=self._schema, cypher=_with_values(cypher, parameters)), QUESTION
        )
        if translated is None:
            return [_UNREADABLE]
        verdict = await self._client.ask(
            messages("equivalence", first=question, second=translated["question"]), VERDICT
        )
        found = []
        if verdict is None:
            found.append(_UNREADABLE)
        elif not verdict["fits"]:
            found.append(
                Finding("semantic.judge", f"it answers {translated['question']!r}: {verdict['reason']}")
            )
        if evidence.ran:
            rows = "\n".join(json.dumps(row, ensure_ascii=False)[:MAX_ROW] for row in evidence.rows[:ROWS])
            prompt = messages(
                "result_check", question=question, columns=", ".join(evidence.columns), rows=rows or "no rows"
            )
            verdict = await self._client.ask(prompt, VERDICT)
            if verdict is not None and not verdict["fits"]:
                found.append(Finding("coherence.judge", verdict["reason"]))
        return found


def _with_values(cypher: str, parameters: Mapping[str, Any]) -> str:
    values = ", ".join(
        f"${name} = {json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()
    )
    return f"{cypher}\nwhere {values}" if values else cypher
