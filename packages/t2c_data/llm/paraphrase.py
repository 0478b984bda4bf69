"""Paraphrases of questions by a language model, each verified before it joins the pairs.

A paraphrase must contain every value unchanged, give no finding of a validator that its question does not give, be
similar for the sentence encoder, and be equivalent for the model itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from t2c_data.llm.messages import VERDICT, list_reply, messages
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
"""Minimum cosine similarity of a paraphrase and its question."""
ACCEPTED = ExecutionEvidence(planned=True, query_type="r")
"""The query was executed when the pair was built."""
MAX_CHARS = 600


@dataclass(frozen=True, kw_only=True)
class ParaphraseOptions:
    """Number and verification of paraphrases."""

    count: int = 2
    """Number of paraphrases per question."""
    min_similarity: float = MIN_SIMILARITY
    check_equivalence: bool = True
    """Whether the model itself is asked if question and paraphrase are equivalent."""


async def paraphrase(
    pairs: Sequence[Pair],
    client: LLMClient,
    context: ValidationContext,
    *,
    encoder: Encoder | None = None,
    options: ParaphraseOptions | None = None,
) -> tuple[list[Pair], Counter[str]]:
    """Return verified paraphrases of pairs.

    Args:
        pairs: the pairs; those without a query are not paraphrased.
        client: the model.
        context: schema and values, for the validators.
        encoder: sentence encoder; similarity is not checked if None.
        options: number and verification of paraphrases.

    Returns:
        The paraphrases with split and query of their pair, and the number of rejected ones by reason.
    """
    options = options or ParaphraseOptions()
    answerable = [pair for pair in pairs if pair.cypher]
    replies = await asyncio.gather(*(_ask(pair, client, options.count) for pair in answerable))
    rejected: Counter[str] = Counter()
    candidates: list[tuple[Pair, str]] = []
    known = {normalize_question(pair.question) for pair in pairs}
    for pair, texts in zip(answerable, replies, strict=True):
        for text in texts:
            duplicate = normalize_question(text) in known
            reason = "duplicate" if duplicate else _rejection_reason(pair, text, context)
            if reason:
                rejected[reason] += 1
            else:
                known.add(normalize_question(text))
                candidates.append((pair, text))
    if encoder is not None and candidates:
        questions, texts = [pair.question for pair, _ in candidates], [text for _, text in candidates]
        cosines = encoder.similarities(questions, texts)
        similar = [
            each for each, cosine in zip(candidates, cosines, strict=True) if cosine >= options.min_similarity
        ]
        rejected["low similarity"] += len(candidates) - len(similar)
        candidates = similar
    if options.check_equivalence:
        verdicts = await asyncio.gather(
            *(_equivalent(pair.question, text, client) for pair, text in candidates)
        )
        rejected["not equivalent"] += verdicts.count(False)
        candidates = [each for each, equivalent in zip(candidates, verdicts, strict=True) if equivalent]
    found = [
        replace(pair, question=text, id=pair_id(text, pair.cypher), template=f"{pair.template}+reworded")
        for pair, text in candidates
    ]
    return found, +rejected


async def _ask(pair: Pair, client: LLMClient, count: int) -> list[str]:
    prompt = messages("paraphrases", question=pair.question, cypher=pair.cypher, count=count)
    reply = await client.ask(prompt, list_reply("rewordings", count))
    texts = [" ".join(text.split()) for text in (reply or {"rewordings": []})["rewordings"][:count]]
    return [text for text in texts if 0 < len(text) <= MAX_CHARS]


def _rejection_reason(pair: Pair, text: str, context: ValidationContext) -> str:
    for value in pair.parameters.values():
        if isinstance(value, str) and value in pair.question and value not in text:
            return "value lost"
    before, after = (
        [each.code for each in run_validators(question, pair.cypher, pair.parameters, ACCEPTED, context)]
        for question in (pair.question, text)
    )
    return next((code for code in after if code not in before), "")


async def _equivalent(first: str, second: str, client: LLMClient) -> bool:
    verdict = await client.ask(messages("equivalence", first=first, second=second), VERDICT)
    return verdict is not None and bool(verdict["fits"])
