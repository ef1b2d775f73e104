"""A service as others reach it: asked over HTTP, and what its answers mean."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

LARGEST = 1 << 20  # bytes of an answer


def get(url: str, path: str, *, seconds: float) -> tuple[int, bytes]:
    """Status and body; OSError, HTTPException, ValueError for what is no address."""
    parts = urlsplit(url)
    made: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        host = parts.hostname or ""
        made = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    else:
        made = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        made.request("GET", parts.path.rstrip("/") + path, headers={"User-Agent": "cbctl"})
        response = made.getresponse()
        return response.status, response.read(LARGEST)
    finally:
        made.close()


def not_ready(status: int, body: bytes) -> str:
    """Why that is no answer of a service that is ready, "" when it is: 200, and where the body
    lists checks, all of them healthy. A degraded platform is not a deployed one."""
    said, checks = _checks(body)
    bad = [
        f"{check['service']} is {check['status']}{_reason(check.get('details'))}"
        for check in checks
        if check["status"] != "healthy"
    ]
    if status == 200 and not bad and said == "healthy":
        return ""
    reason = ", ".join(bad) or (f"it says {said}" if checks else "")
    return f"HTTP {status}" + (f": {reason}" if reason else "")


def checks_in(body: bytes) -> int:
    """How many checks an answer lists."""
    return len(_checks(body)[1])


def _checks(body: bytes) -> tuple[str, list[dict[str, Any]]]:
    """What a body says that has the form `{"status": …, "checks": [{"service": …, "status": …}]}`.
    One of any other form says nothing: then the answer's status is all there is."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return "healthy", []
    checks = told.get("checks") if isinstance(told, dict) else None
    if not isinstance(checks, list) or not all(
        isinstance(check, dict) and {"service", "status"} <= set(check) for check in checks
    ):
        return "healthy", []
    return str(told.get("status")), checks


def _reason(details: object) -> str:
    reason = details.get("reason") if isinstance(details, dict) else None
    return f" ({str(reason)[:100]})" if reason else ""
