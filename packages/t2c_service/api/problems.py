"""Every error as an RFC 9457 problem: `application/problem+json` with a stable `type`, never a traceback.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import http
import json
import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from t2c_core.errors import T2CError
from t2c_service.errors import QuestionError, RateLimitedError, ServiceError
from t2c_service.problem_types import problem_type_of

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "2"
NAMESPACE = "urn:graphling:problem:"
CHAT_PREFIX = "/v1"
"""Where chat clients ask."""
MAX_ERRORS = 20
"""Flaws of one request that are told."""
MAX_TOLD_CHARS = 200


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": NAMESPACE + "graph-unavailable",
                    "title": "The graph cannot be asked",
                    "status": 503,
                    "detail": "the database at bolt://127.0.0.1:7687 cannot be reached",
                    "request_id": "4f0c2a9be1d74c55",
                }
            ]
        }
    )

    type: str = Field(description="Stable name of the kind of problem.")
    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    errors: list[dict[str, str]] | None = Field(
        default=None,
        description="What is wrong with the request, if that is it: `pointer` into the body and `detail`.",
        examples=[[{"pointer": "#/question", "detail": "the question is empty"}]],
    )


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for code, description in {
        400: "The request is not understood",
        401: "A key is needed, or the one given is not good",
        403: "The key is not for this",
        404: "There is no such database",
        408: "The body took too long to arrive",
        413: "The body is too long",
        422: "The request is understood and wrong",
        429: "Too many questions from one caller",
        500: "A fault of the service",
        503: "The graph, the model or the service cannot answer now",
        504: "The question took too long",
    }.items()
}


_STATUSES = frozenset(status.value for status in http.HTTPStatus)


def problem(
    request_id: str, status: int, problem_type: str, title: str, detail: str = "", **more: Any
) -> JSONResponse:
    """Write a problem as a response."""
    content = {
        "type": problem_type,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    headers = {"Retry-After": RETRY_AFTER_S} if status == 503 else {}
    headers |= more.pop("headers", None) or {}
    return JSONResponse({**content, **more}, status, headers, MEDIA_TYPE)


def register_exception_handlers(app: FastAPI) -> None:
    """Make an application answer every error with a problem; faults are left to the envelope around it."""
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(T2CError, _ours)
    app.add_exception_handler(ServiceError, _ours)


def request_id_of(request: Request) -> str:
    """Give the request's id, which the envelope set."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _answer(
    request: Request, status: int, problem_type: str, title: str, detail: str = "", **more: Any
) -> JSONResponse:
    """Answer a request with a problem; chat clients show the member `error` of theirs."""
    if request.url.path.startswith(CHAT_PREFIX + "/"):
        more["error"] = {"message": detail or title, "type": problem_type, "code": str(status)}
    return problem(request_id_of(request), status, problem_type, title, detail, **more)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    phrase = http.HTTPStatus(error.status_code).phrase if error.status_code in _STATUSES else "Client gone"
    detail = "" if error.detail == phrase else str(error.detail)
    if error.status_code == 404 and not detail:
        detail = f"nothing is at {request.url.path}"
    if error.status_code == 405:
        detail = f"{request.method} is not possible at {request.url.path}"
    problem_type = {413: NAMESPACE + "too-long", 408: NAMESPACE + "slow-body"}.get(
        error.status_code, "about:blank"
    )
    return _answer(request, error.status_code, problem_type, phrase, detail, headers=error.headers)


async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
    flaws = error.errors()
    if any(flaw["type"] == "json_invalid" for flaw in flaws):
        return _answer(request, 400, NAMESPACE + "not-json", "The body is not JSON")
    told = [
        {
            "pointer": "#/" + "/".join(str(part)[:MAX_TOLD_CHARS] for part in flaw["loc"][1:]),
            "detail": flaw["msg"].removeprefix("Value error, ")[:MAX_TOLD_CHARS],
        }
        for flaw in flaws[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{each['pointer']}: {each['detail']}" for each in told)
    return _answer(request, 422, NAMESPACE + "invalid", "The request is not valid", detail, errors=told)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    status, problem_type, title = problem_type_of(error)
    log.warning("%s: %s", problem_type, error)
    more: dict[str, Any] = {}
    if isinstance(error, QuestionError):
        more["errors"] = [{"pointer": f"#/{error.pointer}", "detail": str(error)}]
    if isinstance(error, RateLimitedError):
        more["headers"] = {"Retry-After": str(math.ceil(error.retry_after_s))}
    if status == http.HTTPStatus.UNAUTHORIZED:
        more["headers"] = {"WWW-Authenticate": "Bearer"}
    return _answer(request, status, NAMESPACE + problem_type, title, str(error), **more)


def problem_content(error: Exception, request_id: str) -> dict[str, Any]:
    """Write an error of ours as the members of a problem."""
    status, problem_type, title = problem_type_of(error)
    detail = str(error) if status != http.HTTPStatus.INTERNAL_SERVER_ERROR else ""
    return {
        "type": NAMESPACE + problem_type,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }


def problem_body(request_id: str, status: int, problem_type: str, title: str, detail: str) -> bytes:
    """Write a problem as bytes, for what answers below the application."""
    content = {
        "type": NAMESPACE + problem_type,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return json.dumps(content).encode()
