"""What a run is given, and what it says at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cbctl.engine.plan import Node, Outcomes, Plan
from cbctl.engine.policy import Passed
from cbctl.engine.step import Blocked, Json
from cbctl.engine.world import World
from cbctl.errors import CbctlError, Exit

Result = Literal[
    "succeeded",
    "unchanged",
    "waiting",
    "failed",
    "undone",
    "not undone",
    "cancelled",
    "refused",
]


@dataclass(frozen=True)
class Job:
    """What a run carries out.

    kind      name of the runbook
    identity  hashes of runbook, inputs and configuration, version: what a plan and a resume pin
    left_out  ids of nodes that are only looked at; with any, no release is recorded
    parts     makes the content of the release from the outcomes; None: this job records none
    replaces  release that this job moves away from: marked bad once the job succeeded
    passed    what policy held against it, and why it goes on all the same
    sources   sha256 of what is deployed from this machine, by name: plan and resume pin them too
    rules     the policy that it was judged by
    """

    kind: str
    environment: str
    reason: str
    nodes: tuple[Node, ...]
    identity: Mapping[str, Json]
    selection: Mapping[str, Json]
    left_out: frozenset[str]
    parts: Callable[[Outcomes], dict[str, Json]] | None
    undo: bool = False
    replaces: str | None = None
    passed: tuple[Passed, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Json] = field(default_factory=dict)

    @property
    def pinned(self) -> dict[str, Json]:
        """What must be the same when the run is resumed."""
        return {**self.identity, **self.sources}

    @property
    def planned_from(self) -> dict[str, Json]:
        """What the hash of its plan covers beside the steps."""
        return {**self.pinned, "selection": dict(self.selection)}

    @property
    def selects(self) -> bool:
        """Whether it was asked for some steps only."""
        return bool(self.left_out)

    @property
    def replaces_runs(self) -> bool:
        """Whether it takes the place of a run that was interrupted."""
        return any(node.step.replaces_runs for node in self.nodes)

    @property
    def records(self) -> Callable[[Outcomes], dict[str, Json]] | None:
        """Makes the release, unless steps were left out: only a whole runbook is one."""
        return None if self.left_out else self.parts


@dataclass
class Ended:
    """The last word of a run; `cbctl … --output json` prints it.

    changes  all that the run made or began, also before it was resumed
    """

    run: str
    result: Result
    exit: Exit
    changes: list[Json] = field(default_factory=list)
    release: str | None = None
    error: CbctlError | None = None


def end(world: World, ended: Ended) -> Ended:
    world.emit("run.ended", ended.run, **summary(ended))
    return ended


def summary(ended: Ended) -> dict[str, Json]:
    """The result as scripts read it."""
    error: dict[str, Json] | None = None
    if ended.error:
        error = {"what": ended.error.what, "where": ended.error.where, "fix": ended.error.fix}
    return {
        "run": ended.run,
        "result": ended.result,
        "exit": int(ended.exit),
        "changes": ended.changes,
        "release": ended.release,
        "error": error,
    }


def refuse(world: World, plan: Plan) -> Ended:
    """The end of a plan with blocked steps: nothing was changed."""
    return end(world, Ended("", "refused", Exit.REFUSED, error=blocked(plan)))


def cancelled(world: World, why: object) -> Ended:
    """The end of a command that was stopped before its run began."""
    error = CbctlError(f"stopped: {why}; nothing was changed", exit=Exit.CANCELLED)
    return end(world, Ended("", "cancelled", Exit.CANCELLED, error=error))


def blocked(plan: Plan) -> CbctlError:
    first = plan.blocked[0]
    assert isinstance(first.verdict, Blocked)
    others = len(plan.blocked) - 1
    more = f" (and {others} more blocked)" if others else ""
    return CbctlError(
        first.verdict.why + more, exit=Exit.REFUSED, where=first.id, fix=first.verdict.fix
    )
