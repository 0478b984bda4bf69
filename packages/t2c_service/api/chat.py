"""OpenAI-compatible `POST /v1/chat/completions` and `GET /v1/models`: each database is a model.

The last message of the user is the question; earlier messages are ignored. `POST /query` returns rows and trace.

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
    ContextDependency,
    RequestId,
    SchemaPrincipal,
    ServiceDependency,
    run_until_disconnect,
)
from t2c_service.api.models import QUESTION
from t2c_service.api.problems import CHAT_PREFIX, PROBLEM_RESPONSES
from t2c_service.errors import QuestionError

router = APIRouter(prefix=CHAT_PREFIX, tags=["chat"], responses=PROBLEM_RESPONSES)

OWNED_BY = "graphling"


class TextPart(BaseModel):
    """A text part of a message."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """The text of all parts."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(BaseModel):
    """A chat; other parameters, such as the temperature, are ignored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "default", "messages": [{"role": "user", "content": QUESTION}]}]
        }
    )

    model: str = Field(max_length=63, description="Name of the database.")
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: bool = Field(default=False, description="Whether to stream the completion as events.")


class Usage(BaseModel):
    """Tokens generated; prompt tokens are not counted."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class Choice(BaseModel):
    """The only completion."""

    index: int = 0
    message: Message
    finish_reason: Literal["stop"] = "stop"


class ChatResponse(BaseModel):
    """An answer in Markdown: text, table, query."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Annotated[int, Field(description="Seconds since 1970.")]
    model: str
    choices: list[Choice]
    usage: Usage


class ModelEntry(BaseModel):
    """A database."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = OWNED_BY


class ModelsResponse(BaseModel):
    """The databases that the principal has access to."""

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
    summary="Ask a question, OpenAI-compatible",
    responses=_EVENTS,
    response_model=ChatResponse,
)
async def complete(
    body: ChatRequest,
    request: Request,
    service: ServiceDependency,
    context: ContextDependency,
    request_id: RequestId,
) -> ChatResponse | StreamingResponse:
    """Answer the last question of a chat in Markdown; errors are problems with an OpenAI-compatible `error`."""
    question = next((each.text for each in reversed(body.messages) if each.role == "user"), None)
    if question is None:
        raise QuestionError("there is no message with role `user`", pointer="messages")
    work = service.ask(question, AskOptions(include_graph=False), database=body.model, context=context)
    completion = _completion(await run_until_disconnect(request, work), body.model, request_id)
    if body.stream:
        return StreamingResponse(
            _events(completion), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    return completion


@router.get("/models", summary="Databases as models, OpenAI-compatible")
async def models(service: ServiceDependency, principal: SchemaPrincipal) -> ModelsResponse:
    """Return the databases that the principal has access to."""
    return ModelsResponse(
        data=[
            ModelEntry(id=name, created=int(database.created_at))
            for name, database in service.databases_of(principal).items()
        ]
    )


def _completion(answer: Answer, model: str, request_id: str) -> ChatResponse:
    tokens = sum(attempt.tokens for attempt in answer.attempts)
    return ChatResponse(
        id=f"chatcmpl-{request_id}",
        created=int(time.time()),
        model=model,
        choices=[Choice(message=Message(role="assistant", content=as_markdown(answer)))],
        usage=Usage(completion_tokens=tokens, total_tokens=tokens),
    )


def _events(completion: ChatResponse) -> Iterator[str]:
    """Yield a completion as chunks; the whole text is in one of them."""
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
