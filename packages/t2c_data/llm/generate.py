"""Pairs that a model writes for each category, from a few examples and a few nodes of the graph.

Reads: schema and sample. Writes nothing but the client's cache; what it gives is not yet validated.

Source: SyntheT2C (arXiv 2406.10710), section 3.1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from t2c_data.generation.rng import generator
from t2c_data.llm.messages import messages, sample_text, schema_text, several
from t2c_data.llm.parameterize import parameterize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.graph.context import GraphContext
    from t2c_data.llm.categories import Category
    from t2c_data.llm.client import LLMClient
    from t2c_data.pairs import Pair

PAIRS_PER_CALL = 10
"""Pairs asked for in one call."""
SHOTS = 3
MAX_QUESTION, MAX_CYPHER = 600, 4_000
"""Characters; longer ones are left out."""


async def write_pairs(
    client: LLMClient,
    world: GraphContext,
    category: Category,
    number: int,
    *,
    seed: int,
    examples: Sequence[Pair] = (),
) -> list[dict[str, Any]]:
    """Have a model write some pairs of one category.

    Args:
        client: the model.
        world: the graph.
        category: what to ask.
        number: which call for this category it is.
        seed: chooses what the model is shown.
        examples: pairs to choose examples from.

    Returns:
        Rows as the template pipeline makes them, without an answer.
    """
    rng = generator(seed, "pairs", category.name, number)
    shown = rng.sample(list(examples), min(SHOTS, len(examples)))
    asked = messages(
        "pairs",
        schema=schema_text(world),
        sample=sample_text(world, rng),
        examples="\n".join(map(_example, shown)) or "none",
        category=category.name,
        description=category.description,
        count=PAIRS_PER_CALL,
    )
    reply = await client.ask(asked, several("pairs", PAIRS_PER_CALL), sample=number)
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
    """Grade a query by its joins and by what it computes: 1 to 5."""
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
