"""Time and chance as the engine sees them: injected, so that a simulation can own both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def wall(self) -> float:
        """Seconds since the epoch; only ever shown, never compared between machines."""

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""

    def sleep(self, seconds: float) -> None: ...


class Random(Protocol):
    def token(self, size: int) -> str:
        """`size` random bytes as hex."""


def stamp(seconds: float) -> str:
    """RFC 3339 with milliseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
