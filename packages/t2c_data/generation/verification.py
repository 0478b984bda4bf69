"""Compares the answers of a share of a build's pairs with an evaluation in plain Python.

The choice of pairs depends on their place in the build alone, so a resumed build compares the same ones.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from t2c_core.errors import GraphTimeoutError, QueryError
from t2c_core.graph.client import QueryLimits
from t2c_data.errors import EvaluationLimitError
from t2c_data.planning.evaluation import TemplateEvaluator, agrees
from t2c_data.planning.evaluation_graph import EvaluationGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_core.graph.client import GraphClient
    from t2c_core.schema.model import Scalar
    from t2c_data.generation.instantiate import InstantiatedTemplate
    from t2c_data.graph.context import GraphContext
    from t2c_data.graph.sample import Read

Verdict = Literal["agreed", "disagreed", "skipped"]

ALWAYS = 50
"""Number of instantiated templates at the start of a build that are all compared."""
MAX_BINDINGS = 200_000
"""Maximum number of ways to match a tree; larger answers are skipped."""
FULL_LIMITS = QueryLimits(timeout_s=60, max_rows=MAX_BINDINGS, max_bytes=100_000_000)
_ORDERED = re.compile(r"RETURN (?:DISTINCT )?(.*) ORDER BY (.*?)(?: DESC)?(?: LIMIT .*)?$")


class AnswerVerifier:
    """Compares answers of the graph with answers in plain Python.

    Args:
        client: client that executes the queries in full.
        evaluator: evaluator of the graph; None if the graph is too large, and all comparisons are skipped.
        ratio: ratio of instantiated templates that are compared after the first ones.
    """

    def __init__(self, client: GraphClient, evaluator: TemplateEvaluator | None, *, ratio: float) -> None:
        self._client = client
        self._evaluator = evaluator
        self._every = round(1 / ratio) if ratio else 0

    @classmethod
    async def of_graph(
        cls, client: GraphClient, context: GraphContext, read: Read, *, ratio: float
    ) -> AnswerVerifier:
        """Read the whole graph, if it is not too large, and create its verifier."""
        graph = await EvaluationGraph.read(read) if ratio else None
        evaluator = TemplateEvaluator.of_context(graph, context, max_bindings=MAX_BINDINGS) if graph else None
        return cls(client, evaluator, ratio=ratio)

    def is_due(self, place: int) -> bool:
        """Return whether the instantiated template at a place of the build is compared."""
        return bool(self._every) and (place < ALWAYS or place % self._every == 0)

    async def verify(
        self, instance: InstantiatedTemplate, cypher: str, parameters: Mapping[str, Scalar]
    ) -> Verdict:
        """Compare the whole answer of a query with that of its tree."""
        if self._evaluator is None:
            return "skipped"
        slots = {
            name: replace(slot, mention=instance.mentions.get(slot.mention.number, slot.mention))
            if slot.mention
            else slot
            for name, slot in instance.slots.items()
        }
        try:
            # In a thread, since queries that wait for this one would otherwise exceed their time limits.
            expected = await asyncio.to_thread(
                self._evaluator.answer, instance.template, instance.root, slots
            )
            result = await self._client.execute_read(cypher, dict(parameters), FULL_LIMITS)
        except (EvaluationLimitError, GraphTimeoutError, QueryError):
            return "skipped"
        if result.truncated:
            return "skipped"
        return "agreed" if agrees(expected, result.rows, order_column(cypher)) else "disagreed"


def order_column(cypher: str) -> int | None:
    """Return the column that a query orders by; None if it orders by none of its columns."""
    match = _ORDERED.search(cypher)
    columns = match[1].split(", ") if match else []
    return columns.index(match[2]) if match and match[2] in columns else None
