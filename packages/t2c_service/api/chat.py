"""OpenAI-compatible `POST /v1/chat/completions` and `GET /v1/models`: each database is a model.

The last message of the user is the question; those before are the conversation that it may follow up on.
`POST /query` returns rows and trace.

Source: https://platform.openai.com/docs/api-reference/chat
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from t2c_service.answering.conversation.turns import Turn
from t2c_service.answering.explaining.markdown import as_markdown, query_in_markdown
from t2c_service.answering.input_validation import normalize_question
from t2c_service.answering.options import AskOptions
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
from t2c_service.service import Service

router = APIRouter(prefix=CHAT_PREFIX, tags=["chat"], responses=PROBLEM_RESPONSES)

OWNED_BY = "graphling"
TEXT_PARTS = frozenset({"text", "input_text"})
"""Types of the parts of a message that are read; reasoning, images, files and tool calls are not."""


class Message(BaseModel):
    """One message of a chat."""

    role: str = Field(max_length=63)
    content: str | list[str | dict[str, Any]] | None = Field(
        default=None, description="Text, or parts; parts other than text, such as images, are ignored."
    )

    @property
    def text(self) -> str:
        """The text of all parts."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = (part if isinstance(part, str) else _text_of(part) for part in self.content)
        return "\n".join(text for text in texts if text)


def _text_of(part: dict[str, Any]) -> str:
    text = part.get("text") if part.get("type") in TEXT_PARTS else None
    return text if isinstance(text, str) else ""


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool = False


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
    stream_options: StreamOptions | None = None


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
    turns = _turns(body.messages)
    if not turns:
        raise QuestionError("there is no message with role `user`", pointer="messages")
    *earlier, question = turns
    work = service.ask(
        question.question,
        AskOptions(include_graph=False),
        database=body.model,
        conversation=[each for each in earlier if _is_question(each.question, service)],
        context=context,
    )
    completion = _completion(await run_until_disconnect(request, work), body.model, request_id)
    if body.stream:
        return StreamingResponse(
            _events(completion, usage=bool(body.stream_options and body.stream_options.include_usage)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
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


@router.get("/models/{model}", summary="One database as a model, OpenAI-compatible")
async def model_entry(model: str, service: ServiceDependency, principal: SchemaPrincipal) -> ModelEntry:
    """Return a database that the principal has access to."""
    database = service.database_for(model, principal)
    return ModelEntry(id=database.name, created=int(database.created_at))


def _is_question(text: str, service: Service) -> bool:
    """Return whether an earlier message may be a question; empty and long ones are left out, not refused."""
    try:
        normalize_question(text, service.settings.limits.max_question_chars)
    except QuestionError:
        return False
    return True


def _turns(messages: Sequence[Message]) -> list[Turn]:
    """Return the messages of the user, each with the query in the reply that followed it."""
    turns: list[Turn] = []
    for message in messages:
        if message.role == "user":
            turns.append(Turn(question=message.text))
        elif message.role == "assistant" and turns:
            query = query_in_markdown(message.text)
            if query is not None:
                turns[-1] = replace(turns[-1], cypher=query[0], parameters=query[1])
    return turns


def _completion(answer: Answer, model: str, request_id: str) -> ChatResponse:
    tokens = sum(attempt.tokens for attempt in answer.attempts)
    return ChatResponse(
        id=f"chatcmpl-{request_id}",
        created=int(time.time()),
        model=model,
        choices=[Choice(message=Message(role="assistant", content=as_markdown(answer)))],
        usage=Usage(completion_tokens=tokens, total_tokens=tokens),
    )


def _events(completion: ChatResponse, *, usage: bool) -> Iterator[str]:
    """Yield a completion as chunks; the whole text is in one of them, the usage, if wanted, in the last."""
    message = completion.choices[0].message
    head = completion.model_dump(include={"id", "created", "model"}) | {"object": "chat.completion.chunk"}
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": message.content}, None),
        ({}, "stop"),
    ]
    for delta, reason in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield f"data: {json.dumps(head | {'choices': [choice]}, ensure_ascii=False)}\n\n"
    if usage:
        last = head | {"choices": [], "usage": completion.usage.model_dump()}
        yield f"data: {json.dumps(last)}\n\n"
    yield "data: [DONE]\n\n"
