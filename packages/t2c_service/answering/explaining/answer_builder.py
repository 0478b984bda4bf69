"""Attempts as an answer: its status, its words, its warnings. Runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2c_service.answering.explaining import verbalise_rows as wording
from t2c_service.answering.records import Answer, GraphView, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2c_core.graph.client import PlanFacts, QueryResult
    from t2c_service.answering.attempts.confidence import AttemptResult
    from t2c_service.answering.records import Confidence, Diagnosis, LinkedValue, Status

DOUBT = 0.3
"""Confidence below which a warning says so; on the demo's questions most such answers are wrong."""
STATUS_BY_OUTCOME: dict[str, Status] = {
    "passed": "answered",
    "unanswerable": "unanswerable",
    "refused": "refused",
    "failed": "failed",
}


@dataclass(frozen=True, kw_only=True)
class AnswerContext:
    """What there is to tell of a question."""

    question: str
    links: tuple[LinkedValue, ...]
    chosen: AttemptResult
    tried: tuple[AttemptResult, ...]
    confidence: Confidence | None = None
    view: GraphView | None = None
    diagnosis: Diagnosis | None = None
    include_plan: bool = False
    min_confidence: float = 0.0
    ignored: tuple[str, ...] = ()
    """Names of the question that the chosen query leaves aside."""

    @property
    def is_low_confidence(self) -> bool:
        """Whether too little speaks for what was found."""
        return self.confidence is not None and self.confidence.score < self.min_confidence

    @property
    def result(self) -> QueryResult | None:
        """The rows to tell, if there are any to be told."""
        return None if self.is_low_confidence else self.chosen.result


def build_answer(what: AnswerContext) -> Answer:
    """Make the answer; the caller adds what it knows of model, graph and times."""
    chosen = what.chosen
    attempt, result = chosen.attempt, what.result
    status = _status(what)
    return Answer(
        question=what.question,
        status=status,
        answer=_text(status, what),
        cypher=attempt.cypher,
        parameters=attempt.parameters,
        columns=tuple(result.columns) if result else (),
        rows=tuple(tuple(row) for row in result.rows) if result else (),
        truncated=bool(result and result.truncated),
        graph=GraphView() if what.is_low_confidence else what.view or GraphView(),
        linked_values=what.links,
        confidence=what.confidence,
        diagnosis=what.diagnosis,
        plan=_plan(chosen.passed.plan) if what.include_plan and chosen.passed else None,
        attempts=tuple(each.attempt for each in what.tried),
        warnings=tuple(_warnings(what)),
        model="",
        schema_version="",
    )


def _status(what: AnswerContext) -> Status:
    if what.is_low_confidence:
        return "unanswerable"
    if what.result is not None:
        return "answered" if what.result.rows else "empty"
    outcome = what.chosen.attempt.outcome
    return STATUS_BY_OUTCOME[outcome]


def _text(status: Status, what: AnswerContext) -> str:
    result = what.result
    if what.is_low_confidence:
        return wording.DOUBTFUL
    if result is not None:
        return wording.render_text(result.columns, result.rows, truncated=result.truncated)
    if what.chosen.passed is not None:
        return wording.not_run(what.chosen.passed.plan.estimated_rows)
    return {
        "unanswerable": wording.UNANSWERABLE,
        "refused": wording.REFUSED,
        "failed": wording.FAILED,
    }[status]


def _warnings(what: AnswerContext) -> Iterator[str]:
    attempt, result = what.chosen.attempt, what.result
    if result is not None and attempt.round > 1:
        before = next(each.attempt for each in what.tried if each is not what.chosen)
        reason = before.message or ("it had no rows" if before.rows == 0 else "it left out what was named")
        yield f"The first query could not be used ({reason}); this is attempt {attempt.hypothesis + 1}."
    if result is not None and what.confidence is not None and what.confidence.score < DOUBT:
        yield "Little speaks for this answer; read the query before you rely on it."
    if result is not None and what.ignored:
        yield f"The query does not use {' and '.join(what.ignored)}, which the question names."
    if result is not None and result.truncated:
        yield "The result was longer than the limits allow and was cut."


def _plan(facts: PlanFacts) -> Plan:
    return Plan(
        query_type=facts.query_type,
        operators=tuple(sorted(facts.operators)),
        estimated_rows=facts.estimated_rows,
        notifications=facts.notifications,
    )
