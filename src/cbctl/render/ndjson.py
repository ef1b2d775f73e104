"""`--events ndjson`: every event as one JSON line; the last one, run.ended, is the result."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, TextIO

from cbctl.render.output import Output

if TYPE_CHECKING:
    from cbctl.engine.event import Event


class Ndjson:
    """Lines `{"type", "at", "run", "data"}`, pure ASCII, each flushed."""

    def __init__(self, stdout: TextIO | Output | None) -> None:
        self._out = stdout if isinstance(stdout, Output) else Output(stdout)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        line = json.dumps(
            {"type": event.type, "at": event.at, "run": event.run, "data": dict(event.data)},
            separators=(",", ":"),
            default=str,
        )
        with self._lock:
            self._out.line(line)

    def say(self, text: str) -> None:
        """Talk is no event."""

    def tick(self) -> None:
        """Nothing here depends on time."""

    def hangup(self) -> None:
        """Standard output may outlive the terminal; when it does not, writing finds out."""

    def close(self) -> None:
        """Every line was flushed already."""
