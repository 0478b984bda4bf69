"""Greedy, constrained decoding of a batch, and of alternative hypotheses.

A completion for which no token is allowed goes back by one token and takes the next best there.
"""

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

MAX_RETREATS = 64
"""Maximum number of tokens that one completion takes back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decoded token and its runner-up."""

    token: int
    logprob: float
    """Log-probability without constraints."""
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
    fixed: int = 0
    """Number of steps that are not taken back."""
    dead_ends: dict[int, set[int]] = field(default_factory=dict)
    """Tokens that led nowhere, by position."""
    retreats: int = 0
    is_stuck: bool = False
    """Whether no completion is allowed."""

    def is_done(self, eos_token_ids: frozenset[int]) -> bool:
        """Return whether it has ended, reached its maximum length, got stuck, or been cancelled."""
        ended = bool(self.steps) and self.steps[-1].token in eos_token_ids
        return ended or len(self.steps) >= self.max_new_tokens or self.is_stuck or self.is_cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether all waiting requests were cancelled."""
        return all(each.is_set() for each in self.cancelled)

    def extend(self, logprobs: Tensor) -> bool:
        """Take the most probable allowed token; return False if none is allowed.

        Args:
            logprobs: (V); log-probabilities of the next token.
        """
        if self.constraint is None:
            values, tokens = (each.tolist() for each in logprobs.topk(2))
            self.steps.append(Step(tokens[0], values[0], tokens[1], values[0] - values[1]))
            return True
        dead = self.dead_ends.get(len(self.steps), set())
        candidates = self.constraint.candidates(logprobs, excluded=dead, is_careful=bool(self.dead_ends))
        token, best = next(candidates, (-1, 0.0))
        if token < 0:
            return False
        runner_up, second = next(candidates, (token, -math.inf))
        self.constraint.accept([token])
        self.steps.append(Step(token, best, runner_up, best - second))
        return True

    def retreat(self) -> None:
        """Take back the last token, which leads nowhere."""
        position = len(self.steps) - 1
        if self.constraint is None or position < self.fixed or self.retreats >= MAX_RETREATS:
            self.is_stuck = True
            return
        self.retreats += 1
        self.constraint.rollback()
        self.dead_ends.pop(position + 1, None)
        self.dead_ends.setdefault(position, set()).add(self.steps.pop().token)


def decode(engine: Engine, rows: Sequence[DecodingSequence], eos_token_ids: frozenset[int]) -> None:
    """Extend sequences by the most probable allowed token at each step until all are done.

    Args:
        engine: model.
        rows: sequences; steps are appended in place.
        eos_token_ids: tokens that end a completion.
    """
    while alive := [row for row in rows if not row.is_done(eos_token_ids)]:
        _decode_batch(engine, alive, eos_token_ids)


def _decode_batch(engine: Engine, alive: list[DecodingSequence], eos_token_ids: frozenset[int]) -> None:
    """Extend sequences until each is done or has gone back by a token."""
    prompts = [(*row.prompt, *(step.token for step in row.steps)) for row in alive]
    state, logits = engine.prefill(prompts, max(row.max_new_tokens - len(row.steps) for row in alive))
    while True:
        kept = []
        for number, (row, logprobs) in enumerate(zip(alive, logits.log_softmax(-1), strict=True)):
            if not row.extend(logprobs):
                row.retreat()
            elif not row.is_done(eos_token_ids):
                kept.append(number)
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
