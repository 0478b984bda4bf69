"""Whether a question has two readings: two hypotheses of close probability that fit it and return other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2c_service.answering.attempts.confidence import probability_of, result_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_core.consistency.question_match import QuestionMatch
    from t2c_service.answering.attempts.confidence import AttemptResult
    from t2c_service.answering.records import Attempt

MAX_PROBABILITY = 0.67
"""Probability of a completion above which the model is sure of one reading."""
MIN_RATIO = 0.5
"""Minimum probability of another reading, as a fraction of that of the first."""


def may_be_ambiguous(chosen: AttemptResult, match: Callable[[Attempt], QuestionMatch]) -> bool:
    """Return whether a second hypothesis is worth a look: the model is not sure of one that fits the question."""
    attempt = chosen.attempt
    return (
        attempt.outcome == "ran"
        and not chosen.is_empty
        and attempt.mean_logprob is not None
        and probability_of(attempt) <= MAX_PROBABILITY
        and not match(attempt)
    )


def other_reading(
    chosen: AttemptResult, attempts: Sequence[AttemptResult], match: Callable[[Attempt], QuestionMatch]
) -> AttemptResult | None:
    """Return the hypothesis that may be meant as well, or None.

    Args:
        chosen: the hypothesis to answer with.
        attempts: all hypotheses.
        match: function that compares the query of an attempt with the question.
    """
    rivals = [
        each
        for each in attempts
        if each is not chosen
        and each.attempt.outcome == "ran"
        and not each.is_empty
        and probability_of(each.attempt) >= MIN_RATIO * probability_of(chosen.attempt)
        and result_key(each) != result_key(chosen)
        and not match(each.attempt)
    ]
    return max(rivals, key=lambda each: probability_of(each.attempt), default=None)
