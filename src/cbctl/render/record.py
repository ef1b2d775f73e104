"""A run as it is kept, whatever becomes of its terminal: its events, and plain lines."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from cbctl.render.lines import Lines
from cbctl.render.ndjson import Ndjson
from cbctl.render.output import Output

if TYPE_CHECKING:
    from cbctl.engine.event import Event

LIMIT = 10 * 1024 * 1024
"""Bytes of events, after which no more progress is kept; everything else is."""


class Record:
    """A drawing beside the one that a person sees. A command that starts no run leaves nothing.

    begin  opens the files for the events and for the lines of a run
    say    tells a person, once, that they cannot be written
    """

    def __init__(
        self, begin: Callable[[str], tuple[TextIO, TextIO]], say: Callable[[str], None]
    ) -> None:
        self._begin, self._tell = begin, say
        self._lock = threading.RLock()
        self._said: deque[str] = deque()
        self._before: list[Event] = []
        self._kept: _Kept | None = None
        self._broken = False

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.type == "plan.started":
                self._end()
            if self._kept:
                self._keep(self._kept, event)
            elif not self._broken:
                self._before.append(event)  # until a run comes of it, and its name is known
                if event.type == "run.started":
                    self._start(event)

    def say(self, text: str) -> None:
        """May be called from a signal handler, as with the other drawings."""
        self._said.append(text)

    def tick(self) -> None:
        with self._lock:
            if self._kept:
                self._pass_on(self._kept)
                self._kept.lines.tick()

    def hangup(self) -> None:
        """A file has no terminal."""

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self, started: Event) -> None:
        before, self._before = self._before, []
        try:
            files = self._begin(started.run)
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return
        self._kept = _Kept(*files)
        self._kept.text.line(f"{started.at[:10]} (times are UTC)")
        for event in before:
            self._keep(self._kept, event)

    def _keep(self, kept: _Kept, event: Event) -> None:
        self._pass_on(kept)
        kept(event)
        if kept.why:
            self._give_up(kept.why)

    def _end(self) -> None:
        self._before = []
        if self._kept:
            self._pass_on(self._kept)
            self._kept.close()
            self._kept = None

    def _pass_on(self, kept: _Kept) -> None:
        while self._said:
            kept.lines.say(self._said.popleft())

    def _give_up(self, why: str) -> None:
        if not self._broken:
            self._broken = True
            self._tell(f"the log of this run cannot be written ({why}); the run goes on")


class _Kept:
    """The two files of a run. What cannot be written is dropped."""

    def __init__(self, events: TextIO, text: TextIO) -> None:
        self._files = events, text
        self._raw, self.text = Output(events), Output(text)
        self._events, self.lines = Ndjson(self._raw), Lines(self.text, {})

    def __call__(self, event: Event) -> None:
        if event.type != "step.progress" or os.fstat(self._files[0].fileno()).st_size < LIMIT:
            self._events(event)
        self.lines(event)

    @property
    def why(self) -> str:
        """Why one of them cannot be written any more, else ""."""
        return self._raw.why or self.text.why

    def close(self) -> None:
        self.lines.close()
        for file in self._files:
            file.close()
