"""Greedy, grammar-constrained decoding of a batch, and of alternative hypotheses."""

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
    """One decoded token and its runner-up."""

    token: int
    logprob: float
    """Log-probability without the grammar's mask."""
    runner_up: int
    margin: float
    """Log-probability of `token` minus that of `runner_up`; infinite if no other token was allowed."""


@dataclass(slots=True, eq=False)
class DecodingSequence:
    """A completion that is being decoded."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    constraint: GrammarConstraint | None
    cancelled: list[threading.Event]
    """One event per waiting request, set when it is cancelled."""
    steps: list[Step] = field(default_factory=list)
    """Steps so far; the constraint has accepted them."""

    def is_done(self, eos_token_ids: frozenset[int]) -> bool:
        """Return whether it has ended, reached its maximum length, or been cancelled."""
        ended = bool(self.steps) and self.steps[-1].token in eos_token_ids
        return ended or len(self.steps) >= self.max_new_tokens or self.is_cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether all waiting requests were cancelled."""
        return all(each.is_set() for each in self.cancelled)


def decode(engine: Engine, rows: Sequence[DecodingSequence], eos_token_ids: frozenset[int]) -> None:
    """Extend sequences by the most probable token at each step until all are done.

    Args:
        engine: model.
        rows: sequences; steps are appended in place.
        eos_token_ids: tokens that end a completion.
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
            state.select_rows(kept)
            alive = [alive[number] for number in kept]
        logits = engine.decode_step(state, [row.steps[-1].token for row in alive])


def branch(steps: Sequence[Step], hypothesis: int) -> list[Step] | None:
    """Return the prefix of an alternative hypothesis: the runner-up at the step with the smallest margin.

    Args:
        steps: steps of the most probable completion.
        hypothesis: number from 1; each number branches at the step with the next larger margin.

    Returns:
        The steps up to and including the runner-up, or None if there is no such step.
    """
    order = sorted(range(len(steps)), key=lambda place: steps[place].margin)
    if hypothesis > len(order) or math.isinf(steps[order[hypothesis - 1]].margin):
        return None
    place = order[hypothesis - 1]
    best = steps[place]
    return [*steps[:place], Step(best.runner_up, best.logprob - best.margin, best.token, -best.margin)]


def _choose(logits: Tensor, rows: Sequence[DecodingSequence]) -> list[Step]:
    logprobs = logits.log_softmax(-1)  # (B, V)
    for number, row in enumerate(rows):
        if row.constraint is not None:
            row.constraint.mask_logits_(logprobs[number])
    values, tokens = (each.tolist() for each in logprobs.topk(2))
    steps = []
    for row, (best, second), (token, runner_up) in zip(rows, values, tokens, strict=True):
        steps.append(Step(token, best, runner_up, best - second))
        if row.constraint is not None:
            row.constraint.accept([token])
    return steps
