"""The one shape of every answer under /v1 and of every error anywhere.

`{success, data, error: {code, message, details} | null, meta: {timestamp, requestId, version}}`.
Error codes by family: VAL_ the request is wrong, SYS_ this service or a system behind it is.
AUTH_, MKT_, POS_ and RL_ belong to endpoints that come with them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from cbapi.errors import ApiError

REQUEST_ID = "cbapi.request_id"  # key in the ASGI scope


class ErrorBody(msgspec.Struct):
    code: str
    message: str
    details: dict[str, Any] | None = None


class Meta(msgspec.Struct, rename="camel"):
    timestamp: str
    request_id: str
    version: str


class Envelope(msgspec.Struct):
    success: bool
    data: Any
    error: ErrorBody | None
    meta: Meta


class JsonResponse(Response):
    media_type = "application/json"

    def __init__(
        self, content: object, status_code: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        safe = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        super().__init__(content, status_code, safe | (headers or {}))

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


def now() -> str:
    """UTC with milliseconds, `2026-01-02T03:04:05.678Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def success(connection: HTTPConnection, data: object) -> JsonResponse:
    return JsonResponse(Envelope(True, data, None, _meta(connection)))


def failure(connection: HTTPConnection, error: ApiError) -> JsonResponse:
    body = ErrorBody(error.code, error.message, error.details)
    return JsonResponse(
        Envelope(False, None, body, _meta(connection)), error.status, headers=error.headers
    )


def _meta(connection: HTTPConnection) -> Meta:
    version = connection.app.state.version
    return Meta(now(), connection.scope.get(REQUEST_ID, ""), version)
