"""ASGI middleware around every request: request id, host check, body limits, security headers, log and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders

from t2c_service.api.problems import MEDIA_TYPE, is_cross_origin, problem_content
from t2c_service.errors import INTERNAL_ERROR, ProblemType
from t2c_service.observability import REQUEST_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("t2c_service.access")

PAGE_FILES = "/_nicegui"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that monitoring requests all the time; they are logged at level DEBUG."""
ROUTES = PROBES | {
    *(
        "/",
        "/query",
        "/cypher",
        "/verified-queries",
        "/feedback",
        "/schema",
        "/databases",
        "/examples",
        "/mcp",
    ),
    "/openapi.json",
}
UNSPECIFIC_TYPES = frozenset(
    {"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"}
)
"""What clients send where nobody set a media type; every body here is JSON."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ID_HEADER = "x-request-id"
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page compiles its templates in the browser, hence eval; it connects to no other host."""


class RequestMiddleware:
    """Middleware around the whole application.

    Args:
        app: Application.
        max_body_bytes: Maximum size of a request body.
        body_timeout_s: Maximum number of seconds until the body has arrived.
        hosts: Accepted host names without ports; any if empty.
    """

    def __init__(
        self, app: ASGIApp, *, max_body_bytes: int, body_timeout_s: float, hosts: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(ID_HEADER, "")
        request_id = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        _assume_json(scope, headers)
        length = headers.get("content-length", "")
        is_probe = scope["path"] in PROBES  # probes of an orchestrator name the address of the container
        if self._hosts and not is_probe and _host(headers) not in self._hosts:
            await _send_problem(scope, send, ProblemType(421, "host", "Misdirected request"))
        elif scope["type"] == "websocket" and is_cross_origin(headers):
            await send({"type": "websocket.close", "code": 1008, "reason": "cross-origin connection"})
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif length.isdecimal() and int(length) > self._max_body_bytes:
            await _send_problem(scope, send, ProblemType(413, "too-long", self._too_long()))
        else:
            await self._handle(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + self._body_timeout_s
        received = status = 0
        is_complete = False

        async def receive_bounded() -> Message:
            nonlocal received, is_complete
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"the body did not arrive within {self._body_timeout_s:g} s"
                ) from None
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(413, self._too_long())
            is_complete = not message.get("more_body", False)
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_security_headers(MutableHeaders(scope=message), scope["state"]["request_id"])
            await send(message)

        try:
            await self._app(scope, receive_bounded, send_with_headers)
        except Exception:
            log.exception("internal server error")
            if status:
                raise
            status = INTERNAL_ERROR.status
            await _send_problem(scope, send, INTERNAL_ERROR)
        finally:
            self._record_request(scope, status, time.perf_counter() - started)

    def _record_request(self, scope: Scope, status: int, elapsed_s: float) -> None:
        """Log and count a request; unknown paths share one label, so that clients cannot create labels."""
        path, method = scope["path"], scope["method"]
        level = logging.DEBUG if path.startswith(PAGE_FILES) or path in PROBES else logging.INFO
        elapsed_ms = round(elapsed_s * 1000, 1)
        attributes = {"method": method, "path": path, "status": status, "ms": elapsed_ms}
        printable = path.encode("unicode_escape").decode()  # one line per request
        log.log(
            level, "%s %s %d %.1f ms", method, printable, status, elapsed_ms, extra={"attributes": attributes}
        )
        application = scope.get("app")
        service = getattr(getattr(application, "state", None), "service", None)
        if service is not None:
            route = path if path in ROUTES else "page" if path.startswith(PAGE_FILES) else "other"
            service.metrics.requests.labels(
                method if method in METHODS else "other", route, str(status)
            ).inc()
            service.metrics.request_s.labels(route).observe(elapsed_s)

    def _too_long(self) -> str:
        return f"the body exceeds {self._max_body_bytes} bytes"


def _assume_json(scope: Scope, headers: Headers) -> None:
    """Read a body as JSON where a program such as curl does not say what it is.

    Browsers send a form of another site with these types and without asking first; they name its origin.
    """
    is_program = "origin" not in headers and "sec-fetch-site" not in headers
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope.get("method") == "POST" and is_program and media_type in UNSPECIFIC_TYPES:
        MutableHeaders(scope=scope)["content-type"] = "application/json"


def _add_security_headers(headers: MutableHeaders, request_id: str) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    media_type = headers.get("content-type", "")
    headers.setdefault(
        "Content-Security-Policy", PAGE_POLICY if media_type.startswith("text/html") else DATA_POLICY
    )
    if media_type.startswith(("application/json", MEDIA_TYPE)):
        headers.setdefault("Cache-Control", "no-store")
    headers[ID_HEADER] = request_id


async def _send_problem(scope: Scope, send: Send, kind: ProblemType) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": kind.title})
        return
    request_id = scope["state"]["request_id"]
    body = json.dumps(problem_content(request_id, kind)).encode()
    message: Message = {"type": "http.response.start", "status": kind.status, "headers": []}
    headers = MutableHeaders(scope=message)
    headers.update({"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"})
    _add_security_headers(headers, request_id)
    await send(message)
    await send({"type": "http.response.body", "body": body})


def _host(headers: Headers) -> str:
    host = headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
