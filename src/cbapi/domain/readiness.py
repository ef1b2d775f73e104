"""When the service is ready.

The database is critical; Redis and the RPC only degrade. A check that raises or runs out of time
counts as failed, like one that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import msgspec

from cbapi.logs import fields, log

LIMIT_SECONDS = 2.0
CRITICAL = frozenset({"database"})

Check = Callable[[], Awaitable[dict[str, Any]]]
"""Returns public details, or raises CheckFailed (its text is public) or anything else (not)."""

_abandoned: set[asyncio.Task[Any]] = set()


class CheckFailed(Exception):
    def __init__(self, reason: str, **details: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class CheckResult(msgspec.Struct, rename="camel", frozen=True):
    """status: healthy | unhealthy (critical) | degraded. response_time in milliseconds."""

    service: str
    status: str
    response_time: float
    details: dict[str, Any]

    @property
    def healthy(self) -> bool:
        return self.status == "healthy"


async def check_all(
    checks: Mapping[str, Check], limit: float = LIMIT_SECONDS
) -> tuple[CheckResult, ...]:
    return tuple(await asyncio.gather(*(_one(name, checks[name], limit) for name in checks)))


def overall(results: tuple[CheckResult, ...]) -> str:
    """unhealthy | degraded | healthy: the worst of them."""
    found = {result.status for result in results}
    return next((word for word in ("unhealthy", "degraded") if word in found), "healthy")


async def _one(service: str, check: Check, limit: float) -> CheckResult:
    started = perf_counter()
    details: dict[str, Any]
    task = asyncio.ensure_future(check())
    # Not asyncio.timeout: it waits until the cancelled check is done, and a driver may take
    # seconds to cancel a query on a server that does not answer.
    try:
        await asyncio.wait({task}, timeout=limit)
    finally:
        if not task.done():
            task.cancel()
            _abandoned.add(task)
            task.add_done_callback(_forget)
    failed = "unhealthy" if service in CRITICAL else "degraded"
    if not task.done() or task.cancelled():
        status, details = failed, {"reason": f"no answer within {limit:g} s"}
    elif (error := task.exception()) is None:
        status, details = "healthy", task.result()
    elif isinstance(error, CheckFailed):
        status, details = failed, {"reason": error.reason, **error.details}
    else:
        # The text of a library's error may name hosts and users: logged, not shown.
        status, details = failed, {"reason": "not reachable"}
        log.warning(
            "check_failed",
            extra=fields(service=service, error=type(error).__name__, message=str(error)),
        )
    elapsed = round((perf_counter() - started) * 1000, 1)
    return CheckResult(service, status, elapsed, details)


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # taken, so that asyncio does not report it as lost
