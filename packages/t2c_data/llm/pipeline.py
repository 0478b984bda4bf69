"""The LLM pipeline: categories, pairs of each category, all five validators, de-duplication, splits, files.

Reads: a graph (READ transactions only), its snapshot, a lexicon, replies of a language model.
Writes: `llm_cache/` (every reply), `categories.json`, `candidates.sqlite`, `pairs.jsonl`, and `manifest.json` last.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import write_text
from t2c_data.dataset.collector import CandidateCollector
from t2c_data.errors import BudgetError, BuildError
from t2c_data.generation.pipeline import MAX_ROWS, ChunkGenerator, TemplatePipelineConfig, read_context
from t2c_data.llm.categories import Category, find_categories
from t2c_data.llm.client import LLMClient, cache_dir
from t2c_data.llm.generate import write_pairs
from t2c_data.llm.judge import Judge
from t2c_data.pairs import Pair
from t2c_data.validators.stage import PairValidator, ValidationContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from t2c_core.graph.client import GraphClient
    from t2c_core.graph.credentials import GraphConnection
    from t2c_data.graph.context import GraphContext
    from t2c_data.lexicon.model import Lexicon
    from t2c_data.llm.endpoint import Endpoint

MAX_ROUNDS_WITHOUT_PROGRESS = 3
"""Number of rounds without a new pair after which a build ends with what there is."""


@dataclass(frozen=True, kw_only=True)
class LLMPipelineConfig:
    """What a language model is to write."""

    pairs: int = 750
    seed: int = 0
    categories: int = 12
    rounds: int = 5
    """Number of times it is asked for categories before they are merged."""
    llm_judge: bool = True
    """Whether it also judges each pair that passes all other checks."""
    workers: int = 6
    """Maximum number of queries in flight."""


async def build_llm_pairs(
    out: Path,
    *,
    graph: GraphConnection,
    snapshot: Path,
    lexicon: Lexicon,
    endpoint: Endpoint,
    config: LLMPipelineConfig,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Build pairs that a language model writes; a stopped build is resumed.

    Returns:
        The manifest, with `usage` and, if the token budget ended the build, `stopped`.

    Raises:
        ModelError: the model is unavailable; its replies so far are kept.
        BuildError: there is no pair.
    """
    context = ValidationContext.load(snapshot, lexicon)
    async with graph.open(concurrency=config.workers) as client, LLMClient(endpoint, cache_dir(out)) as model:
        world = await read_context(client, context.schema, lexicon)
        judge = Judge(model, context.schema) if config.llm_judge else None
        validator = PairValidator(context, client, judge=judge, workers=config.workers)
        examples = await _examples(world, client, config)
        stopped = ""
        with CandidateCollector(
            out, target=config.pairs, max_barren=MAX_ROUNDS_WITHOUT_PROGRESS, progress=progress
        ) as collector:
            try:
                categories = await _categories(out / "categories.json", model, world, config)
                while collector.remaining:
                    counts = collector.store.counts_by_category()
                    quota = -(-config.pairs // len(categories))
                    short = [each for each in categories if counts.get(each.name, 0) < quota]
                    number = collector.chunks
                    written = await asyncio.gather(
                        *(
                            write_pairs(model, world, each, number, seed=config.seed, examples=examples)
                            for each in short
                        )
                    )
                    collector.add(await _validated([row for rows in written for row in rows], validator))
            except BudgetError as error:
                stopped = str(error)
                if not collector.store.kept:
                    raise BuildError(stopped) from error
            manifest = collector.deliver(
                schema=context.schema.version,
                seed=config.seed,
                config=asdict(config),
                categories_in_turn=True,
            )
        return {**manifest, "usage": model.usage.to_row(), **({"stopped": stopped} if stopped else {})}


async def _examples(world: GraphContext, client: GraphClient, config: LLMPipelineConfig) -> list[Pair]:
    """Return pairs from templates, which show the model the format."""
    options = TemplatePipelineConfig(pairs=1, seed=config.seed, workers=config.workers, wordings=1)
    rows = await ChunkGenerator(world, client, options).generate_chunk(0)
    return [Pair(**row, id="") for row in rows if "drop" not in row and row["cypher"]]


async def _categories(
    file: Path, model: LLMClient, world: GraphContext, config: LLMPipelineConfig
) -> tuple[Category, ...]:
    """Return the categories that an earlier call found, or ask for them."""
    found = _read_categories(file)
    if not found:
        found = await find_categories(
            model, world, count=config.categories, rounds=config.rounds, seed=config.seed
        )
        write_text(file, json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=1) + "\n")
    return found


def _read_categories(file: Path) -> tuple[Category, ...]:
    if not file.is_file():
        return ()
    return tuple(Category(**each) for each in json.loads(file.read_text(encoding="utf-8")))


async def _validated(rows: Sequence[dict[str, Any]], validator: PairValidator) -> list[dict[str, Any]]:
    """Return rows with the number of result rows, or with the reason why they are dropped."""
    results = await validator.validate_pairs(
        [(row["question"], row["cypher"], row["parameters"]) for row in rows]
    )
    found: list[dict[str, Any]] = []
    for row, (result, evidence) in zip(rows, results, strict=True):
        if result.findings:
            first = result.findings[0]
            found.append({**row, "drop": first.code, "detail": first.detail})
        else:
            found.append({**row, "result_rows": min(len(evidence.rows), MAX_ROWS)})
    return found
