"""What is around every request: its id, the host check, the size limit and the security headers. Plain ASGI."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders

from t2c_service.api.problems import MEDIA_TYPE, problem_body
from t2c_service.observability import REQUEST_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("t2c_service.access")

PAGE_FILES = "/_nicegui"
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that are asked for all the time."""
ROUTES = QUIET | {"/", "/query", "/cypher", "/schema", "/databases", "/examples", "/mcp", "/openapi.json"}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ID_HEADER = "x-request-id"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

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
"""The page's own templates are compiled in the browser, hence eval; nothing may come from or go to another host."""


class RequestMiddleware:
    """Middleware around the whole application.

    Args:
        app: what answers.
        body_bytes: longest request body.
        body_s: longest time that it may take to arrive.
        hosts: host names that may be named, without ports; any when empty.
    """

    def __init__(
        self, app: ASGIApp, *, body_bytes: int, body_s: float = 10.0, hosts: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._body_s = body_s
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(ID_HEADER, "")
        request_id = given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        if self._hosts and _host(headers) not in self._hosts:
            await _send_problem(scope, send, request_id, 421, "host", "This host is not served here")
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send, headers)
        elif _length(headers) > self._body_bytes:
            await _send_problem(scope, send, request_id, 413, "too-long", self._too_long())
        else:
            await self._answer(scope, receive, send, request_id)

    async def _connect(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            await send({"type": "websocket.close", "code": 1008, "reason": "another site's page"})
            return
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        received = 0
        status = 0

        whole = False
        until = asyncio.get_running_loop().time() + self._body_s

        async def receive_bounded() -> Message:
            nonlocal received, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"The body did not arrive within {self._body_s:g} s") from None
            received += len(message.get("body", b""))
            if received > self._body_bytes:
                raise HTTPException(413, self._too_long())
            whole = not message.get("more_body", False)
            return message

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_security_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            await self._app(scope, receive_bounded, send_dressed)
        except Exception:
            log.exception("fault")
            if status:
                raise
            status = 500
            await _send_problem(scope, send, request_id, 500, "fault", "A fault of the service")
        finally:
            self._record_request(scope, status, time.perf_counter() - started)

    def _record_request(self, scope: Scope, status: int, elapsed_s: float) -> None:
        """Log and count a request; paths that are no route count as one, so that nobody can invent labels."""
        path = scope["path"]
        level = logging.DEBUG if path.startswith(PAGE_FILES) or path in QUIET else logging.INFO
        facts = {"method": scope["method"], "path": path, "status": status, "ms": round(elapsed_s * 1000, 1)}
        shown = path.encode("unicode_escape").decode()  # one request, one line
        log.log(
            level,
            "%s %s %d %.1f ms",
            scope["method"],
            shown,
            status,
            elapsed_s * 1000,
            extra={"facts": facts},
        )
        application = scope.get("app")
        service = getattr(getattr(application, "state", None), "service", None)
        if service is not None:
            route = path if path in ROUTES else "page" if path.startswith(PAGE_FILES) else "other"
            method = scope["method"] if scope["method"] in METHODS else "other"
            service.metrics.requests.labels(method, route, str(status)).inc()
            service.metrics.request_s.labels(route).observe(elapsed_s)

    def _too_long(self) -> str:
        return f"The body is longer than {self._body_bytes} bytes"


def _add_security_headers(headers: MutableHeaders, request_id: str) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    is_page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else DATA_POLICY)
    if headers.get("content-type", "").startswith(("application/json", MEDIA_TYPE)):
        headers.setdefault("Cache-Control", "no-store")
    headers[ID_HEADER] = request_id


async def _send_problem(
    scope: Scope, send: Send, request_id: str, status: int, kind: str, title: str
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": title})
        return
    message: Message = {"type": "http.response.start", "status": status, "headers": []}
    headers = MutableHeaders(scope=message)
    body = problem_body(request_id, status, kind, title, "")
    headers["content-type"] = MEDIA_TYPE
    headers["content-length"] = str(len(body))
    headers["connection"] = "close"
    _add_security_headers(headers, request_id)
    await send(message)
    await send({"type": "http.response.body", "body": body})


def _host(headers: Headers) -> str:
    host = headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _length(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0
