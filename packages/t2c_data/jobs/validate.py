"""Validates pairs, measures the validators on labelled pairs, and adds verified paraphrases to pairs."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphling_io.outputs import check_no_overlap, write_text
from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.sentence_encoder import Encoder
from t2c_data.jobs.build import open_lexicon
from t2c_data.llm.client import LLMClient, cache_dir
from t2c_data.llm.judge import Judge
from t2c_data.llm.paraphrase import ParaphraseOptions, paraphrase
from t2c_data.pairs import read_pairs, write_lines
from t2c_data.processes import MIN_PAIRS_FOR_PROCESSES
from t2c_data.validators.evaluation import evaluate_validators, read_labelled_pairs
from t2c_data.validators.stage import PairValidator, ValidationContext, comparison_pool, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2c_data.jobs.config import ParaphraseConfig, ValidateConfig


def run_validation(
    config: ValidateConfig, pairs: Path, out: Path, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Write pairs with their validation results, and return the number of kept and failed ones.

    Raises:
        PairsError: the pairs cannot be read.
        ModelError: the judging model is unavailable.
    """
    check_no_overlap(out, [pairs])
    given = read_pairs(pairs)

    async def run() -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            validator = await _validator(config, stack, out.parent, len(given))
            return await validate(
                given, out, validator=validator, keep_inconclusive=config.keep_inconclusive, progress=progress
            )

    return asyncio.run(run())


def run_evaluation(
    config: ValidateConfig,
    labels: Path,
    out: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure the validators on labelled pairs, and return the report without the lists of pairs.

    Args:
        config: how to validate.
        labels: the labelled pairs.
        out: file of the whole report; not written if None.
        progress: called with the number of validated pairs and of all pairs.

    Raises:
        PairsError: the labelled pairs cannot be read.
        ModelError: the judging model is unavailable.
    """
    if out is not None:
        check_no_overlap(out, [labels])
    labelled = read_labelled_pairs(labels)

    async def run() -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            validator = await _validator(config, stack, out.parent if out else Path.cwd(), len(labelled))
            return await evaluate_validators(labelled, validator, progress=progress)

    report = asyncio.run(run())
    if out is not None:
        write_text(out, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return {key: value for key, value in report.items() if not isinstance(value, list)}


def run_paraphrase(config: ParaphraseConfig, pairs: Path, out: Path) -> dict[str, Any]:
    """Write pairs with their verified paraphrases.

    Returns:
        Number of pairs, of paraphrases added, and of rejected ones by reason.

    Raises:
        PairsError: the pairs cannot be read.
        ModelError: the model is unavailable.
    """
    check_no_overlap(out, [pairs])
    return asyncio.run(_paraphrase(config, pairs, out))


async def _validator(
    config: ValidateConfig, stack: AsyncExitStack, folder: Path, pairs: int
) -> PairValidator:
    schema = GraphSchema.load(config.snapshot)
    context = ValidationContext.load(config.snapshot, open_lexicon(config.lexicon, schema))
    client = None
    if config.run:
        client = await stack.enter_async_context(config.graph.open(concurrency=config.workers))
    pool = None
    if pairs >= MIN_PAIRS_FOR_PROCESSES:
        pool = stack.enter_context(comparison_pool(config.snapshot, config.lexicon))
    judge = None
    if config.llm.url:
        endpoint = replace(config.llm, temperature=0.0)
        model = LLMClient(endpoint, config.llm_cache or cache_dir(folder))
        judge = Judge(await stack.enter_async_context(model), schema)
    encoder = Encoder() if config.encoder else None
    return PairValidator(context, client, encoder=encoder, judge=judge, workers=config.workers, pool=pool)


async def _paraphrase(config: ParaphraseConfig, pairs: Path, out: Path) -> dict[str, Any]:
    schema = GraphSchema.load(config.snapshot)
    context = ValidationContext.load(config.snapshot, open_lexicon(config.lexicon, schema))
    known = read_pairs(pairs)
    async with LLMClient(config.llm, config.llm_cache or cache_dir(out.parent)) as model:
        found, rejected = await paraphrase(
            known,
            model,
            context,
            encoder=Encoder() if config.encoder else None,
            options=ParaphraseOptions(count=config.count),
        )
    write_lines(out, (pair.to_json() for pair in (*known, *found)))
    count = len(found)
    return {
        "pairs": len(known), "paraphrased": count, "reworded": count, "dropped": dict(sorted(rejected.items())),
    }  # fmt: skip
