"""`POST /v1/chat/completions` and `GET /v1/models`: the service as chat clients know a model, graphs being the models.

Each question stands for itself: the last message of the user is asked. For rows and trace there is `POST /query`.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from t2c_service.answering.explaining.markdown import as_markdown
from t2c_service.answering.loop import AskOptions
from t2c_service.answering.records import Answer
from t2c_service.api.dependencies import (
    RequestId,
    SchemaCaller,
    ServiceDependency,
    VisitDependency,
    run_until_disconnect,
)
from t2c_service.api.models import QUESTION
from t2c_service.api.problems import CHAT_PREFIX, PROBLEM_RESPONSES
from t2c_service.errors import QuestionError

router = APIRouter(prefix=CHAT_PREFIX, tags=["chat"], responses=PROBLEM_RESPONSES)

OWNED_BY = "graphling"


class TextPart(BaseModel):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(BaseModel):
    """A chat; what else a client sends (temperature and the like) changes nothing and is passed over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "default", "messages": [{"role": "user", "content": QUESTION}]}]
        }
    )

    model: str = Field(max_length=63, description="Name of the graph to ask.")
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: bool = Field(default=False, description="Whether to send the completion as events.")


class Usage(BaseModel):
    """What was written; prompts are not counted."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class Choice(BaseModel):
    """The one completion."""

    index: int = 0
    message: Message
    finish_reason: Literal["stop"] = "stop"


class ChatResponse(BaseModel):
    """An answer in Markdown: words, table, query."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Annotated[int, Field(description="Seconds since 1970.")]
    model: str
    choices: list[Choice]
    usage: Usage


class ModelEntry(BaseModel):
    """A graph."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = OWNED_BY


class ModelsResponse(BaseModel):
    """The graphs that the caller may ask."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The completion; with `stream` as events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": "data: [DONE]\n\n"}},
    }
}


@router.post(
    "/chat/completions",
    summary="Ask the graph as a chat client does",
    responses=_EVENTS,
    response_model=ChatResponse,
)
async def complete(
    body: ChatRequest,
    request: Request,
    service: ServiceDependency,
    visit: VisitDependency,
    request_id: RequestId,
) -> ChatResponse | StreamingResponse:
    """Answer the last question of a chat in Markdown. Problems are problems here too, not completions."""
    question = next((each.text for each in reversed(body.messages) if each.role == "user"), None)
    if question is None:
        raise QuestionError("there is no message of the role `user` to answer", pointer="messages")
    work = service.ask(question, AskOptions(graph=False), database=body.model, visit=visit)
    completion = _completion(await run_until_disconnect(request, work), body.model, request_id)
    if body.stream:
        return StreamingResponse(
            _events(completion), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    return completion


@router.get("/models", summary="The graphs, as chat clients list models")
async def models(service: ServiceDependency, caller: SchemaCaller) -> ModelsResponse:
    """Give the graphs that the caller may ask."""
    return ModelsResponse(
        data=[
            ModelEntry(id=name, created=int(database.created_at))
            for name, database in service.databases_of(caller).items()
        ]
    )


def _completion(answer: Answer, model: str, request_id: str) -> ChatResponse:
    written = sum(attempt.tokens for attempt in answer.attempts)
    return ChatResponse(
        id=f"chatcmpl-{request_id}",
        created=int(time.time()),
        model=model,
        choices=[Choice(message=Message(role="assistant", content=as_markdown(answer)))],
        usage=Usage(completion_tokens=written, total_tokens=written),
    )


def _events(completion: ChatResponse) -> Iterator[str]:
    """Write a completion as the chunks that clients put together; an answer is ready all at once."""
    message = completion.choices[0].message
    head = completion.model_dump(include={"id", "created", "model"}) | {"object": "chat.completion.chunk"}
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": message.content}, None),
        ({}, "stop"),
    ]
    for delta, reason in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n"
    yield "data: [DONE]\n\n"
