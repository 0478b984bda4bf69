"""Pairs that a language model writes for a category, from a few examples and a few nodes of the graph.

The pairs are not validated here.

Source: SyntheT2C (arXiv 2406.10710), section 3.1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_data.generation.rng import generator
from t2c_data.llm.messages import list_reply, messages, sample_text, schema_text
from t2c_data.llm.parameterize import parameterize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.graph.context import GraphContext
    from t2c_data.llm.categories import Category
    from t2c_data.llm.client import LLMClient
    from t2c_data.pairs import Pair

PAIRS_PER_CALL = 10
SHOTS = 3
"""Number of example pairs in the prompt."""
MAX_QUESTION, MAX_CYPHER = 600, 4_000
"""Maximum number of characters; longer ones are left out."""


async def write_pairs(
    client: LLMClient,
    graph: GraphContext,
    category: Category,
    number: int,
    *,
    seed: int,
    examples: Sequence[Pair] = (),
) -> list[dict[str, Any]]:
    """Return pairs of one category that the model writes, as rows without an answer.

    Args:
        client: the model.
        graph: the graph.
        category: the category.
        number: number of the call for this category.
        seed: seed of the choice of what the model is shown.
        examples: pairs from which the examples are chosen.
    """
    rng = generator(seed, "pairs", category.name, number)
    shown = rng.sample(list(examples), min(SHOTS, len(examples)))
    prompt = messages(
        "pairs",
        schema=schema_text(graph),
        sample=sample_text(graph, rng),
        examples="\n".join(map(_example, shown)) or "none",
        category=category.name,
        description=category.description,
        count=PAIRS_PER_CALL,
    )
    reply = await client.ask(prompt, list_reply("pairs", PAIRS_PER_CALL), sample=number)
    rows = []
    for each in (reply or {"pairs": []})["pairs"]:
        question, cypher = " ".join(each["question"].split()), each["cypher"].strip().rstrip(";").strip()
        if 0 < len(question) <= MAX_QUESTION and 0 < len(cypher) <= MAX_CYPHER:
            cypher, parameters = parameterize(question, cypher)
            rows.append(
                {
                    "question": question, "cypher": cypher, "parameters": parameters, "category": category.name,
                    "template": "llm", "difficulty": difficulty(cypher),
                }
            )  # fmt: skip
    return rows


def difficulty(cypher: str) -> int:
    """Return the difficulty of a query, 1 to 5, by the number of its joins and computations."""
    text = cypher.upper()
    hops = text.count("]-")
    steps = sum(
        word in text
        for word in ("WITH ", "COUNT {", "EXISTS {", "OPTIONAL ", "UNION", "CASE ", "COLLECT(", "UNWIND ")
    )
    return max(1, min(5, 1 + hops // 2 + steps + ("ORDER BY" in text)))


def _example(pair: Pair) -> str:
    cypher = pair.cypher
    for name, value in sorted(pair.parameters.items(), reverse=True):
        written = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value).lower()
        cypher = cypher.replace(f"${name}", written)
    return json.dumps({"question": pair.question, "cypher": cypher}, ensure_ascii=False)
