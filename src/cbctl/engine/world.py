"""What is injected into the engine, and what the engine hands on to a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, TypeVar

from cbctl.config.types import Reference, Secret
from cbctl.engine.clock import Clock, Random, stamp
from cbctl.engine.event import Event, Sink
from cbctl.engine.executor import Executor
from cbctl.engine.lock import Held
from cbctl.engine.step import Json
from cbctl.engine.store import Fenced, Owner, Store
from cbctl.errors import CbctlError, Exit, refusal

T = TypeVar("T")


class Stopped(Exception):
    """The user asked the run to stop; raised at the next safe point."""


@dataclass
class Stop:
    """Set by a signal; looked at before each change and each new step."""

    requested: str = ""

    def request(self, why: str) -> None:
        self.requested = self.requested or why

    def check(self) -> None:
        if self.requested:
            raise Stopped(self.requested)


@dataclass(frozen=True)
class World:
    """Everything outside the engine.

    identify  who is at work; asked when it matters for the first time, for it may need a cluster
    scrub     takes every value that was revealed so far out of a text
    """

    store: Store
    clock: Clock
    random: Random
    executor: Executor
    sink: Sink
    identify: Callable[[], Owner]
    reveal: Callable[[Reference], Secret]
    scrub: Callable[[str], str]
    stop: Stop = field(default_factory=Stop)

    @cached_property
    def owner(self) -> Owner:
        return self.identify()

    def emit(self, type: str, run: str, /, **data: Json) -> None:
        # a face that broke (its terminal is gone) must not stop a run half-way
        with suppress(Exception):
            told = {name: self.legible(value) for name, value in data.items()}
            self.sink(Event(type, stamp(self.clock.wall()), run, told))

    def text(self, text: object) -> str:
        """Fit to be shown and journalled: scrubbed, and writable as UTF-8."""
        return self.scrub(str(text)).encode("utf-8", "replace").decode()

    def shown(self, evidence: Mapping[str, Any]) -> dict[str, Json]:
        """Evidence fit to be shown and journalled. It explains a failure, so nothing in it may
        cause another one: what is no JSON value becomes text."""
        return {self.text(k): self.legible(v) for k, v in evidence.items()}

    def legible(self, value: Any) -> Json:
        """Any plain value with every text in it scrubbed."""
        once = cache(self.text)  # a long list says the same words in each of its items

        def made(value: Any) -> Json:
            match value:
                case None | bool() | int() | float():
                    return value
                case Mapping():
                    return {once(str(k)): made(v) for k, v in value.items()}
                case list() | tuple():
                    return [made(v) for v in value]
            return once(str(value))

        return made(value)

    def fit(self, error: CbctlError, where: str = "") -> CbctlError:
        """The same error, fit to be shown; where: if it does not say it itself"""
        return CbctlError(
            self.text(error.what),
            exit=error.exit,
            where=self.text(error.where or where),
            fix=self.text(error.fix),
            evidence=self.shown(error.evidence),
        )

    def situation(self, run: str, step: str, held: Held | None = None) -> Situation:
        return Situation(self, run, step, held)


@dataclass(frozen=True)
class Situation:
    """The Context of one call of a step."""

    world: World
    run: str
    step: str
    held: Held | None

    def reveal(self, reference: Reference) -> Secret:
        return self.world.reveal(reference)

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self.world.emit(
            "step.progress",
            self.run,
            step=self.step,
            message=message,
            done=done,
            total=total,
        )

    def fence(self) -> None:
        if self.held is None:
            raise CbctlError("a step tried to change something while it only looks")
        self.held.fence()
        self.world.stop.check()  # last: reading the lock takes a while

    @property
    def token(self) -> int:
        return self.held.token if self.held else 0

    def monotonic(self) -> float:
        return self.world.clock.monotonic()

    def wall(self) -> float:
        return self.world.clock.wall()

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            self.world.stop.check()
            self.world.clock.sleep(min(left, 0.1))


def guarded(world: World, step: str, phase: str, work: Callable[[], T]) -> Callable[[], T]:
    """Turns whatever a step raises into an error fit for people: scrubbed, never a traceback."""

    def run() -> T:
        try:
            return work()
        except (Stopped, Fenced):
            raise
        except BaseException as error:
            told = error if isinstance(error, CbctlError) else refusal(error)
            if told is not None:
                raise world.fit(told, step) from error
            # A defect of the step: its place is named, so that it can be mended. Also what is no
            # Exception: a panic of an extension, or a library's sys.exit, must not end the engine.
            raise CbctlError(
                world.text(f"unexpected {type(error).__name__} in {phase}: {error}"),
                where=f"{step} ({place(error)})",
                fix="this is a defect of cbctl; nothing is lost: cbctl resume goes on",
                exit=Exit.FAILED,
            ) from error

    return run


def place(error: BaseException) -> str:
    """module:line of ours in which an exception was raised."""
    trace = error.__traceback__
    found = "?"
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "?")
        if str(name).startswith("cbctl"):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
