"""Which of several samples to answer with, and how much speaks for it: agreement of rows and log-probabilities."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_service.answering.records import Attempt, Confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from t2c_core.graph.client import QueryResult
    from t2c_service.answering.attempts.guarded_graph import ApprovedQuery


@dataclass(frozen=True)
class AttemptResult:
    """An attempt and its rows, if it ran."""

    attempt: Attempt
    result: QueryResult | None = None
    passed: ApprovedQuery | None = None
    """What the guard let through."""

    @property
    def is_empty(self) -> bool:
        """Whether it ran and has no rows."""
        return self.result is not None and not self.result.rows

    @property
    def is_usable(self) -> bool:
        """Whether something can be said: it ran, was not to run, or says that there is no answer."""
        return self.attempt.outcome in {"ran", "passed", "unanswerable"}


_RANK = {"ran": 0, "passed": 0, "unanswerable": 1, "refused": 2, "failed": 3}


def select_by_majority(
    samples: Sequence[AttemptResult], ignored: Callable[[Attempt], Sized] = lambda _: ()
) -> AttemptResult:
    """Choose the sample to answer with.

    Rows go before no rows, an answer before none; then what leaves the fewest of the question's names aside, what
    most samples agree on, what the model finds likeliest, what it said first.

    Args:
        samples: at least one.
        ignored: the names of the question that an attempt leaves aside.
    """
    votes = Counter(result_key(each) for each in samples)

    def preference(each: AttemptResult) -> tuple[bool, int, int, int, float, int]:
        attempt = each.attempt
        return (
            not each.is_usable or each.is_empty,
            _RANK[attempt.outcome],
            len(ignored(attempt)),
            -votes[result_key(each)],
            -_probability(attempt, 0.0),
            attempt.hypothesis,
        )

    return min(samples, key=preference)


def compute_confidence(chosen: AttemptResult, samples: Sequence[AttemptResult]) -> Confidence | None:
    """Say how much speaks for a sample.

    Args:
        chosen: one of the samples.
        samples: those taken in the same round.
    """
    if chosen.attempt.outcome in {"refused", "failed"}:
        return None
    agreement = None
    if len(samples) > 1:
        own = result_key(chosen)
        agreement = sum(result_key(each) == own for each in samples) / len(samples)
    known = None if chosen.attempt.mean_logprob is None else _probability(chosen.attempt, 0.0)
    figures = [each for each in (agreement, known) if each is not None]
    if not figures:
        return None
    return Confidence(
        score=round(sum(figures) / len(figures), 4),
        probability=None if known is None else round(known, 4),
        agreement=None if agreement is None else round(agreement, 4),
        samples=len(samples),
    )


def result_key(tried: AttemptResult) -> str:
    """Give what two samples must share to agree: rows in any order, or the way in which there are none."""
    if tried.result is None:
        attempt = tried.attempt
        return f"{attempt.outcome} {attempt.cypher}" if attempt.outcome == "passed" else attempt.outcome
    return "\n".join(sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in tried.result.rows))


def _probability(attempt: Attempt, unknown: float) -> float:
    """Give the probability of the whole completion."""
    if attempt.mean_logprob is None:
        return unknown
    return min(1.0, math.exp(attempt.mean_logprob * max(attempt.tokens, 1)))
