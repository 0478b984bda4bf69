"""Questions reworded by a model, each rewording verified before it joins the pairs.

A rewording must keep every value letter for letter, no validator may find fault with it beside the query, and it must
say the same: for the sentence encoder, and for the model itself when it compares the two.

Reads: pairs, a model's replies. Writes nothing but the client's cache.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_data.llm.messages import VERDICT, messages, several
from t2c_data.pairs import normalize_question, pair_id
from t2c_data.validators.execution import ExecutionEvidence
from t2c_data.validators.stage import run_validators

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2c_data.dataset.sentence_encoder import Encoder
    from t2c_data.llm.client import LLMClient
    from t2c_data.pairs import Pair
    from t2c_data.validators.stage import ValidationContext

MIN_SIMILARITY = 0.75
"""A rewording below this cosine with its question says something else."""
ACCEPTED = ExecutionEvidence(planned=True, query_type="r")
"""The query was run when the pair was made."""
MAX_CHARS = 600


@dataclass(frozen=True, kw_only=True)
class RewriteConfig:
    """How to reword."""

    count: int = 2
    """Rewordings asked for of each question."""
    min_similarity: float = MIN_SIMILARITY
    check_equivalence: bool = True
    """Whether the model itself is asked if both say the same."""


async def paraphrase(
    pairs: Sequence[Pair],
    client: LLMClient,
    ground: ValidationContext,
    *,
    encoder: Encoder | None = None,
    config: RewriteConfig | None = None,
) -> tuple[list[Pair], Counter[str]]:
    """Reword the questions of pairs.

    Args:
        pairs: what to reword; pairs without a query are left as they are.
        client: the model.
        ground: schema and values, for the validators.
        encoder: tells how near a rewording is; not asked if absent.
        config: how to reword.

    Returns:
        The rewordings that hold, with split and query of their pair, and how many failed, by reason.
    """
    config = config or RewriteConfig()
    asked = [pair for pair in pairs if pair.cypher]
    replies = await asyncio.gather(*(_ask(pair, client, config.count) for pair in asked))
    drops: Counter[str] = Counter()
    candidates: list[tuple[Pair, str]] = []
    taken = {normalize_question(pair.question) for pair in pairs}
    for pair, texts in zip(asked, replies, strict=True):
        for text in texts:
            reason = "duplicate" if normalize_question(text) in taken else _fault(pair, text, ground)
            if reason:
                drops[reason] += 1
            else:
                taken.add(normalize_question(text))
                candidates.append((pair, text))
    candidates = _near(candidates, encoder, config.min_similarity, drops)
    if config.check_equivalence:
        same = await asyncio.gather(*(_same(pair.question, text, client) for pair, text in candidates))
        drops["judged different"] += same.count(False)
        candidates = [each for each, fits in zip(candidates, same, strict=True) if fits]
    found = [
        replace(pair, question=text, id=pair_id(text, pair.cypher), template=f"{pair.template}+reworded")
        for pair, text in candidates
    ]
    return found, +drops


async def _ask(pair: Pair, client: LLMClient, count: int) -> list[str]:
    asked = messages("rewordings", question=pair.question, cypher=pair.cypher, count=count)
    reply = await client.ask(asked, several("rewordings", count))
    texts = [" ".join(text.split()) for text in (reply or {"rewordings": []})["rewordings"][:count]]
    return [text for text in texts if 0 < len(text) <= MAX_CHARS]


def _fault(pair: Pair, text: str, ground: ValidationContext) -> str:
    for value in pair.parameters.values():
        if isinstance(value, str) and value in pair.question and value not in text:
            return "value lost"
    before = {
        each.code for each in run_validators(pair.question, pair.cypher, pair.parameters, ACCEPTED, ground)
    }
    after = run_validators(text, pair.cypher, pair.parameters, ACCEPTED, ground)
    return next((each.code for each in after if each.code not in before), "")


def _near(
    candidates: list[tuple[Pair, str]], encoder: Encoder | None, bound: float, drops: Counter[str]
) -> list[tuple[Pair, str]]:
    if encoder is None or not candidates:
        return candidates
    cosines = encoder.similarities(
        [pair.question for pair, _ in candidates], [text for _, text in candidates]
    )
    kept = [each for each, cosine in zip(candidates, cosines, strict=True) if cosine >= bound]
    drops["far"] += len(candidates) - len(kept)
    return kept


async def _same(first: str, second: str, client: LLMClient) -> bool:
    verdict = await client.ask(messages("same", first=first, second=second), VERDICT)
    return verdict is not None and bool(verdict["fits"])
