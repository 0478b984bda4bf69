"""Errors as RFC 9457 problems: `application/problem+json` with a stable `type`, never a traceback.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import http
import logging
import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from t2c_core.errors import T2CError
from t2c_service.errors import (
    ProblemType,
    QuestionError,
    RateLimitedError,
    ServiceError,
    problem_type_of,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "2"
NAMESPACE = "urn:graphling:problem:"
CHAT_PREFIX = "/v1"
"""Path prefix of the OpenAI-compatible API."""
MAX_ERRORS = 20
"""Maximum number of validation errors in one problem."""
MAX_ERROR_CHARS = 200
CLIENT_CLOSED_REQUEST = 499
"""Status in logs and metrics of a request whose client disconnected; it is never sent."""


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": NAMESPACE + "graph-unavailable",
                    "title": "Graph database unavailable",
                    "status": 503,
                    "detail": "the database at bolt://127.0.0.1:7687 cannot be reached",
                    "request_id": "4f0c2a9be1d74c55",
                }
            ]
        }
    )

    type: str = Field(description="Stable identifier of the problem type.")
    title: str
    status: int
    detail: str = ""
    request_id: str = ""
    errors: list[dict[str, str]] | None = Field(
        default=None,
        description="Validation errors of the request: `pointer` into the body and `detail`.",
        examples=[[{"pointer": "#/question", "detail": "the question is empty"}]],
    )


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for code, description in {
        400: "Malformed JSON",
        401: "Authentication required",
        403: "Insufficient scope",
        404: "Database not found",
        408: "Request timeout: the body did not arrive in time",
        413: "Content too large",
        422: "Validation error",
        429: "Rate limit exceeded",
        500: "Internal server error",
        503: "Graph database, model or service unavailable",
        504: "Request timed out",
        507: "Insufficient storage",
    }.items()
}
_PHRASES = {status.value: status.phrase for status in http.HTTPStatus} | {
    CLIENT_CLOSED_REQUEST: "Client Closed Request"
}
_HTTP_KINDS = {413: "too-long", 408: "slow-body"}


def problem_content(request_id: str, kind: ProblemType, detail: str = "") -> dict[str, Any]:
    """Return the members of a problem."""
    return {
        "type": kind.kind if kind.kind == "about:blank" else NAMESPACE + kind.kind,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "request_id": request_id,
    }


def problem(request_id: str, kind: ProblemType, detail: str = "", **more: Any) -> JSONResponse:
    """Return a problem as a response.

    Args:
        request_id: Id of the request.
        kind: Type of the problem.
        detail: What happened.
        more: Further members of the problem; `headers` are headers of the response.
    """
    headers = {"Retry-After": RETRY_AFTER_S} if kind.status == 503 else {}
    headers |= more.pop("headers", None) or {}
    return JSONResponse(
        {**problem_content(request_id, kind, detail), **more}, kind.status, headers, MEDIA_TYPE
    )


def register_exception_handlers(app: FastAPI) -> None:
    """Report every error of an application as a problem; `RequestMiddleware` reports unexpected ones."""
    app.add_exception_handler(HTTPException, _http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _validation)  # type: ignore[arg-type]
    app.add_exception_handler(T2CError, _expected)
    app.add_exception_handler(ServiceError, _expected)


def request_id_of(request: Request) -> str:
    """Return the id that `RequestMiddleware` assigned to the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def is_cross_origin(headers: Headers) -> bool:
    """Return whether a page of another site sends the request."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _respond(request: Request, kind: ProblemType, detail: str = "", **more: Any) -> JSONResponse:
    """Respond with a problem; OpenAI clients read its member `error`."""
    if request.url.path.startswith(CHAT_PREFIX + "/"):
        name = problem_content("", kind)["type"]
        more["error"] = {"message": detail or kind.title, "type": name, "code": str(kind.status)}
    return problem(request_id_of(request), kind, detail, **more)


async def _http(request: Request, error: HTTPException) -> JSONResponse:
    phrase = _PHRASES.get(error.status_code, "")
    detail = "" if error.detail == phrase else str(error.detail)
    if error.status_code == 404 and not detail:
        detail = f"Not Found: {request.url.path}"
    if error.status_code == 405:
        detail = f"Method {request.method} not allowed for {request.url.path}"
    kind = ProblemType(error.status_code, _HTTP_KINDS.get(error.status_code, "about:blank"), phrase)
    return _respond(request, kind, detail, headers=error.headers)


async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return _respond(request, ProblemType(400, "not-json", "Malformed JSON"))
    errors = [
        {
            "pointer": "#/" + "/".join(str(part)[:MAX_ERROR_CHARS] for part in each["loc"][1:]),
            "detail": each["msg"].removeprefix("Value error, ")[:MAX_ERROR_CHARS],
        }
        for each in found[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{each['pointer']}: {each['detail']}" for each in errors)
    return _respond(request, ProblemType(422, "invalid", "Validation error"), detail, errors=errors)


async def _expected(request: Request, error: Exception) -> JSONResponse:
    kind = problem_type_of(error)
    log.warning("%s: %s", kind.kind, error)
    more: dict[str, Any] = {}
    if isinstance(error, QuestionError):
        more["errors"] = [{"pointer": f"#/{error.pointer}", "detail": str(error)}]
    if isinstance(error, RateLimitedError):
        more["headers"] = {"Retry-After": str(math.ceil(error.retry_after_s))}
    if kind.status == http.HTTPStatus.UNAUTHORIZED:
        more["headers"] = {"WWW-Authenticate": "Bearer"}
    return _respond(request, kind, request.app.state.service.describe(error), **more)
