"""What happens to every request: id, limits, time, log line, metrics, and the last safety net."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cbapi.envelope import REQUEST_ID, failure
from cbapi.errors import ApiError
from cbapi.logs import fields, log
from cbapi.services import Services
from cbapi.urls import is_loopback

MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_LENGTH = re.compile(r"[0-9]{1,18}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Names by which a browser on this machine may come. Any other name means that somebody's DNS
# points at 127.0.0.1 (DNS rebinding), and a web page would read the answers.
_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_INTERNAL = ApiError(500, "SYS_INTERNAL", "Something went wrong here. The request id finds it.")


class Observe:
    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Request(self._app, self._services, scope, send).run(receive)


class _Request:
    def __init__(self, app: ASGIApp, services: Services, scope: Scope, send: Send) -> None:
        self._app = app
        self._services = services
        self._scope = scope
        self._send = send
        self._status = 0
        self._received = 0
        self._body_unread = _has_body(scope)
        given = Headers(scope=scope).get("x-request-id", "")
        self._id = given if _ID.fullmatch(given) else uuid4().hex
        scope[REQUEST_ID] = self._id

    async def run(self, receive: Receive) -> None:
        started = perf_counter()
        self._services.in_flight += 1
        try:
            await self._answer(receive)
        finally:
            self._services.in_flight -= 1
            self._report(perf_counter() - started)

    async def _answer(self, receive: Receive) -> None:
        async def limited() -> Message:
            message = await receive()
            self._received += len(message.get("body", b""))
            self._body_unread = message.get("more_body", False)
            if self._received > MAX_BODY_BYTES:
                raise _body_too_large()
            return message

        try:
            _check_head(self._scope)
            _check_host(self._scope, self._services.settings.host)
            await self._app(self._scope, limited, self.send)
        except Exception as error:
            if not isinstance(error, ApiError):
                log.error(
                    "unhandled",
                    extra=fields(requestId=self._id, error=type(error).__name__),
                    exc_info=error,
                )
            if self._status:
                raise  # half an answer is out: only breaking the connection tells the client
            known = error if isinstance(error, ApiError) else _INTERNAL
            response = failure(HTTPConnection(self._scope), known)
            await response(self._scope, receive, self.send)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._id
            if self._services.draining:
                # Else clients keep a connection that is closed under them when the time is over.
                headers["connection"] = "close"
            if self._body_unread:
                # The server closes a connection on which it would have to skip a body. Without
                # this word the client's next request on it is lost (measured: 28 % of them).
                headers["connection"] = "close"
        await self._send(message)

    def _report(self, seconds: float) -> None:
        method = self._scope["method"] if self._scope["method"] in _METHODS else "OTHER"
        # The route's pattern and not the path: bounded in number, and free of what users type.
        route = getattr(self._scope.get("route"), "path", "unmatched")
        status = self._status or 499  # the client went away before an answer began
        self._services.metrics.observe(method, route, status, seconds)
        ms = round(seconds * 1000, 1)
        line = fields(method=method, route=route, status=status, ms=ms, requestId=self._id)
        log.info("request", extra=line)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _check_head(scope: Scope) -> None:
    size = len(scope["path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    if size > MAX_HEADER_BYTES:
        raise ApiError(
            431,
            "VAL_HEADERS_TOO_LARGE",
            "The request line and headers are too long.",
            details={"maxBytes": MAX_HEADER_BYTES},
        )
    length = Headers(scope=scope).get("content-length", "0")
    if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
        raise _body_too_large()


def _check_host(scope: Scope, bound: str) -> None:
    """Bound to another address than loopback, which names are served is the ingress's to say."""
    if not is_loopback(bound):
        return
    hosts = Headers(scope=scope).getlist("host")
    if len(hosts) == 1:
        name, colon, port = hosts[0].rpartition(":")
        if not colon or hosts[0].endswith("]"):
            name, port = hosts[0], ""
        if name.lower() in _NAMES | {bound} and (not port or port.isdigit()):
            return
    raise ApiError(
        403,
        "VAL_HOST",
        "This service only answers under the names of this machine.",
        details={"allowed": sorted(_NAMES)},
    )


def _body_too_large() -> ApiError:
    return ApiError(
        413,
        "VAL_BODY_TOO_LARGE",
        "The request's body is too long.",
        details={"maxBytes": MAX_BODY_BYTES},
    )
