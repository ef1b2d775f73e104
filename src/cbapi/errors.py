"""The one error type that clients are told about."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error that the client is told: HTTP status, code, message and details are public."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}
