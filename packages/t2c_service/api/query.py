"""`POST /query`: a question in, an answer with its trace out. `POST /cypher`: the same for a query of one's own."""

from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from t2c_service.answering.loop import AskOptions
from t2c_service.answering.progress_events import ProgressCallback
from t2c_service.answering.records import Answer
from t2c_service.api import events
from t2c_service.api.dependencies import RequestId, ServiceDependency, VisitDependency, run_until_disconnect
from t2c_service.api.models import CypherRequest, QueryRequest, QueryResponse
from t2c_service.api.problems import PROBLEM_RESPONSES

router = APIRouter(tags=["questions"], responses=PROBLEM_RESPONSES)

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `Accept: text/event-stream` the steps come first, as events.",
        "content": {
            events.MEDIA_TYPE: {
                "schema": {"type": "string"},
                "example": "event: linked\ndata: {}\n\nevent: answer\ndata: {}\n\n",
            }
        },
    }
}


@router.post("/query", summary="Ask the graph a question", responses=_STREAM, response_model=QueryResponse)
async def query(
    body: QueryRequest,
    request: Request,
    service: ServiceDependency,
    visit: VisitDependency,
    request_id: RequestId,
) -> QueryResponse | StreamingResponse:
    """Answer a question with rows, the Cypher that gave them and a trace of every attempt.

    A question that cannot be answered is no error: `status` says so. Problems (4xx, 5xx) are left for requests that
    are wrong or not allowed, and for a graph or model that cannot be reached.
    """
    options = AskOptions(**body.options.model_dump())

    def ask(listener: ProgressCallback) -> Awaitable[Answer]:
        return service.ask(body.question, options, database=body.database, visit=visit, listener=listener)

    if events.MEDIA_TYPE in request.headers.get("accept", ""):
        stream = events.AnswerEventStream(ask, request_id)
        first = await stream.start()
        return StreamingResponse(
            stream.events(first), media_type=events.MEDIA_TYPE, headers={"Cache-Control": "no-store"}
        )
    answer = await run_until_disconnect(
        request, service.ask(body.question, options, database=body.database, visit=visit)
    )
    return QueryResponse(request_id=request_id, **dict(answer))


@router.post("/cypher", summary="Run a query of one's own, guarded like the model's")
async def cypher(
    body: CypherRequest,
    request: Request,
    service: ServiceDependency,
    visit: VisitDependency,
    request_id: RequestId,
) -> QueryResponse:
    """Run Cypher through the same guard and limits; `refused` with reason codes is an answer too."""
    options = AskOptions(**body.options.model_dump())
    work = service.run(body.cypher, body.parameters, options, database=body.database, visit=visit)
    answer = await run_until_disconnect(request, work)
    return QueryResponse(request_id=request_id, **dict(answer))
