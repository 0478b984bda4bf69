"""Categories of questions: a language model names some in several rounds, then merges what it named.

Source: SyntheT2C (arXiv 2406.10710), section 3.1.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_data.errors import ModelError
from t2c_data.generation.rng import generator
from t2c_data.llm.messages import list_reply, messages, sample_text, schema_text

if TYPE_CHECKING:
    from t2c_data.graph.context import GraphContext
    from t2c_data.llm.client import LLMClient

MAX_NAMED = 200
"""Maximum number of categories that are merged."""


@dataclass(frozen=True, slots=True)
class Category:
    """A category of questions."""

    name: str
    description: str


async def find_categories(
    client: LLMClient, graph: GraphContext, *, count: int = 12, rounds: int = 5, seed: int = 0
) -> tuple[Category, ...]:
    """Return categories of questions about a graph.

    Args:
        client: the model.
        graph: the graph.
        count: number of categories; 12 in the paper.
        rounds: number of times the model is asked before its answers are merged.
        seed: seed of the choice of nodes that the model is shown.

    Raises:
        ModelError: the model names none.
    """
    replies = await asyncio.gather(
        *(
            _named(client, graph, count, number, generator(seed, "categories", number))
            for number in range(rounds)
        )
    )
    named = {each.name.casefold(): each for reply in replies for each in reply}
    if not named:
        raise ModelError(
            f"the model at {client.endpoint.url} named no category in {rounds} rounds; check that it can write JSON"
        )
    if len(named) <= count:
        return tuple(named.values())
    listed = "\n".join(f"- {each.name}: {each.description}" for each in list(named.values())[:MAX_NAMED])
    prompt = messages("merge_categories", categories=listed, count=count)
    merged = _parse(await client.ask(prompt, list_reply("categories", count, min_items=count)))
    return (merged or tuple(named.values()))[:count]


async def _named(
    client: LLMClient, graph: GraphContext, count: int, number: int, rng: Any
) -> tuple[Category, ...]:
    prompt = messages(
        "categories", schema=schema_text(graph), sample=sample_text(graph, rng), count=count, known="none yet"
    )
    return _parse(await client.ask(prompt, list_reply("categories", count), sample=number))


def _parse(reply: dict[str, Any] | None) -> tuple[Category, ...]:
    found = {
        each["name"].strip(): Category(each["name"].strip()[:80], each["description"].strip()[:400])
        for each in (reply or {"categories": []})["categories"]
    }
    return tuple(each for name, each in found.items() if name)
