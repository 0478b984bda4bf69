"""`POST /feedback`: whether an answer is right, and the query that would have been."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from t2c_service.api.dependencies import ContextDependency, ServiceDependency, run_until_disconnect
from t2c_service.api.problems import PROBLEM_RESPONSES
from t2c_service.feedback.intake import GivenFeedback

router = APIRouter(tags=["feedback"], responses=PROBLEM_RESPONSES)

MAX_COMMENT_CHARS = 1000


class FeedbackRequest(BaseModel):
    """Feedback about an answer that the principal received."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"answer_id": "4f0c2a9be1d74c55", "verdict": "right"}]},
    )

    answer_id: str = Field(min_length=1, max_length=64, description="`request_id` of the answer.")
    verdict: Literal["right", "wrong"]
    cypher: str | None = Field(
        default=None,
        min_length=1,
        description="The query that answers the question, if the answer is wrong. The guard checks it; it is not run.",
    )
    parameters: dict[str, JsonValue] | None = Field(
        default=None, description="Values of its parameters; those of the answer if absent."
    )
    comment: str = Field(default="", max_length=MAX_COMMENT_CHARS)

    @model_validator(mode="after")
    def _check(self) -> "FeedbackRequest":
        if self.cypher is not None and self.verdict == "right":
            raise ValueError("`cypher` corrects an answer that is `wrong`")
        return self


class FeedbackResponse(BaseModel):
    """Feedback that was kept."""

    answer_id: str
    verdict: Literal["right", "wrong"]
    cypher: str | None = Field(description="The corrected query as it was kept, after repairs.")


@router.post("/feedback", summary="Say whether an answer is right")
async def feedback(
    body: FeedbackRequest, request: Request, service: ServiceDependency, context: ContextDependency
) -> FeedbackResponse:
    """Keep a verdict on an answer, where the service keeps feedback; the latest about a question counts."""
    given = GivenFeedback(**dict(body))
    record = await run_until_disconnect(request, service.give_feedback(given, context))
    return FeedbackResponse(
        answer_id=record.answer_id, verdict=record.verdict, cypher=record.corrected_cypher
    )
