"""What happened earlier, told as if one had been there."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cbctl.engine.event import Event, Sink


class Replay:
    """The clocks of a face: while it is told an event they show the time of that event, so that it
    sees how long things took; otherwise they show what it is."""

    def __init__(self) -> None:
        self._ago = 0.0

    def tell(self, event: Event, to: Sink) -> None:
        self._ago = max(0.0, time.time() - _seconds(event.at))
        try:
            to(event)
        finally:
            self._ago = 0.0

    def now(self) -> float:
        return time.monotonic() - self._ago

    def wall(self) -> float:
        return time.time() - self._ago


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return time.time()  # nobody knows when
