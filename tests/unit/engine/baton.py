"""Threads of which exactly one runs: the one that has the baton. The seed says who has it next.

So several processes, each with threads of its own, are interleaved at every point of code that
knows nothing of it; and the same seed gives the same order again. Time is made up: it goes on
when every thread waits for it.
"""

from __future__ import annotations

import random as chance
import threading
from collections.abc import Callable
from typing import Protocol

FOREVER = float("inf")


class Stoppable(Protocol):
    """A process: none of its threads runs before that time."""

    stopped_until: float


def never() -> bool:
    return False


class _Runner:
    """A thread, and what it waits for: `ready`, or the time `wake` if that comes first."""

    def __init__(self) -> None:
        self.process: Stoppable
        self.work: Callable[[], None] | None
        self.ready = never
        self.wake = 0.0
        self.go = threading.Lock()
        self.go.acquire()

    def due(self, now: float) -> float:
        return max(now if self.ready() else self.wake, self.process.stopped_until)


class Baton:
    """switch  how likely another thread goes on at a point"""

    def __init__(self, seeded: chance.Random, switch: float, now: float) -> None:
        self.seeded, self.now = seeded, now
        self._switch = switch
        self._runners: list[_Runner] = []
        self._idle: list[_Runner] = []
        self._current = _Runner()
        self._over = threading.Lock()
        self._errors: list[BaseException] = []

    def run(self) -> None:
        """Lets go what was spawned; returns when all is done, or raises the first error."""
        self._over.acquire()
        self._give()
        self._over.acquire()
        for runner in self._idle:
            runner.work = None
            runner.go.release()
        for error in self._errors[:1]:
            raise error

    def spawn(self, process: Stoppable, work: Callable[[], None]) -> None:
        runner = self._idle.pop() if self._idle else None
        if runner is None:
            runner = _Runner()
            threading.Thread(target=self._serve, args=(runner,), daemon=True).start()
        runner.process, runner.work = process, work
        runner.ready, runner.wake = never, self.now
        self._runners.append(runner)

    def point(self) -> None:
        """Here another thread may come between."""
        if self.seeded.random() < self._switch:
            self._wait(never, self.now)

    def sleep(self, seconds: float) -> None:
        self._wait(never, self.now + seconds)

    def until(self, ready: Callable[[], bool], at_most: float = FOREVER) -> None:
        self._wait(ready, self.now + at_most)

    def becomes(self, process: Stoppable) -> None:
        """The running thread is one of this process from now on."""
        self._current.process = process

    def _wait(self, ready: Callable[[], bool], wake: float) -> None:
        me = self._current
        me.ready, me.wake = ready, wake
        if self._give() is not me:
            me.go.acquire()

    def _give(self) -> _Runner | None:
        """The one that has the baton now."""
        before = self._current
        due = {runner: runner.due(self.now) for runner in self._runners}
        if not due:
            self._over.release()
            return None
        self.now = max(self.now, min(due.values()))
        if self.now == FOREVER:
            self._errors.append(AssertionError("all threads wait for each other"))
            self._over.release()
            return None
        chosen = self.seeded.choice([runner for runner, at in due.items() if at <= self.now])
        self._current = chosen
        if chosen is not before:
            chosen.go.release()
        return chosen

    def _serve(self, runner: _Runner) -> None:
        runner.go.acquire()
        while runner.work is not None:
            try:
                runner.work()
            except BaseException as error:
                self._errors.append(error)
            self._runners.remove(runner)
            self._idle.append(runner)
            self._give()
            runner.go.acquire()
