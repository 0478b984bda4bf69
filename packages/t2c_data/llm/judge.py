"""A model's opinion of a pair: the query said back as a question, and the result held against the question.

Reads: a pair and its rows. Writes nothing but the client's cache.

Source: the semantic and coherence validators of SyntheT2C (arXiv 2406.10710), section 3.3.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from t2c_core.prompt.chat import describe
from t2c_data.llm.messages import MAX_SCHEMA_CHARS, QUESTION, VERDICT, messages
from t2c_data.validators.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.schema.model import GraphSchema, Scalar
    from t2c_data.llm.client import LLMClient
    from t2c_data.validators.execution import ExecutionEvidence

ROWS = 5
MAX_ROW = 300


class Judge:
    """Asks a model about pairs.

    Args:
        client: the model.
        schema: the graph's schema.
    """

    def __init__(self, client: LLMClient, schema: GraphSchema) -> None:
        self._client = client
        self._schema = describe(schema)[:MAX_SCHEMA_CHARS]

    async def judge(
        self, question: str, cypher: str, parameters: Mapping[str, Scalar], evidence: ExecutionEvidence
    ) -> list[Finding]:
        """Ask for both opinions.

        Returns:
            `semantic.judge`: the query answers another question. `coherence.judge`: the result is no answer to it.
            `semantic.unjudged`: the model's replies could not be read.
        """
        said = await self._client.ask(
            messages("back", schema=self._schema, cypher=_with_values(cypher, parameters)), QUESTION
        )
        if said is None:
            return [Finding("semantic.unjudged", "the model gave no reply that can be read")]
        verdict = await self._client.ask(messages("same", first=question, second=said["question"]), VERDICT)
        found = []
        if verdict is None:
            found.append(Finding("semantic.unjudged", "the model gave no reply that can be read"))
        elif not verdict["fits"]:
            found.append(Finding("semantic.judge", f"it answers {said['question']!r}: {verdict['reason']}"))
        if evidence.ran:
            rows = "\n".join(json.dumps(row, ensure_ascii=False)[:MAX_ROW] for row in evidence.rows[:ROWS])
            shown = messages(
                "coherent", question=question, columns=", ".join(evidence.columns), rows=rows or "no rows"
            )
            fits = await self._client.ask(shown, VERDICT)
            if fits is not None and not fits["fits"]:
                found.append(Finding("coherence.judge", fits["reason"]))
        return found


def _with_values(cypher: str, parameters: Mapping[str, Scalar]) -> str:
    values = ", ".join(
        f"${name} = {json.dumps(value, ensure_ascii=False)}" for name, value in parameters.items()
    )
    return f"{cypher}\nwhere {values}" if values else cypher
