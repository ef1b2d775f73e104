"""Carries out the steps of a run: side by side, each journalled before and after its effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from cbctl.engine import plan as plans
from cbctl.engine.canonical import recordable
from cbctl.engine.check import require, tell_failure, verify
from cbctl.engine.executor import Task
from cbctl.engine.job import Job
from cbctl.engine.journal import Journal
from cbctl.engine.lock import Held
from cbctl.engine.past import Effect, Past
from cbctl.engine.plan import Node, Plan, Planned
from cbctl.engine.step import (
    After,
    Blocked,
    Change,
    Changes,
    Json,
    Nothing,
    PlanVerdict,
    Verdict,
    Waiting,
)
from cbctl.engine.world import Situation, Stopped, World, guarded
from cbctl.errors import CbctlError, Exit


@dataclass
class Progress:
    """State of one node while the run goes on.

    may      what it may change, as agreed to; None: could not be said
    effect   what was journalled of it, also before the run was resumed
    touched  it, or what it comes after, was changed: what was planned of it may be out of date
    """

    node: Node
    planned: Planned
    may: frozenset[str] | None
    effect: Effect | None
    inputs: Any = None
    before: Json = None
    changes: tuple[Change, ...] = ()
    outcome: Any = None
    state: Literal["waiting", "active", "verified", "failed", "left"] = "waiting"
    touched: bool = False
    started: float = 0.0

    @property
    def id(self) -> str:
        return self.node.id


class Carrying:
    """failure  the first one: nothing new is begun after it
    stopped  why the user's wish to stop was followed
    waits    for what somebody else has to do; nothing new is begun after it either
    proving  the release is recorded: the steps that prove it may begin
    """

    def __init__(
        self, world: World, job: Job, plan: Plan, run: str, held: Held, log: Journal, past: Past
    ) -> None:
        self.world, self.job, self.run, self.held, self.log = world, job, run, held, log
        self.nodes = {
            n.id: Progress(
                n, plan.of(n.id), past.shown.get(n.id, frozenset()), past.effects.get(n.id)
            )
            for n in job.nodes
        }
        for id in job.left_out:
            self.nodes[id].state = "left"
        self.past = past
        self.begun = [self.nodes[id] for id in past.effects if id in self.nodes]
        self.active: dict[Task[Any], tuple[Progress, str]] = {}
        self.failure: CbctlError | None = None
        self.stopped = ""
        self.waits: CbctlError | None = None
        self.proving = False

    def steps(self) -> None:
        """Returns when nothing is going on any more: all is verified, or failure, stopped or waits
        is set. Raises Fenced, or what the store raised, with steps still active."""
        while True:
            self.stopped = self.stopped or self.world.stop.requested
            begins = self.failure is None and self.waits is None and not self.stopped
            if begins:
                for p in self.nodes.values():
                    if p.state == "waiting" and self._ready(p):
                        self._step(p, "observe", partial(self._begin, p))
            if self.active:
                for task in self._wait():
                    p, phase = self.active.pop(task)
                    self._step(p, phase, partial(self._next, p, phase, task))
            elif not begins or not self._any_ready():
                return

    def drain(self) -> None:
        """Waits for what is still going on; its results count no more."""
        while self.active:
            for task in self._wait():
                self.active.pop(task)

    def outcomes(self) -> dict[str, Any]:
        """Of the steps that are done, and of those left out that had nothing to do."""
        done = {id: p.outcome for id, p in self.nodes.items() if p.state == "verified"}
        left = {
            id: p.planned.outcome
            for id, p in self.nodes.items()
            if id in self.job.left_out and isinstance(p.planned.verdict, Nothing)
        }
        return {**left, **done}

    def changes(self) -> list[Json]:
        """All that this run began, in the order of its beginning."""
        begun = [(p.id, p.effect) for p in self.begun if p.effect]
        return [
            {"step": id, "what": c.what, "before": c.before, "after": c.after}
            for id, effect in (*self.past.undone, *begun)
            for c in effect.changes
        ]

    # -- one step ---------------------------------------------------------------------------

    def _step(self, p: Progress, phase: str, go_on: Callable[[], None]) -> None:
        try:
            go_on()
        except Stopped as why:
            # a step may note on it what it leaves behind
            notes = (self.world.text(note) for note in getattr(why, "__notes__", ()))
            p.state, self.stopped = "left", "; ".join((str(why), *notes))
        except _Failed as failed:
            self._fail(p, phase, failed.error)

    def _any_ready(self) -> bool:
        return any(p.state == "waiting" and self._ready(p) for p in self.nodes.values())

    def _ready(self, p: Progress) -> bool:
        if p.node.proves and not self.proving:
            return False
        needs = p.node.after - self.job.left_out
        return all(self.nodes[n].state == "verified" for n in needs)

    def _begin(self, p: Progress) -> None:
        p.state, p.started = "active", self.world.clock.monotonic()
        p.touched = any(self.nodes[n].touched for n in p.node.after)
        node, outcomes = p.node, self.outcomes()
        if isinstance(p.planned.verdict, Nothing) and not p.touched and p.effect is None:
            p.outcome = p.planned.outcome
            p.inputs = _mine(guarded(self.world, p.id, "observe", partial(node.bind, outcomes)))
            self._verify(p)
            return
        situation = self._situation(p)

        def observe() -> tuple[Any, Planned]:
            seen = plans.look(node, situation, outcomes)
            known = not isinstance(seen.verdict, After)
            return (node.bind(outcomes) if known else None), seen

        self._submit(p, "observe", observe)

    def _next(self, p: Progress, phase: str, task: Task[Any]) -> None:
        """A phase of a step is done: journal it and start the next one."""
        value = _mine(task.result)
        match phase:
            case "observe":
                self._observed(p, *value)
            case "identify":
                self._identified(p, value)
            case "apply":
                self._applied(p, *value)
            case "verify":
                self._verified(p, value)

    def _observed(self, p: Progress, inputs: Any, seen: Planned) -> None:
        verdict = _mine(partial(_acceptable, p, seen.verdict))
        p.inputs = inputs
        if isinstance(verdict, Nothing):
            p.outcome = seen.outcome
            self._verify(p)
            return
        p.changes, p.before = verdict.changes, seen.facts
        self.world.emit(
            "step.started",
            self.run,
            step=p.id,
            phase="apply",
            summary=p.node.step.summary,
            changes=plans.changes_json(p.changes),
        )
        if p.effect is None:
            identify, situation = p.node.step.identify, self._situation(p, self.held)

            def identified() -> Json:
                situation.fence()
                return recordable(identify(situation, p.inputs, p.changes))

            self._submit(p, "identify", identified)
            return
        known = {c.what for c in p.effect.changes}
        more = tuple(c for c in p.changes if c.what not in known)
        if more:
            self._intend(p, p.effect.and_also(more), more)
        self._apply(p)

    def _identified(self, p: Progress, identity: Json) -> None:
        self.world.stop.check()
        self._intend(p, Effect(identity, p.before, p.changes), p.changes)
        self.begun.append(p)
        self._apply(p)

    def _intend(self, p: Progress, effect: Effect, changes: tuple[Change, ...]) -> None:
        self.log.write(
            "step.intent",
            step=p.id,
            identity=effect.identity,
            before=effect.before,
            changes=plans.changes_json(changes),
        )
        p.effect = effect

    def _apply(self, p: Progress) -> None:
        assert p.effect is not None
        p.touched = True
        step, situation, identity = p.node.step, self._situation(p, self.held), p.effect.identity

        def apply() -> tuple[Any, Json]:
            situation.fence()
            outcome = step.apply(situation, p.inputs, p.changes, identity)
            if isinstance(outcome, Waiting):
                return outcome, None
            return outcome, self.world.legible(recordable(outcome))

        self._submit(p, "apply", apply)

    def _applied(self, p: Progress, outcome: Any, record: Json) -> None:
        if isinstance(outcome, Waiting):
            self._wait_for(p, outcome)
            return
        p.outcome = outcome
        self.log.write("step.outcome", step=p.id, outcome=record)
        self._verify(p)

    def _wait_for(self, p: Progress, waiting: Waiting) -> None:
        p.state = "left"
        fix, evidence = waiting.fix, waiting.evidence
        told = self.world.fit(
            CbctlError(waiting.what, exit=Exit.NOT_UNDONE, where=p.id, fix=fix, evidence=evidence)
        )
        self.waits = self.waits or told
        record: dict[str, Json] = {
            "step": p.id,
            "what": told.what,
            "fix": told.fix,
            "evidence": told.evidence,
        }
        self.log.write("step.waiting", **record)
        self.world.emit("step.waiting", self.run, **record)

    def _verify(self, p: Progress) -> None:
        self._submit(p, "verify", partial(verify, p.node, self._situation(p), p.inputs))

    def _verified(self, p: Progress, verdict: Verdict) -> None:
        _mine(partial(require, verdict, p.id))
        outcome = _mine(guarded(self.world, p.id, "verify", partial(recordable, p.outcome)))
        if p.effect is not None:
            self.log.write("step.verified", step=p.id, evidence=dict(verdict.evidence))
        p.state = "verified"
        self.world.emit(
            "step.done",
            self.run,
            step=p.id,
            changed=p.effect is not None,
            changes=plans.changes_json(p.effect.changes if p.effect else ()),
            outcome=outcome,
            seconds=round(self.world.clock.monotonic() - p.started, 3),
        )

    def _fail(self, p: Progress, phase: str, error: CbctlError) -> None:
        p.state = "failed"
        self.failure = self.failure or error
        self.log.write(
            "step.failed",
            step=p.id,
            phase=phase,
            error=str(error),
            fix=error.fix,
            evidence=dict(error.evidence),
        )
        tell_failure(self.world, self.run, p.id, phase, error)

    # -- details ----------------------------------------------------------------------------

    def _situation(self, p: Progress, held: Held | None = None) -> Situation:
        return self.world.situation(self.run, p.id, held)

    def _submit(self, p: Progress, phase: str, work: Callable[[], Any]) -> None:
        task = self.world.executor.submit(guarded(self.world, p.id, phase, work))
        self.active[task] = (p, phase)

    def _wait(self) -> Sequence[Task[Any]]:
        try:
            return self.world.executor.wait(list(self.active))
        except KeyboardInterrupt:
            self.world.stop.request("SIGINT")
            return ()


class _Failed(Exception):
    """A step failed. Apart from CbctlError, which a store may raise too: that ends the run."""

    def __init__(self, error: CbctlError) -> None:
        self.error = error


def _mine(work: Callable[[], Any]) -> Any:
    """What a step made, or its error."""
    try:
        return work()
    except CbctlError as error:
        raise _Failed(error) from error


def _acceptable(p: Progress, verdict: PlanVerdict) -> Nothing | Changes:
    """What is planned now, unless it goes beyond what was agreed to."""
    match verdict:
        case Blocked(why, fix):
            raise CbctlError(why, exit=Exit.REFUSED, where=p.id, fix=fix)
        case After(needs, _):
            raise CbctlError(
                "still cannot be planned although it only waits for " + ", ".join(needs),
                where=p.id,
                fix=f"name them under needs: of the step {p.id}, or do not leave them out",
                exit=Exit.REFUSED,
            )
    if p.effect is None:  # else it goes on with what it began, which may look like more by now
        within(p.id, verdict, p.may)
    return verdict


def within(id: str, verdict: PlanVerdict, may: frozenset[str] | None) -> None:
    """Raises (exit 7) when a verdict holds a change that was not shown."""
    if may is None or not isinstance(verdict, Changes):
        return
    more = [c.what for c in verdict.changes if c.what not in may]
    if more:
        raise CbctlError(
            "would now change more than the plan showed: " + ", ".join(more),
            exit=Exit.REFUSED,
            where=id,
            fix="run the command again: it shows the new plan",
        )
