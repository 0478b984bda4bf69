"""`POST /query`: a question in, an answer with its trace out."""

from fastapi import APIRouter

from t2c_service.answering.loop import AskOptions
from t2c_service.api.dependencies import RequestId, ServiceDependency
from t2c_service.api.models import QueryRequest, QueryResponse
from t2c_service.api.problems import PROBLEM_RESPONSES

router = APIRouter(tags=["questions"], responses=PROBLEM_RESPONSES)


@router.post("/query", summary="Ask the graph a question")
async def query(request: QueryRequest, service: ServiceDependency, request_id: RequestId) -> QueryResponse:
    """Answer a question with rows, the Cypher that gave them and a trace of every attempt.

    A question that cannot be answered is no error: `status` says so. Problems (4xx, 5xx) are left for requests that
    are wrong and for a graph or model that cannot be reached.
    """
    options = AskOptions(**request.options.model_dump())
    answer = await service.ask(request.question, options)
    return QueryResponse(request_id=request_id, **dict(answer))
