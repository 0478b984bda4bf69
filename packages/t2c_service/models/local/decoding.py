"""Greedy decoding of several prompts at once, each within its grammar, and of other hypotheses than the likeliest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from torch import Tensor

    from t2c_service.models.local.constrained_decoding import GrammarConstraint
    from t2c_service.models.local.engine import Engine


@dataclass(frozen=True, slots=True)
class Step:
    """One decoded token, and what nearly stood in its place."""

    token: int
    logprob: float
    """By the model alone, whatever the grammar forbids."""
    runner_up: int
    margin: float
    """Log-probability of `token` less that of `runner_up`; infinite if nothing else could stand there."""


@dataclass(slots=True, eq=False)
class DecodingSequence:
    """A completion in the making."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    """Tokens that the completion may have."""
    guide: GrammarConstraint | None
    cancelled: list[threading.Event]
    """Of all who wait for it; nobody does when all are set."""
    steps: list[Step] = field(default_factory=list)
    """Taken so far; the guide must have accepted them."""

    def is_done(self, eos_token_ids: frozenset[int]) -> bool:
        """Whether it has come to its end, to the end of its room, or is not wanted any more."""
        ended = bool(self.steps) and self.steps[-1].token in eos_token_ids
        return ended or len(self.steps) >= self.max_new_tokens or self.is_unwanted

    @property
    def is_unwanted(self) -> bool:
        """Whether nobody waits for it any more."""
        return all(each.is_set() for each in self.cancelled)


def decode(engine: Engine, rows: Sequence[DecodingSequence], eos_token_ids: frozenset[int]) -> None:
    """Continue rows with the likeliest token at each step until all are done.

    Args:
        engine: the model.
        rows: their steps are added to.
        ends: tokens that end a completion.
    """
    alive = [row for row in rows if not row.is_done(eos_token_ids)]
    if not alive:
        return
    prompts = [(*row.prompt, *(step.token for step in row.steps)) for row in alive]
    state, logits = engine.prefill(prompts, max(row.max_new_tokens - len(row.steps) for row in alive))
    while True:
        for row, step in zip(alive, _choose(logits, alive), strict=True):
            row.steps.append(step)
        kept = [number for number, row in enumerate(alive) if not row.is_done(eos_token_ids)]
        if not kept:
            return
        if len(kept) < len(alive):
            state.keep(kept)
            alive = [alive[number] for number in kept]
        logits = engine.decode_step(state, [row.steps[-1].token for row in alive])


def branch(steps: Sequence[Step], hypothesis: int) -> list[Step] | None:
    """Take the runner-up where a completion was least sure, the next least sure place for each hypothesis.

    Args:
        steps: of the likeliest completion.
        hypothesis: from 1.

    Returns:
        The steps up to and with the runner-up; none if there is no such place.
    """
    order = sorted(range(len(steps)), key=lambda place: steps[place].margin)
    if hypothesis > len(order) or math.isinf(steps[order[hypothesis - 1]].margin):
        return None
    place = order[hypothesis - 1]
    sure = steps[place]
    return [*steps[:place], Step(sure.runner_up, sure.logprob - sure.margin, sure.token, -sure.margin)]


def _choose(logits: Tensor, rows: Sequence[DecodingSequence]) -> list[Step]:
    logprobs = logits.log_softmax(-1)  # (B, N)
    for number, row in enumerate(rows):
        if row.guide is not None:
            row.guide.mask_logits_(logprobs[number])
    values, tokens = (each.tolist() for each in logprobs.topk(2))
    steps = []
    for row, (best, second), (token, runner_up) in zip(rows, values, tokens, strict=True):
        steps.append(Step(token, best, runner_up, best - second))
        if row.guide is not None:
            row.guide.accept([token])
    return steps
