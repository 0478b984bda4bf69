"""From what somebody says about an answer to a record: a corrected query passes the guard before it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2c_core.cypher.parser import parse
from t2c_core.cypher.traversal import parameter_names
from t2c_core.errors import QueryError, QueryRejectedError
from t2c_service.answering.input_validation import check_parameters
from t2c_service.errors import QuestionError
from t2c_service.feedback.store import FeedbackRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from t2c_service.answering.loop import Answerer
    from t2c_service.answering.records import Answer
    from t2c_service.feedback.store import Verdict


@dataclass(frozen=True, kw_only=True)
class GivenFeedback:
    """What somebody says about an answer."""

    answer_id: str
    """Request id of the answer."""
    verdict: Verdict
    cypher: str | None = None
    """The query that answers the question, if the answer is wrong."""
    parameters: Mapping[str, Any] | None = None
    """Values of its parameters; those of the answer if None."""
    comment: str = ""


async def make_record(given: GivenFeedback, answer: Answer, answerer: Answerer) -> FeedbackRecord:
    """Return the record of feedback, without the principal.

    The query of the answer is left out if the policy no longer allows it.

    Args:
        given: the feedback.
        answer: the answer that it is about.
        answerer: answerer under the policy of the principal.

    Raises:
        QuestionError: the guard or the server refuses the corrected query, or a parameter is invalid.
        GraphUnavailableError, GraphTimeoutError: the corrected query cannot be checked now.
    """
    parameters = dict(answer.parameters if given.parameters is None else given.parameters)
    check_parameters(parameters)
    corrected = None
    if given.cypher is not None:
        try:
            corrected = await answerer.check(given.cypher, parameters)
            used = set(parameter_names(parse(corrected)))
        except QueryRejectedError as error:
            raise QuestionError(f"{', '.join(error.codes)}: {error}", pointer="cypher") from error
        except QueryError as error:
            raise QuestionError(str(error), pointer="cypher") from error
        if missing := sorted(used - parameters.keys()):
            raise QuestionError(f"the query needs a value for ${missing[0]}", pointer="cypher")
    is_shown = answer.cypher is not None and answerer.allows(answer.cypher, answer.parameters)
    return FeedbackRecord(
        answer_id=given.answer_id,
        database=answer.database,
        schema_version=answer.schema_version,
        question=answer.question,
        status=answer.status,
        origin=answer.origin,
        cypher=answer.cypher if is_shown else None,
        parameters=answer.parameters if is_shown else {},
        verdict=given.verdict,
        corrected_cypher=corrected,
        corrected_parameters=parameters if corrected else {},
        comment=given.comment,
    )
