"""Categories of questions: a model is asked again and again, then asked to merge what it named.

Reads: schema and sample of a graph. Writes nothing but the client's cache.

Source: SyntheT2C (arXiv 2406.10710), section 3.1.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_data.errors import ModelError
from t2c_data.generation.rng import generator
from t2c_data.llm.messages import messages, sample_text, schema_text, several

if TYPE_CHECKING:
    from t2c_data.graph.context import GraphContext
    from t2c_data.llm.client import LLMClient

MAX_NAMED = 200
"""Categories kept before they are merged."""


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of question."""

    name: str
    description: str


async def find_categories(
    client: LLMClient, world: GraphContext, *, count: int = 12, rounds: int = 5, seed: int = 0
) -> tuple[Category, ...]:
    """Name categories of questions about a graph.

    Args:
        client: the model.
        world: the graph.
        count: how many; the paper has 12.
        rounds: how often the model is asked before its answers are merged.
        seed: chooses the nodes that it is shown.

    Raises:
        ModelError: it names none.
    """
    replies = await asyncio.gather(
        *(
            _named(client, world, count, number, generator(seed, "categories", number))
            for number in range(rounds)
        )
    )
    named = {each.name.casefold(): each for reply in replies for each in reply}
    if not named:
        raise ModelError(
            f"the model at {client.endpoint.url} named no category in {rounds} rounds; is it able to write JSON?"
        )
    if len(named) <= count:
        return tuple(named.values())
    listed = "\n".join(f"- {each.name}: {each.description}" for each in list(named.values())[:MAX_NAMED])
    asked = messages("merge", categories=listed, count=count)
    merged = _categories(await client.ask(asked, several("categories", count, at_least=count)))
    return (merged or tuple(named.values()))[:count]


async def _named(
    client: LLMClient, world: GraphContext, count: int, number: int, rng: Any
) -> tuple[Category, ...]:
    asked = messages(
        "categories", schema=schema_text(world), sample=sample_text(world, rng), count=count, known="none yet"
    )
    return _categories(await client.ask(asked, several("categories", count), sample=number))


def _categories(reply: dict[str, Any] | None) -> tuple[Category, ...]:
    if reply is None:
        return ()
    found = {
        each["name"].strip(): Category(each["name"].strip()[:80], each["description"].strip()[:400])
        for each in reply["categories"]
    }
    return tuple(each for name, each in found.items() if name)
