"""Selection of one attempt among several (self-consistency), and the confidence score of the selected one."""

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


_RANK = {"ran": 0, "passed": 0, "unanswerable": 1, "refused": 2, "failed": 3}


def select_by_majority(
    samples: Sequence[AttemptResult], unused_mentions: Callable[[Attempt], Sized] = lambda _: ()
) -> AttemptResult:
    """Return the attempt to answer with.

    Attempts with rows come before those without, usable ones before others; then the order is by fewest unused
    mentions, most samples with the same rows, highest probability, lowest hypothesis number.

    Args:
        samples: at least one attempt.
        unused_mentions: function that returns the mentions of the question that an attempt does not use.
    """
    votes = Counter(result_key(each) for each in samples)

    def preference(each: AttemptResult) -> tuple[bool, int, int, int, float, int]:
        attempt = each.attempt
        return (
            not each.is_usable or each.is_empty,
            _RANK[attempt.outcome],
            len(unused_mentions(attempt)),
            -votes[result_key(each)],
            -_probability(attempt),
            attempt.hypothesis,
        )

    return min(samples, key=preference)


def compute_confidence(chosen: AttemptResult, samples: Sequence[AttemptResult]) -> Confidence | None:
    """Return the confidence of an attempt, or None if it has no query or nothing is known of it.

    Args:
        chosen: one of the samples.
        samples: attempts of the same round.
    """
    attempt = chosen.attempt
    if attempt.outcome in {"refused", "failed"}:
        return None
    agreement = probability = None
    if len(samples) > 1:
        key = result_key(chosen)
        agreement = round(sum(result_key(each) == key for each in samples) / len(samples), 4)
    if attempt.mean_logprob is not None:
        probability = round(_probability(attempt), 4)
    known = [each for each in (agreement, probability) if each is not None]
    if not known:
        return None
    score = round(sum(known) / len(known), 4)
    return Confidence(score=score, probability=probability, agreement=agreement, samples=len(samples))


def result_key(result: AttemptResult) -> str:
    """Return a key that is equal for attempts that agree: the rows in any order, or the outcome without rows."""
    if result.result is None:
        attempt = result.attempt
        return f"{attempt.outcome} {attempt.cypher}" if attempt.outcome == "passed" else attempt.outcome
    return "\n".join(
        sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in result.result.rows)
    )


def _probability(attempt: Attempt) -> float:
    """Return the probability of the whole completion, 0 if it is not known."""
    if attempt.mean_logprob is None:
        return 0.0
    return min(1.0, math.exp(attempt.mean_logprob * max(attempt.tokens, 1)))
