"""Carries out a plan: lock, journal, steps side by side, verification, release, undo.

A run may be killed at any point. Whatever it did is in the journal before it was done (intent) and
after (outcome); `resume` looks at the real systems again and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cbctl.engine import journal as journals
from cbctl.engine import plan as plans
from cbctl.engine import release as releases
from cbctl.engine.canonical import plain
from cbctl.engine.executor import Task
from cbctl.engine.journal import RUNS, Head, Journal
from cbctl.engine.lock import RENEW_EVERY, Held, acquire
from cbctl.engine.plan import Node, Outcomes, Plan
from cbctl.engine.step import (
    After,
    Blocked,
    CannotUndo,
    Changes,
    Json,
    Nothing,
    NotVerified,
    PlanVerdict,
    Verdict,
)
from cbctl.engine.store import SCHEMA, Fenced
from cbctl.engine.world import Stopped, World, guarded
from cbctl.errors import CbctlError, Exit

Result = Literal["succeeded", "unchanged", "failed", "undone", "not undone", "cancelled", "refused"]


@dataclass(frozen=True)
class Job:
    """What a run carries out.

    kind      name of the runbook
    identity  hashes of runbook, inputs and configuration, version: what a plan and a resume pin
    left_out  ids of nodes that are only looked at; with any, no release is recorded
    parts     makes the content of the release from the outcomes; None: this job records none
    replaces  release that this job moves away from: marked bad once the job succeeded
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


@dataclass
class Ended:
    """The last word of a run; `cbctl … --output json` prints it."""

    run: str
    result: Result
    exit: Exit
    changes: list[Json] = field(default_factory=list)
    release: str | None = None
    error: CbctlError | None = None


@dataclass
class _Progress:
    """State of one node while the run goes on."""

    node: Node
    planned: plans.Planned
    intent: Json = None
    has_intent: bool = False
    inputs: Any = None
    changes: tuple[Any, ...] = ()
    before: Json = None
    outcome: Any = None
    state: Literal["waiting", "active", "verified", "failed", "left"] = "waiting"
    changed: bool = False
    started: float = 0.0


def nothing_to_do(world: World, job: Job, plan: Plan) -> bool:
    """True when the plan is empty and the release it would record is already the current one."""
    if not plan.empty:
        return False
    return bool(job.left_out) or not _release_differs(world, job, plan.outcomes)


def check_only(world: World, job: Job, plan: Plan) -> Ended:
    """Verifies every step of an empty plan, side by side, without lock and journal."""
    active: dict[Task[Verdict], Node] = {}
    failure: CbctlError | None = None
    for node in job.nodes:
        if node.id in job.left_out:
            continue
        inputs = node.bind(plan.outcomes)
        situation = world.situation("", node.id)
        work = _call(node.step.verify, situation, inputs)
        active[world.executor.submit(guarded(world, node.id, "verify", work))] = node
    while active:
        for task in world.executor.wait(list(active)):
            node = active.pop(task)
            try:
                _require(task.result(), node.id)
                world.emit("step.done", "", step=node.id, changed=False, changes=[], outcome=None)
            except CbctlError as error:
                _tell_failure(world, "", node.id, "verify", error)
                failure = failure or error
    if failure:
        return _end(world, Ended("", "failed", failure.exit, error=failure))
    current = releases.current(releases.history(world.store))
    return _end(world, Ended("", "unchanged", Exit.DONE, release=current.id if current else None))


def health(world: World, job: Job, plan: Plan) -> list[dict[str, Any]]:
    """What every step says of its part: [{name, state, detail, evidence}], changing nothing.

    A part that its step would change, or that it cannot verify, is unhealthy."""
    found: dict[str, dict[str, Any]] = {}
    active: dict[Task[Verdict], str] = {}

    def tell(id: str, state: str, detail: str, evidence: Mapping[str, Json]) -> None:
        found[id] = {"name": id, "state": state, "detail": detail, "evidence": plain(evidence)}

    for node in job.nodes:
        planned = plan.of(node.id)
        match planned.verdict:
            case Nothing():
                work = _call(
                    node.step.verify, world.situation("", node.id), node.bind(plan.outcomes)
                )
                task = world.executor.submit(guarded(world, node.id, "verify", work))
                active[task] = node.id
            case Changes(changes):
                what = ", ".join(f"{c.what} is {c.before}" for c in changes)
                tell(node.id, "unhealthy", what, planned.evidence)
            case Blocked(why, _):
                tell(node.id, "unhealthy", why, planned.evidence)
            case After(needs, _):
                tell(node.id, "unhealthy", "waits for " + ", ".join(needs), planned.evidence)
    while active:
        for task in world.executor.wait(list(active)):
            id = active.pop(task)
            try:
                verdict = task.result()
            except CbctlError as error:
                tell(id, "unhealthy", error.what, error.evidence)
                continue
            why = verdict.why if isinstance(verdict, NotVerified) else ""
            tell(id, "unhealthy" if why else "healthy", why, verdict.evidence)
    return [found[n.id] for n in job.nodes]


def refuse(world: World, plan: Plan) -> Ended:
    """The end of a plan with blocked steps: nothing was changed."""
    return _end(world, Ended("", "refused", Exit.REFUSED, error=blocked(plan)))


def start(world: World, job: Job, plan: Plan, since: Head | None) -> Ended:
    """Runs a plan that was just made and agreed to.

    since  the end of the newest run as it was before the plan was made"""
    if plan.blocked:
        return refuse(world, plan)
    run = journals.new_run(world.clock, world.random)
    held = _lock(world, run, job.reason)
    try:
        parent = journals.newest(world.store)
        if parent != since:
            error = CbctlError(
                "another run changed things after this plan was made",
                exit=Exit.REFUSED,
                fix="run the command again: it shows the new plan",
            )
            return _end(world, Ended("", "refused", Exit.REFUSED, error=error))
        log = Journal(world.store, world.clock, RUNS + run, held.token)
        log.write(
            "run.started",
            kind=job.kind,
            environment=job.environment,
            reason=job.reason,
            who=world.owner.who,
            host=world.owner.host,
            identity=dict(job.identity),
            selection=dict(job.selection),
            plan=plan.hash,
            replaces=job.replaces,
            shown=[
                {
                    "id": p.id,
                    "step": p.name,
                    "facts": p.facts,
                    **plans.describe(p.verdict),
                }
                for p in plan.steps
            ],
            parent=plain(parent),
        )
        world.emit("run.started", run, kind=job.kind, resumed=False)
        return _Run(world, job, plan, run, held, log, intents={}).carry_out()
    finally:
        held.release()


def resume(world: World, job: Job, plan: Plan, run: str) -> Ended:
    """Goes on with a run that did not end; `plan` is what the systems show now.

    Steps that the run had not begun may change no more than the plan showed when it was agreed to.
    """
    stream = RUNS + run
    records = journals.read(world.store, stream)
    require_resumable(records, run, job.identity)
    shown = {s["id"]: s for s in records[0].data["shown"]}
    intents = {r.data["step"]: r.data["identity"] for r in records if r.type == "step.intent"}
    for planned in plan.steps:
        if planned.id not in intents:
            _within(planned.id, planned.verdict, _shown_names(shown.get(planned.id)))
    if plan.blocked:
        return refuse(world, plan)
    held = _lock(world, run, f"resume of {job.reason}")
    try:
        log = Journal(world.store, world.clock, stream, held.token)
        log.write(
            "run.resumed",
            who=world.owner.who,
            host=world.owner.host,
            plan=plan.hash,
            parent=plain(journals.newest(world.store)),
        )
        world.emit("run.started", run, kind=job.kind, resumed=True)
        return _Run(world, job, plan, run, held, log, intents).carry_out()
    finally:
        held.release()


def require_resumable(
    records: list[journals.Record], run: str, identity: Mapping[str, Json]
) -> None:
    """Raises unless the run can go on with this cbctl, runbook and configuration."""
    if not records:
        raise CbctlError(f"there is no run {run}", exit=Exit.USAGE, fix="cbctl runs list")
    last = records[-1]
    if last.type == "run.ended" and last.data["result"] in ("succeeded", "undone"):
        raise CbctlError(
            f"run {run} already ended: {last.data['result']}",
            exit=Exit.USAGE,
            fix="cbctl runs list",
        )
    first = records[0]
    if first.schema != SCHEMA:
        raise CbctlError(
            f"run {run} was written with schema {first.schema}, this cbctl has {SCHEMA}",
            exit=Exit.REFUSED,
            fix=f"resume it with cbctl {first.data['identity'].get('cbctl', 'of that time')}, "
            "or start a new run",
        )
    was = first.data["identity"]
    differs = [k for k in sorted(set(was) | set(identity)) if was.get(k) != identity.get(k)]
    if differs:
        lines = "; ".join(f"{k}: then {was.get(k)}, now {identity.get(k)}" for k in differs)
        raise CbctlError(
            f"run {run} was planned from something else: {lines}",
            exit=Exit.REFUSED,
            fix="bring that back and resume, or start a new run, which shows its own plan",
        )


def blocked(plan: Plan) -> CbctlError:
    first = plan.blocked[0]
    assert isinstance(first.verdict, Blocked)
    others = len(plan.blocked) - 1
    more = f" (and {others} more blocked)" if others else ""
    return CbctlError(
        first.verdict.why + more, exit=Exit.REFUSED, where=first.id, fix=first.verdict.fix
    )


class _Run:
    def __init__(
        self,
        world: World,
        job: Job,
        plan: Plan,
        run: str,
        held: Held,
        log: Journal,
        intents: Mapping[str, Json],
    ) -> None:
        self.world, self.job, self.run, self.held, self.log = world, job, run, held, log
        self.nodes = {
            n.id: _Progress(n, plan.of(n.id), intents.get(n.id), n.id in intents) for n in job.nodes
        }
        for id in job.left_out:
            self.nodes[id].state = "left"
        self.active: dict[Task[Any], tuple[_Progress, str]] = {}
        self.applied: list[_Progress] = []
        self.failure: CbctlError | None = None
        self.stopped: str = ""

    def carry_out(self) -> Ended:
        renewing = self.world.executor.every(RENEW_EVERY, self.held.renew)
        try:
            try:
                self._steps()
                if self.failure is None and not self.stopped:
                    release = self._record_release()
                    return self._finish("succeeded", Exit.DONE, release=release)
                return self._after_failure()
            except Fenced as lost:
                # nothing more may be written either: whoever has the lock now owns the journal
                error = CbctlError(
                    f"the lock was lost, so nothing more was changed: {lost}",
                    exit=Exit.LOCKED,
                    fix=f"cbctl lock status; then: cbctl resume {self.run}",
                )
                return _end(
                    self.world,
                    Ended(self.run, "failed", Exit.LOCKED, self._changes(), error=error),
                )
        finally:
            renewing.cancel()

    # -- steps ------------------------------------------------------------------------------

    def _steps(self) -> None:
        while True:
            if self.world.stop.requested and not self.stopped:
                self.stopped = self.world.stop.requested
            if self.failure is None and not self.stopped:
                for p in self.nodes.values():
                    if p.state == "waiting" and self._ready(p):
                        self._begin(p)
            if not self.active:
                return
            for task in self.world.executor.wait(list(self.active)):
                p, phase = self.active.pop(task)
                try:
                    self._next(p, phase, task.result())
                except Stopped as why:
                    p.state, self.stopped = "left", str(why)
                except Fenced:
                    p.state = "left"
                    self._drain()
                    raise
                except CbctlError as error:
                    self._fail(p, phase, error)

    def _ready(self, p: _Progress) -> bool:
        needs = [n for n in p.node.needs if n not in self.job.left_out]
        return all(self.nodes[n].state == "verified" for n in needs)

    def _begin(self, p: _Progress) -> None:
        p.state, p.started = "active", self.world.clock.monotonic()
        changed_before = any(self.nodes[n].changed for n in p.node.needs)
        if isinstance(p.planned.verdict, Nothing) and not changed_before and not p.has_intent:
            p.outcome = p.planned.outcome
            p.inputs = p.node.bind(self._outcomes())
            self._verify(p)
            return
        situation = self.world.situation(self.run, p.node.id)
        outcomes = self._outcomes()
        node = p.node

        def observe() -> tuple[Any, plans.Planned]:
            return node.bind(outcomes), plans.look(node, situation, outcomes)

        self._submit(p, "observe", observe)

    def _next(self, p: _Progress, phase: str, value: Any) -> None:
        """A phase of a step is done: journal it and start the next one."""
        step = p.node.step
        match phase:
            case "observe":
                p.inputs, seen = value
                p.before = seen.facts
                verdict = self._acceptable(p, seen.verdict)
                if isinstance(verdict, Nothing):
                    p.outcome = seen.outcome
                    self._verify(p)
                    return
                p.changes = verdict.changes
                self.world.emit(
                    "step.started",
                    self.run,
                    step=p.node.id,
                    phase="apply",
                    summary=step.summary,
                    changes=plans.changes_json(p.changes),
                )
                if p.has_intent:
                    self._apply(p)
                else:
                    situation = self.world.situation(self.run, p.node.id, self.held)
                    self._submit(
                        p, "identify", _call(step.identify, situation, p.inputs, p.changes)
                    )
            case "identify":
                p.intent, p.has_intent = plain(value), True
                self.log.write(
                    "step.intent",
                    step=p.node.id,
                    identity=p.intent,
                    before=p.before,
                    changes=plans.changes_json(p.changes),
                )
                self._apply(p)
            case "apply":
                p.outcome, p.changed = value, True
                self.log.write("step.outcome", step=p.node.id, outcome=plain(value))
                self._verify(p)
            case "verify":
                _require(value, p.node.id)
                p.state = "verified"
                seconds = round(self.world.clock.monotonic() - p.started, 3)
                if p.has_intent:
                    self.log.write("step.verified", step=p.node.id, evidence=plain(value.evidence))
                self.world.emit(
                    "step.done",
                    self.run,
                    step=p.node.id,
                    changed=p.changed,
                    changes=plans.changes_json(p.changes),
                    outcome=plain(p.outcome),
                    seconds=seconds,
                )

    def _acceptable(self, p: _Progress, verdict: PlanVerdict) -> Nothing | Changes:
        """What is planned now, unless it goes beyond what was shown before the run."""
        match verdict:
            case Blocked(why, fix):
                raise CbctlError(why, exit=Exit.REFUSED, where=p.node.id, fix=fix)
            case After(needs, _):
                raise CbctlError(
                    "still cannot be planned although it only waits for " + ", ".join(needs),
                    where=p.node.id,
                    fix=f"name them under needs: of the step {p.node.id}, or do not leave them out",
                    exit=Exit.REFUSED,
                )
        if not p.has_intent:
            _within(p.node.id, verdict, p.planned.may)
        return verdict

    def _apply(self, p: _Progress) -> None:
        situation = self.world.situation(self.run, p.node.id, self.held)
        self.applied.append(p)
        work = _call(p.node.step.apply, situation, p.inputs, p.changes, p.intent)
        self._submit(p, "apply", work)

    def _verify(self, p: _Progress) -> None:
        situation = self.world.situation(self.run, p.node.id)
        self._submit(p, "verify", _call(p.node.step.verify, situation, p.inputs))

    def _submit(self, p: _Progress, phase: str, work: Callable[[], Any]) -> None:
        task = self.world.executor.submit(guarded(self.world, p.node.id, phase, work))
        self.active[task] = (p, phase)

    def _fail(self, p: _Progress, phase: str, error: CbctlError) -> None:
        p.state = "failed"
        self.failure = self.failure or error
        self.log.write(
            "step.failed",
            step=p.node.id,
            phase=phase,
            error=str(error),
            fix=error.fix,
            evidence=plain(error.evidence),
        )
        _tell_failure(self.world, self.run, p.node.id, phase, error)

    def _drain(self) -> None:
        """Waits for what is still going on; its results count no more."""
        while self.active:
            for task in self.world.executor.wait(list(self.active)):
                self.active.pop(task)

    def _outcomes(self) -> dict[str, Any]:
        return {
            id: (p.outcome if p.outcome is not None else p.planned.outcome)
            for id, p in self.nodes.items()
            if p.state == "verified" or isinstance(p.planned.verdict, Nothing)
        }

    def _changes(self) -> list[Json]:
        return [
            {"step": p.node.id, **change}
            for p in self.applied
            for change in plans.changes_json(p.changes)
            if isinstance(change, dict)
        ]

    # -- the end ----------------------------------------------------------------------------

    def _record_release(self) -> str | None:
        if self.job.left_out or self.job.parts is None:
            return None
        world, outcomes = self.world, self._outcomes()
        if not _release_differs(world, self.job, outcomes):
            current = releases.current(releases.history(world.store))
            return current.id if current else None
        id = releases.record(
            world.store,
            world.clock,
            self.held.token,
            run=self.run,
            who=world.owner.who,
            state="healthy",
            parts=self.job.parts(outcomes),
            identity=dict(self.job.identity),
            head=self.log.head,
        )
        self.log.write("release.recorded", id=id)
        if self.job.replaces:
            releases.mark(
                world.store,
                world.clock,
                self.held.token,
                self.job.replaces,
                "bad",
                world.owner.who,
                f"rolled back by run {self.run}",
            )
        return id

    def _after_failure(self) -> Ended:
        if self.stopped and self.failure is None:
            stopped = CbctlError(
                f"stopped: {self.stopped}", exit=Exit.CANCELLED, fix=f"cbctl resume {self.run}"
            )
            return self._finish("cancelled", Exit.CANCELLED, error=stopped)
        assert self.failure is not None
        if not self.applied:
            return self._finish("failed", self.failure.exit, error=self.failure)
        if self.job.undo:
            left = self._undo()
            if not left:
                return self._finish("undone", Exit.UNDONE, error=self.failure)
        exit = Exit.TIMEOUT if self.failure.exit is Exit.TIMEOUT else Exit.NOT_UNDONE
        self.failure.fix = _join(self.failure.fix, f"cbctl resume {self.run} goes on from there")
        return self._finish("not undone", exit, error=self.failure)

    def _undo(self) -> list[str]:
        """Brings back what this run applied, last first; returns the steps that stay."""
        left: list[str] = []
        for p in reversed(self.applied):
            situation = self.world.situation(self.run, p.node.id, self.held)
            work = _call(p.node.step.undo, situation, p.inputs, p.before, p.intent)
            task = self.world.executor.submit(guarded(self.world, p.node.id, "undo", work))
            cannot: str | None = None
            try:
                self.world.executor.wait([task])
                result = task.result()
                cannot = result.because if isinstance(result, CannotUndo) else None
            except CbctlError as error:
                cannot = str(error)
            except Stopped as why:
                cannot = str(why)
            if cannot:
                left.append(p.node.id)
            self.log.write("step.undone", step=p.node.id, cannot=cannot)
            self.world.emit("step.undone", self.run, step=p.node.id, cannot=cannot)
        return left

    def _finish(
        self,
        result: Result,
        exit: Exit,
        *,
        release: str | None = None,
        error: CbctlError | None = None,
    ) -> Ended:
        changes = self._changes()
        self.log.write(
            "run.ended",
            result=result,
            exit=int(exit),
            changes=changes,
            release=release,
            error=str(error) if error else None,
        )
        return _end(self.world, Ended(self.run, result, exit, changes, release, error))


def _lock(world: World, run: str, reason: str) -> Held:
    return acquire(
        world.store,
        world.clock,
        world.owner,
        run,
        reason,
        lambda holder: world.emit(
            "lock.waiting", run, holder=f"{holder.owner.who} on {holder.owner.host}"
        ),
    )


def _release_differs(world: World, job: Job, outcomes: Outcomes) -> bool:
    if job.parts is None:
        return False
    current = releases.current(releases.history(world.store))
    return current is None or current.state == "bad" or current.parts != job.parts(outcomes)


def _within(id: str, verdict: PlanVerdict, shown: frozenset[str] | None) -> None:
    """Raises (exit 7) when a verdict holds a change that was not shown."""
    if shown is None or not isinstance(verdict, Changes):
        return
    more = [c.what for c in verdict.changes if c.what not in shown]
    if more:
        raise CbctlError(
            "would now change more than the plan showed: " + ", ".join(more),
            exit=Exit.REFUSED,
            where=id,
            fix="run the command again: it shows the new plan",
        )


def _shown_names(shown: Mapping[str, Any] | None) -> frozenset[str] | None:
    if shown is None:
        return frozenset()
    names = frozenset(c["what"] for c in shown["changes"])
    return (names or None) if shown["verdict"] == "after" else names


def _require(verdict: Verdict, id: str) -> None:
    if isinstance(verdict, NotVerified):
        raise CbctlError(
            verdict.why, exit=Exit.FAILED, where=id, fix=verdict.fix, evidence=verdict.evidence
        )


def _tell_failure(world: World, run: str, id: str, phase: str, error: CbctlError) -> None:
    world.emit(
        "step.failed",
        run,
        step=id,
        phase=phase,
        error=error.what,
        where=error.where,
        fix=error.fix,
        evidence=plain(error.evidence),
    )


def _end(world: World, ended: Ended) -> Ended:
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


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _join(*parts: str) -> str:
    return "; ".join(p for p in parts if p)
