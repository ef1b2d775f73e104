"""The live view: one line per step, redrawn in place; at the end what happened and what next."""

from __future__ import annotations

import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from cbctl.render.clean import clean
from cbctl.render.ending import ending
from cbctl.render.lines import Lines
from cbctl.render.output import Output
from cbctl.render.screen import Screen, Size, size_of
from cbctl.render.story import Story
from cbctl.render.words import count

if TYPE_CHECKING:
    from cbctl.engine.event import Event
    from cbctl.render.picture import Painter

BETWEEN = 0.1
"""Seconds between two pictures when only progress was told."""


class Terminal:
    """A face for a terminal. `tick`, called eight times a second, keeps its spinners turning.

    When the terminal is gone it becomes plain lines, which are silent where nobody reads them.
    """

    def __init__(
        self,
        stderr: TextIO | None,
        environ: Mapping[str, str],
        *,
        now: Callable[[], float] = time.monotonic,
        size: Size | None = None,
    ) -> None:
        self._environ, self._now = environ, now
        self._out = Output(stderr)
        self._screen = Screen(self._out, size or size_of(stderr))
        self.story = Story()
        self._painter: Painter | None = None
        self._lock = threading.RLock()
        self._said: deque[str] = deque()
        self._plain: Lines | None = None
        self._hung_up = False
        self._live = False
        self._drawn_at = 0.0

    def __call__(self, event: Event) -> None:
        with self._lock:
            if plain := self._given_up():
                plain(event)
                return
            now = self._now()
            self.story.tell(event, now)
            match event.type:
                case "plan.ready":
                    self._settle([])  # the plan itself is shown next, and maybe a question
                case "run.ended":
                    self._end()
                case "step.progress":
                    self._draw(now, soon=now - self._drawn_at < BETWEEN)
                case _:
                    self._draw(now)

    def tick(self) -> None:
        with self._lock:
            if plain := self._given_up():
                plain.tick()
            elif self._live:
                self._draw(self._now())
            elif self._said:
                self._screen.settle([], self._above())

    def say(self, text: str) -> None:
        """May be called from a signal handler: the next picture has it above itself."""
        self._said.append(text)

    def hangup(self) -> None:
        """May be called from a signal handler: the next event goes on as plain lines."""
        self._hung_up = True

    def close(self) -> None:
        """Leaves the last picture standing, for what is written next to come below it."""
        with self._lock:
            if plain := self._given_up():
                plain.close()
            elif self._live or self._said:
                self._settle(self._steps(self._now(), clipped=False) if self._live else [])

    def _given_up(self) -> Lines | None:
        if self._plain is None and (self._hung_up or self._out.dead):
            self._live = False
            self._plain = Lines(self._out, self._environ, now=self._now, story=self.story)
            while self._said:
                self._plain.say(self._said.popleft())
        return self._plain

    def _draw(self, now: float, *, soon: bool = False) -> None:
        self._live = True
        if not soon:
            self._screen.draw(self._steps(now, clipped=True), self._above())
            self._drawn_at = now

    def _settle(self, lines: list[str]) -> None:
        self._screen.settle(lines, self._above())
        self._live = False

    def _above(self) -> list[str]:
        width = max(20, self._screen.size[0] - 1)
        said = [clean(self._said.popleft()) for _ in range(len(self._said))]
        return [line for text in said for line in textwrap.wrap(text, width)]

    def _steps(self, now: float, *, clipped: bool) -> list[str]:
        columns, rows = self._screen.size
        painter = self._paint(columns)
        lines = [painter.holder(self.story.holder)] if self.story.holder else []
        room = max(1, rows - 2 - len(lines)) if clipped else len(self.story.steps)
        steps = list(self.story.steps.values())
        shown = painter.choose(steps, room)
        painter.names = max((len(step.id) for step in steps), default=0)
        looking = self.story.phase == "plan"
        lines += [painter.step(step, now, looking) for step in shown]
        if len(shown) < len(steps):
            rest = [step for step in steps if step not in shown]
            done = sum(s.state in ("changed", "unchanged", "undone") for s in rest)
            lines.append(
                painter.faint(f"  and {count(len(rest), 'more step')}, {done} of them done")
            )
        return lines

    def _end(self) -> None:
        columns, rows = self._screen.size
        painter = self._paint(columns)
        lines: list[str] = []
        if any(step.state != "waiting" for step in self.story.steps.values()):
            lines = [*self._steps(self._now(), clipped=False), ""]
        # what happened must not be scrolled away by what explains it
        last = ending(self.story, max(40, columns - 12), evidence=max(6, rows - 14))
        self._settle(lines + painter.rows(last))

    def _paint(self, columns: int) -> Painter:
        from cbctl.render.picture import Painter

        if self._painter is None or self._painter.columns != columns:
            self._painter = Painter(columns, self._environ, self._out.unicode)
        return self._painter
