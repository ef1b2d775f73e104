"""The contract between the engine and every step.

A step is one operation on one real system. It knows no terminal and no other step. All its
methods are synchronous and may be called again after a crash at any point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from cbctl.config.types import Reference, Secret

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What plans, journals and releases are made of. Amounts of money are integers in base units."""

StateFolder = Annotated[Path, "the environment's state on the machine that carries the step out"]
"""Type of an input that is a place to work in, and no file that the step is given: where another
machine carries the step out, it is that one's own."""

I = TypeVar("I")  # noqa: E741 - inputs, a frozen dataclass
F = TypeVar("F")  # facts, a frozen dataclass
O = TypeVar("O")  # noqa: E741 - outcome, a frozen dataclass


@dataclass(frozen=True)
class Observation(Generic[F]):
    """What the real system looks like.

    facts     what plans compare and hash: no times, no latencies, no process ids
    evidence  what is only shown (latency, slot, pid)
    """

    facts: F
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One difference that the step would remove, in the words of the person who reads the plan.

    what    the thing that changes, for example "program bytes" or "migration 0002_users"
    before  what is there now (None: nothing)
    after   what will be there
    """

    what: str
    before: Json = None
    after: Json = None


@dataclass(frozen=True)
class Nothing:
    """The system already is as the inputs ask."""

    because: str = ""


@dataclass(frozen=True)
class Changes:
    """What `apply` would change now."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Blocked:
    """The step must not run; the whole plan is refused (exit 7) before anything is changed."""

    why: str
    fix: str = ""


@dataclass(frozen=True)
class After:
    """Not knowable before other steps are done.

    needs  ids of those steps; `deploy.yaml` must name them under the step's `needs` too
    may    the most that the step may then change; more than this stops the run (exit 7)
    """

    needs: tuple[str, ...]
    may: tuple[Change, ...]


PlanVerdict = Nothing | Changes | Blocked | After


@dataclass(frozen=True)
class Verified:
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class NotVerified:
    """The system does not show what the step claims; the run fails.

    evidence  what explains it: events, statuses, the last log lines. Captured before any undo.
    """

    why: str
    fix: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)


Verdict = Verified | NotVerified


@dataclass(frozen=True)
class Waiting:
    """What `apply` answers when it did its part and the rest is up to somebody else: the run stops
    here (exit 5), nothing is undone, and a resume observes the step again.

    what      whom or what it waits for
    fix       what has to happen before it can go on
    evidence  what they need for that
    """

    what: str
    fix: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class CannotUndo:
    because: str


class Context(Protocol):
    """What the engine hands to a step for one call. Safe to use from the step's own thread."""

    @property
    def run(self) -> str:
        """Id of the run; "" while only planning."""

    @property
    def step(self) -> str:
        """Id of the step in the runbook."""

    def reveal(self, reference: Reference) -> Secret:
        """Resolves a reference at the moment the value is needed. Never keep the result."""

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """Says what is going on; shown, never journalled."""

    def fence(self) -> None:
        """Call right before each change on a system that cannot check the token itself.

        Raises when the lock is no longer ours or the run was told to stop."""

    @property
    def token(self) -> int:
        """The fencing token, for systems that can check it atomically."""

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Waits; raises like `fence` as soon as the run is told to stop."""


class Step(Generic[I, F, O]):
    """One operation: `cbctl db migrate` is `steps/db/migrate.py`, class `STEP`.

    A step module holds exactly one subclass and names it in a module variable `STEP`.
    """

    inputs: ClassVar[type[Any]]
    """The frozen dataclass of the inputs; flags of the subcommand are made from it. Fields of
    type `Reference` hold `${...}` unresolved; everything else is plain data."""
    summary: ClassVar[str]
    """One line for `--help` and for the plan."""
    at_most: ClassVar[tuple[str, ...]] = ()
    """Every `Change.what` this step can ever make, for a plan in which its inputs depend on what
    another step will do; () means that this cannot be said before."""

    def observe(self, ctx: Context, inputs: I) -> Observation[F]:
        """Looks at the real system; changes nothing. A system that is not there yet is a fact,
        not an error: `plan` then answers `After` or `Changes`."""
        raise NotImplementedError

    def plan(self, inputs: I, facts: F) -> PlanVerdict:
        """Pure: compares inputs with facts."""
        raise NotImplementedError

    def identify(self, ctx: Context, inputs: I, changes: tuple[Change, ...]) -> Json:
        """The external identity of the effect (buffer address, signature, snapshot name). It is
        journalled before the effect, and handed to `apply` again when the run is resumed."""
        return None

    def apply(
        self, ctx: Context, inputs: I, changes: tuple[Change, ...], intent: Json
    ) -> O | Waiting:
        """Makes the changes. Idempotent: with the `intent` of an earlier try it looks for that
        effect first."""
        raise NotImplementedError

    def outcome(self, ctx: Context, inputs: I, facts: F) -> O:
        """The outcome when there was nothing to change, so that later steps can refer to it."""
        raise NotImplementedError

    def verify(self, ctx: Context, inputs: I) -> Verdict:
        """Looks again, independently of `apply`, and also when nothing was changed."""
        raise NotImplementedError

    def undo(self, ctx: Context, inputs: I, before: Json, intent: Json) -> CannotUndo | None:
        """Brings back what `observe` saw before (its facts as JSON), in a run that failed."""
        return CannotUndo("this step has no way back of its own")
