"""Chooses how a run is shown."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from cbctl.render.lines import Lines
from cbctl.render.ndjson import Ndjson

if TYPE_CHECKING:
    from cbctl.engine.event import Event
    from cbctl.render.story import Story

Mode = Literal["auto", "plain", "ndjson", "quiet"]


class Repeating(Protocol):
    def cancel(self) -> None: ...


Every = Callable[[float, Callable[[], None]], Repeating]
"""`Executor.every`: calls something about every so many seconds until cancelled."""


class Drawing(Protocol):
    """What every kind of face can do."""

    def __call__(self, event: Event, /) -> None: ...
    def say(self, text: str) -> None: ...
    def tick(self) -> None: ...
    def hangup(self) -> None: ...
    def close(self) -> None: ...


class Face:
    """A Sink that never raises: no picture is worth a run.

    say     a line of talk between the events; safe in a signal handler, as is `hangup`
    hangup  for the handler of SIGHUP: from now on plain lines
    close   stops the timer and leaves the terminal in order; what comes later is not shown
    """

    def __init__(
        self,
        drawings: list[Drawing],
        spare: Callable[[Story | None], Drawing],
        beat: float,
    ) -> None:
        """beat: seconds between two ticks"""
        self._drawings = drawings
        self._spare, self._beat = spare, beat
        self._timer: Repeating | None = None
        self._lock = threading.Lock()
        self._over = self._closed = False

    def __call__(self, event: Event) -> None:
        # A step that is still busy after the last word must not speak after it.
        if event.type in ("plan.started", "run.started"):
            self._over = False
        if self._over or self._closed:
            return
        self._over = event.type == "run.ended"
        self._each(lambda drawing: drawing(event))

    def also(self, drawing: Drawing) -> None:
        """One more, which is told what comes from now on."""
        self._drawings.append(drawing)

    def say(self, text: str) -> None:
        self._each(lambda drawing: drawing.say(text))

    def tick(self) -> None:
        self._each(lambda drawing: drawing.tick())

    def hangup(self) -> None:
        self._each(lambda drawing: drawing.hangup())

    def close(self) -> None:
        timer, self._timer = self._timer, None
        if timer:
            timer.cancel()
        self._closed = True
        self._each(lambda drawing: drawing.close())

    def keep_time(self, every: Every) -> None:
        """Starts the clockwork, unless it goes already."""
        self._timer = self._timer or every(self._beat, self.tick)

    def __enter__(self) -> Face:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _each(self, do: Callable[[Drawing], None]) -> None:
        for drawing in list(self._drawings):
            try:
                do(drawing)
            except Exception:
                # A defect of a drawing ends that drawing, not the run.
                if spare := self._replaced(drawing):
                    with contextlib.suppress(Exception):
                        do(spare)

    def _replaced(self, broken: Drawing) -> Drawing | None:
        """Plain lines go on where a live view broke; what they were told already they know."""
        with self._lock:
            if broken not in self._drawings:
                return None
            self._drawings.remove(broken)
            story = getattr(broken, "story", None)
            if story is None:
                return None
            self._drawings.append(self._spare(story))
            return self._drawings[-1]


def face(
    mode: Mode,
    stderr: TextIO | None,
    environ: Mapping[str, str],
    *,
    stdout: TextIO | None = None,
    every: Every | None = None,
    now: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Face:
    """The face for a run.

    mode    auto: a live view on a terminal, else plain lines; plain: lines; ndjson: events on
            `stdout`, with a live view beside them where they do not share the terminal; quiet
    every   calls the clockwork of the face; without it `keep_time` is called later, or nothing
            turns and nothing is reminded of
    """
    live = mode in ("auto", "ndjson") and lively(stderr, environ)
    drawings: list[Drawing] = []
    if mode == "ndjson":
        out = stdout or sys.stdout
        drawings.append(Ndjson(out))
        live = live and not _is_terminal(out)
    if live:
        from cbctl.render.terminal import Terminal

        drawings.append(Terminal(stderr, environ, now=now))
    elif mode in ("auto", "plain"):
        drawings.append(Lines(stderr, environ, now=now, wall=wall))
    found = Face(
        drawings,
        lambda story: Lines(stderr, environ, now=now, wall=wall, story=story),
        0.125 if live else 1.0,
    )
    if every:
        found.keep_time(every)
    return found


def lively(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """True where lines can be redrawn."""
    return (
        _is_terminal(stream)
        and environ.get("TERM", "") not in ("", "dumb", "unknown")
        and environ.get("GITHUB_ACTIONS") != "true"
    )


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
