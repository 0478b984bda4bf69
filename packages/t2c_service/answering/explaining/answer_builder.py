"""The answer from its attempts: status, text and warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2c_core.consistency.query_analysis import QueryAnalysis
from t2c_core.consistency.question_match import QuestionMatch
from t2c_core.cypher.render import render
from t2c_service.answering.explaining.missing_names import missing_names
from t2c_service.answering.explaining.verbalise_rows import render_text
from t2c_service.answering.records import Answer, GraphView, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from t2c_core.graph.client import PlanFacts, QueryResult
    from t2c_service.answering.attempts.confidence import AttemptResult
    from t2c_service.answering.records import Choice, Confidence, Diagnosis, LinkedValue, Origin, Status

LOW_CONFIDENCE = 0.5
"""Confidence below which an answer carries a warning where no `limits.min_confidence` refuses it: it is more likely
wrong than right."""
STATUS_BY_OUTCOME: dict[str, Status] = {
    "passed": "answered",
    "unanswerable": "unanswerable",
    "refused": "refused",
    "failed": "failed",
}
UNANSWERABLE = "The graph does not contain the information needed."
TOO_UNCERTAIN = "No query reached the minimum confidence."
UNRELATED = (
    "This seems to follow up on \u201c{question}\u201d, but that query could not be changed so. "
    "Ask it as a question of its own."
)
REFUSED = "No query for this question was allowed to run."
FAILED = "No query for this question could be run."


@dataclass(frozen=True, kw_only=True)
class AnswerContext:
    """Everything an answer is built from."""

    question: str
    links: tuple[LinkedValue, ...]
    chosen: AttemptResult
    attempts: tuple[AttemptResult, ...]
    confidence: Confidence | None = None
    interpretation: str | None = None
    view: GraphView | None = None
    diagnosis: Diagnosis | None = None
    include_plan: bool = False
    min_confidence: float = 0.0
    origin: Origin = "model"
    verified_query: str | None = None
    follow_up_of: str | None = None
    choices: tuple[Choice, ...] = ()
    """Readings of an ambiguous question."""
    match: QuestionMatch = field(default_factory=QuestionMatch)
    """How the chosen query and the question differ."""

    @property
    def is_too_uncertain(self) -> bool:
        """Whether the confidence is below the minimum."""
        return self.confidence is not None and self.confidence.score < self.min_confidence

    @property
    def result(self) -> QueryResult | None:
        """Rows of the answer, if there are any to show."""
        return None if self.is_too_uncertain or self.choices else self.chosen.result

    @property
    def missing_names(self) -> tuple[str, ...]:
        """What the graph lacks, if hypotheses name it and no other holds."""
        return missing_names([each.attempt for each in self.attempts]) if self.origin == "model" else ()


def build_answer(context: AnswerContext) -> Answer:
    """Build the answer; model, graph and timings are filled in by the caller."""
    chosen = context.chosen
    attempt, result = chosen.attempt, context.result
    status = _status(context)
    return Answer(
        question=context.question,
        status=status,
        answer=_text(status, context),
        interpretation=context.interpretation,
        origin=context.origin,
        verified_query=context.verified_query,
        follow_up_of=context.follow_up_of,
        choices=context.choices,
        cypher=attempt.cypher,
        parameters=attempt.parameters,
        columns=tuple(result.columns) if result else (),
        rows=tuple(tuple(row) for row in result.rows) if result else (),
        truncated=bool(result and result.truncated),
        graph=GraphView() if context.result is None else context.view or GraphView(),
        linked_values=context.links,
        confidence=context.confidence,
        diagnosis=context.diagnosis,
        plan=_plan(chosen.approved.plan) if context.include_plan and chosen.approved else None,
        attempts=tuple(each.attempt for each in context.attempts),
        warnings=tuple(_warnings(context)),
        model="",
        schema_version="",
    )


def _status(context: AnswerContext) -> Status:
    if context.choices:
        return "ambiguous"
    if context.is_too_uncertain or context.missing_names:
        return "unanswerable"
    if context.result is not None:
        return "answered" if context.result.rows else "empty"
    return STATUS_BY_OUTCOME[context.chosen.attempt.outcome]


def _text(status: Status, context: AnswerContext) -> str:
    result = context.result
    if context.choices:
        readings = "; ".join(f"({n}) {each.interpretation}" for n, each in enumerate(context.choices, 1))
        return f"This can be read in {len(context.choices)} ways: {readings}. Which one is meant?"
    if context.is_too_uncertain:
        reasons = "; ".join(context.match.reasons())
        return f"{TOO_UNCERTAIN[:-1]}: {reasons}." if reasons else TOO_UNCERTAIN
    if context.missing_names:
        return f"{UNANSWERABLE[:-1]}: {'; '.join(context.missing_names)}."
    if result is not None:
        columns = _spoken_columns(context.chosen.attempt.cypher, result.columns)
        return render_text(columns, result.rows, truncated=result.truncated)
    if context.chosen.approved is not None:
        estimate = context.chosen.approved.plan.estimated_rows
        return f"Not run, as requested. The planner estimates {estimate:,.0f} rows."
    return {"unanswerable": UNANSWERABLE, "refused": REFUSED, "failed": FAILED}[status]


def _spoken_columns(cypher: str | None, columns: Sequence[str]) -> Sequence[str]:
    """Replace names of one letter that an earlier clause gave by their expressions."""
    if cypher is None or all(len(name) > 1 for name in columns):
        return columns
    query = QueryAnalysis(cypher)
    returned = query.result.items if query.result else ()
    if len(returned) != len(columns):
        return columns
    return [
        name if len(name) > 1 or item.alias else render(resolved.expression)
        for name, item, resolved in zip(columns, returned, query.items, strict=True)
    ]


def _warnings(context: AnswerContext) -> Iterator[str]:
    attempt, result = context.chosen.attempt, context.result
    if result is None:
        return
    if attempt.round > 1:
        earlier = next(each.attempt for each in context.attempts if each is not context.chosen)
        reason = earlier.message or ("no rows" if earlier.rows == 0 else "it differed from the question")
        yield f"The first query was not used ({reason}); this is attempt {attempt.hypothesis + 1}."
    if (
        context.confidence is not None
        and context.confidence.score < LOW_CONFIDENCE
        and not context.min_confidence
    ):
        yield "Low confidence: review the query before relying on this answer."
    for reason in context.match.reasons():
        yield f"{reason[:1].upper()}{reason[1:]}."
    if result.truncated:
        yield "The result exceeds the limits and was truncated."


def _plan(facts: PlanFacts) -> Plan:
    return Plan(
        query_type=facts.query_type,
        operators=tuple(sorted(facts.operators)),
        estimated_rows=facts.estimated_rows,
        notifications=facts.notifications,
    )
