"""A run without a terminal: one plain line per change, reminders while it waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from cbctl.render.clean import clean, cut
from cbctl.render.ending import ending, grouped
from cbctl.render.github import Github
from cbctl.render.output import Output
from cbctl.render.story import StepStory, Story
from cbctl.render.words import changed, count, duration

if TYPE_CHECKING:
    from cbctl.engine.event import Event

REMIND_EVERY = 30.0
QUIET_FOR = 2.0
"""A step that says something new more often than this is heard with the next reminder."""


class Lines:
    """A face. `tick`, called every second or so, gives the reminders.

    story  what was told before, when this face takes over from another one
    """

    def __init__(
        self,
        stderr: TextIO | Output | None,
        environ: Mapping[str, str],
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        story: Story | None = None,
    ) -> None:
        self._out = stderr if isinstance(stderr, Output) else Output(stderr)
        self._github = (
            Github(self._out, environ) if environ.get("GITHUB_ACTIONS") == "true" else None
        )
        self._now, self._wall = now, wall
        self._story = story or Story()
        self._lock = threading.RLock()
        self._spoke = now()
        self._said: deque[str] = deque()
        self._heard: dict[str, tuple[float, str]] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            now = self._now()
            self._speak(now)
            held = self._story.holder
            step = self._story.tell(event, now)
            text = self._text(event, step, now, held)
            if self._github:
                self._github.before(event, self._story)
            if text:
                self._say(event.at[11:19], text, now)
            if self._github:
                self._github.after(event, self._story)
            if event.type == "run.ended":
                self._end()

    def say(self, text: str) -> None:
        """May be called from a signal handler: it is written with the next tick or event."""
        self._said.append(text)

    def tick(self) -> None:
        with self._lock:
            self._speak(self._now())
            self._remind(self._now())

    def hangup(self) -> None:
        """Plain lines need no terminal."""

    def close(self) -> None:
        with self._lock:
            self._speak(self._now())
            if self._github:
                self._github.close()

    def _speak(self, now: float) -> None:
        while self._said:
            self._say(self._clock(), clean(self._said.popleft()), now)

    def _clock(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).strftime("%H:%M:%S")

    def _text(self, event: Event, step: StepStory | None, now: float, held: str) -> str:
        story, data = self._story, event.data
        match event.type:
            case "plan.started":
                return f"looking at {count(len(story.steps), 'step')}"
            case "plan.ready":
                if blocked := len(story.planned("blocked")):
                    return f"plan ready: {blocked} blocked"
                number = data.get("changes")
                return f"plan ready: {number if number else 'nothing'} to do"
            case "run.started":
                begun = "goes on" if story.resumed else "started"
                return f"{clean(story.kind)} {begun}: run {clean(story.run)}"
            case "lock.waiting":
                return f"waiting for the lock, held by {clean(story.holder)}" * (
                    held != story.holder
                )
        return self._step_text(event.type, step, now) if step else ""

    def _step_text(self, type: str, step: StepStory, now: float) -> str:
        id, seconds = clean(step.id), self._took(step)
        match type:
            case "step.observed" if step.verdict == "blocked":
                return f"{id}: blocked: {clean(step.because)}"
            case "step.started":
                return f"{id}: started" + (f": {clean(step.summary)}" if step.summary else "")
            case "step.progress":
                return self._progress(step, now)
            case "step.done" if step.state == "changed":
                what = "; ".join(changed(step.changes, 72))
                return f"{id}: done{seconds}" + (f": {what}" if what else "")
            case "step.done":
                return f"{id}: already right{seconds}"
            case "step.failed":
                return f"{id}: failed: {clean(step.error)}"
            case "step.waiting":
                return f"{id}: {clean(step.error)}"
            case "step.undone" if step.cannot:
                return f"{id}: not undone: {clean(step.cannot)}"
            case "step.undone":
                return f"{id}: undone"
        return ""

    def _progress(self, step: StepStory, now: float) -> str:
        at, said = self._heard.get(step.id, (now - QUIET_FOR, ""))
        if step.message == said or now - at < QUIET_FOR:
            return ""
        self._heard[step.id] = (now, step.message)
        return f"{clean(step.id)}: {where_it_is(step)}"

    def _took(self, step: StepStory) -> str:
        return f" in {duration(step.seconds)}" if step.seconds is not None else ""

    def _remind(self, now: float) -> None:
        if now - self._spoke < REMIND_EVERY or self._story.phase not in ("plan", "run"):
            return
        waited = [
            f"{clean(s.id)} (" + ", ".join(filter(None, (where_it_is(s), spent(s, now)))) + ")"
            for s in self._story.steps.values()
            if s.state in ("running", "undoing")
        ]
        if self._story.holder:
            waited.append(f"the lock, held by {clean(self._story.holder)}")
        if not waited:
            waited = [
                clean(s.id)
                for s in self._story.steps.values()
                if (not s.verdict if self._story.phase == "plan" else s.state == "waiting")
            ]
        if waited:
            self._say(self._clock(), "still waiting for " + ", ".join(waited), now)

    def _say(self, at: str, text: str, now: float) -> None:
        self._spoke = now
        self._out.line(f"{clean(at)} {cut(text)}")

    def _end(self) -> None:
        rows = ending(self._story, 100)
        if self._github:
            self._github.ended(self._story, rows)
        self._out.line()
        self._out.line(rows[0][1])
        for label, text in grouped(rows[1:]):
            head = "" if label in ("", "|") else label + ":"
            self._out.line(f"{head:<9}{'| ' * (label == '|')}{text}")


def spent(step: StepStory, now: float) -> str:
    return duration(max(0.0, now - step.since))


def where_it_is(step: StepStory) -> str:
    """`writing the program 300/1024`."""
    amount = ""
    if step.done is not None:
        amount = f"{step.done}/{step.total}" if step.total is not None else str(step.done)
    return " ".join(p for p in (clean(step.message), amount) if p)
