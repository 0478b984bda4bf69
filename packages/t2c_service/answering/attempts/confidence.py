"""Selection of one attempt among several (self-consistency), and the confidence score of the selected one."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_core.consistency.question_match import QuestionMatch
from t2c_service.answering.records import Attempt, Confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2c_core.graph.client import QueryResult
    from t2c_service.answering.attempts.guarded_graph import ApprovedQuery


@dataclass(frozen=True)
class AttemptResult:
    """An attempt with its rows, if its query ran."""

    attempt: Attempt
    result: QueryResult | None = None
    approved: ApprovedQuery | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the query ran and returned no rows."""
        return self.result is not None and not self.result.rows

    @property
    def is_usable(self) -> bool:
        """Whether an answer can be built: the query ran, was only validated, or the model refused."""
        return self.attempt.outcome in {"ran", "passed", "unanswerable"}


_RANK = {"ran": 0, "passed": 0, "unanswerable": 0, "refused": 1, "failed": 2}
DIFFERENCE_COST = 1.5
"""Nats that a difference between question and query takes from the log-probability of an attempt."""
EMPTY_COST = 2.0
"""Nats that an answer without rows takes."""
MIN_PROBABILITY = 1e-6
INTERCEPT, PROBABILITY_WEIGHT = 2.7, 1.7
"""Coefficients of the logistic regression of correctness on log-probability (nats) and differences; see
docs/decisions/confidence.md for the questions that they were fitted on."""
DIFFERENCE_WEIGHT = -0.9


def select_attempt(
    samples: Sequence[AttemptResult], match: Callable[[Attempt], QuestionMatch] = lambda _: QuestionMatch()
) -> AttemptResult:
    """Return the attempt to answer with.

    Attempts that agree on the rows add up their probabilities, or their votes where a probability is not known. The
    group with the highest log-probability less the costs of differences and of an empty result wins; in it the attempt
    with the fewest differences, then the more probable, then the earlier one.

    Args:
        samples: at least one attempt.
        match: function that compares the query of an attempt with the question.
    """
    is_known = all(each.attempt.mean_logprob is not None for each in samples if each.is_usable)
    weights: defaultdict[str, float] = defaultdict(float)
    differences: dict[str, int] = {}
    for each in samples:
        key = result_key(each)
        weights[key] += probability_of(each.attempt) if is_known else 1 / len(samples)
        differences[key] = min(len(match(each.attempt)), differences.get(key, 1_000))

    def preference(each: AttemptResult) -> tuple[int, float, int, float, int]:
        attempt, key = each.attempt, result_key(each)
        costs = DIFFERENCE_COST * differences[key] + EMPTY_COST * each.is_empty
        return (
            _RANK[attempt.outcome],
            costs - math.log(max(weights[key], MIN_PROBABILITY)),
            len(match(attempt)),
            -probability_of(attempt),
            attempt.hypothesis,
        )

    return min(samples, key=preference)


def compute_confidence(
    chosen: AttemptResult, samples: Sequence[AttemptResult], match: QuestionMatch | None = None
) -> Confidence | None:
    """Return the confidence of an attempt, or None if it has no query or nothing is known of it.

    Args:
        chosen: one of the samples.
        samples: attempts of the same round.
        match: comparison of its query with the question; None if they were not compared.
    """
    attempt = chosen.attempt
    if attempt.outcome in {"refused", "failed"}:
        return None
    agreement = probability = None
    if len(samples) > 1:
        key = result_key(chosen)
        agreement = round(sum(result_key(each) == key for each in samples) / len(samples), 4)
    if attempt.mean_logprob is not None:
        probability = round(probability_of(attempt), 4)
    known = [each for each in (agreement, probability) if each is not None]
    if not known:
        return None
    score = sum(known) / len(known)
    if match is not None and probability is not None:
        nats = math.log(max(probability, MIN_PROBABILITY))
        score = _logistic(INTERCEPT + PROBABILITY_WEIGHT * nats + DIFFERENCE_WEIGHT * len(match))
        score = score if agreement is None else (score + agreement) / 2
    return Confidence(
        score=round(score, 4),
        probability=probability,
        agreement=agreement,
        samples=len(samples),
        differences=len(match or ()),
    )


def result_key(result: AttemptResult) -> str:
    """Return a key that is equal for attempts that agree: the rows in any order, or the outcome without rows."""
    if result.result is None:
        attempt = result.attempt
        return f"{attempt.outcome} {attempt.cypher}" if attempt.outcome == "passed" else attempt.outcome
    return "\n".join(
        sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in result.result.rows)
    )


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def probability_of(attempt: Attempt) -> float:
    """Return the probability of the whole completion, 0 if it is not known."""
    if attempt.mean_logprob is None:
        return 0.0
    return min(1.0, math.exp(attempt.mean_logprob * max(attempt.tokens, 1)))
