"""Checks as they are ordered: of pairs, of the validators on pairs that people judged, and of rewordings."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2c_core.graph.client import GraphClient
from t2c_core.schema.model import GraphSchema
from t2c_data.dataset.sentence_encoder import Encoder
from t2c_data.jobs.build import open_lexicon
from t2c_data.llm.client import Endpoint, LLMClient
from t2c_data.llm.judge import Judge
from t2c_data.llm.paraphrase import RewriteConfig, paraphrase
from t2c_data.pairs import read_pairs, write_lines
from t2c_data.validators.evaluation import evaluate_validators, read_judged
from t2c_data.validators.stage import PairValidator, ValidationContext, validate

if TYPE_CHECKING:
    from collections.abc import Callable

REPLIES = "replies"


@dataclass(frozen=True, kw_only=True)
class ValidateConfig:
    """How to validate."""

    uri: str
    snapshot: Path
    lexicon: Path | None = None
    unproven: bool = False
    encoder: bool = False
    llm_url: str = ""
    llm_model: str = ""
    replies: Path | None = None
    """Folder of the model's replies."""
    workers: int = 6
    auth: tuple[str, str] | None = None


def run_validation(
    order: ValidateConfig,
    *,
    pairs: Path | None = None,
    judged: Path | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Validate pairs, or measure the validators on judged pairs; exactly one of both is given.

    Returns:
        Counts of what was kept and why not; or recall and false alarms.
    """
    return asyncio.run(_run(order, pairs, judged, out, progress))


async def _run(
    order: ValidateConfig,
    pairs: Path | None,
    judged: Path | None,
    out: Path | None,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    schema = GraphSchema.load(order.snapshot)
    ground = ValidationContext.load(order.snapshot, open_lexicon(order.lexicon, schema))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            GraphClient(order.uri, auth=order.auth, concurrency=order.workers)
        )
        judge = None
        if order.llm_url:
            folder = order.replies or (out.parent if out else Path.cwd()) / REPLIES
            model = LLMClient(Endpoint(url=order.llm_url, model=order.llm_model, temperature=0.0), folder)
            judge = Judge(await stack.enter_async_context(model), schema)
        validation = PairValidator(
            ground, client, encoder=Encoder() if order.encoder else None, judge=judge, workers=order.workers
        )
        if judged is not None:
            report = await evaluate_validators(read_judged(judged), validation, progress=progress)
            if out is not None:
                write_lines(out, [json.dumps(report, indent=1, ensure_ascii=False)])
            return {key: value for key, value in report.items() if key not in {"missed", "false_alarms"}}
        if pairs is None or out is None:
            raise ValueError("pairs and out, or judged, must be given")
        return await validate(
            read_pairs(pairs), out, validation=validation, unproven=order.unproven, progress=progress
        )


@dataclass(frozen=True, kw_only=True)
class ParaphraseConfig:
    """How to reword."""

    snapshot: Path
    llm_url: str
    llm_model: str = ""
    lexicon: Path | None = None
    count: int = 2
    encoder: bool = True
    replies: Path | None = None


def run_reword(order: ParaphraseConfig, pairs: Path, out: Path) -> dict[str, Any]:
    """Write pairs with the rewordings that hold.

    Returns:
        How many pairs there were, how many rewordings were added, and how many failed, by reason.

    Raises:
        ModelError: the model cannot be asked.
    """
    return asyncio.run(_reword(order, pairs, out))


async def _reword(order: ParaphraseConfig, pairs: Path, out: Path) -> dict[str, Any]:
    schema = GraphSchema.load(order.snapshot)
    ground = ValidationContext.load(order.snapshot, open_lexicon(order.lexicon, schema))
    known = read_pairs(pairs)
    endpoint = Endpoint(url=order.llm_url, model=order.llm_model)
    async with LLMClient(endpoint, order.replies or out.parent / REPLIES) as model:
        found, drops = await paraphrase(
            known,
            model,
            ground,
            encoder=Encoder() if order.encoder else None,
            config=RewriteConfig(count=order.count),
        )
    write_lines(out, (pair.to_json() for pair in (*known, *found)))
    return {"pairs": len(known), "reworded": len(found), "dropped": dict(sorted(drops.items()))}
