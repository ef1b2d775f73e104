"""A run from its lock to its last record.

A run may be killed at any point. Whatever it did is in the journal before it was done (intent) and
after (outcome); `resume` looks at the real systems again and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cbctl.engine import journal as journals
from cbctl.engine import past as pasts
from cbctl.engine import plan as plans
from cbctl.engine import policy
from cbctl.engine import release as releases
from cbctl.engine.canonical import plain
from cbctl.engine.carry import Carrying, within
from cbctl.engine.check import check_only, health, nothing_to_do
from cbctl.engine.ending import lock_lost, to_the_end
from cbctl.engine.job import Ended, Job, Result, cancelled, end, refuse, summary
from cbctl.engine.journal import BESIDE, RUNS, Head, Journal
from cbctl.engine.lock import RENEW_EVERY, Held, Unlocked, acquire, last_token
from cbctl.engine.past import Past, require_resumable
from cbctl.engine.plan import Plan
from cbctl.engine.store import Fenced, Store
from cbctl.engine.world import Stopped, World
from cbctl.errors import CbctlError, Exit

__all__ = [
    "Ended",
    "Job",
    "Moment",
    "Result",
    "beside",
    "check_only",
    "health",
    "moment",
    "nothing_to_do",
    "refuse",
    "require_resumable",
    "resume",
    "start",
    "summary",
]


@dataclass(frozen=True)
class Moment:
    """How far others had come when a plan was made: the plan counts only while this holds.

    token   of the lock: everyone who changes something takes it first
    newest  the end of the newest run
    held    somebody who was not certainly dead had the lock, and may have worked on since
    """

    token: int
    newest: Head | None
    held: bool


def moment(store: Store) -> Moment:
    """To be asked for before the plan is made."""
    now = store.read_lock()
    held = now is not None and now.held and store.owner_state(now.owner) != "dead"
    return Moment(last_token(store, now), journals.newest(store), held)


def start(world: World, job: Job, plan: Plan, since: Moment) -> Ended:
    """Runs a plan that was just made and agreed to.

    since  the moment before the plan was made"""
    if plan.blocked:
        return refuse(world, plan)
    if job.records is not None:
        releases.history(world.store)  # refused now if broken, not when all is done
    run = journals.new_run(world.store, world.clock, world.random)

    def work(held: Held) -> Ended:
        if since.held and _planned_anew(world, job, held).hash != plan.hash:
            raise _moved()
        log = Journal(world.store, world.clock, RUNS + run, held.token)
        return _begun(world, job, plan, run, held, log, since.newest)

    return _locked(world, job, run, job.reason, since, work)


def beside(world: World, job: Job, plan: Plan) -> Ended:
    """Carries out a plan whose steps need no lock, beside whoever holds it. Its journal is no
    run's, so that no run is replaced by it; it names the one before it of its kind."""
    now = world.store.read_lock()
    run = journals.new_run(world.store, world.clock, world.random, BESIDE)
    before = journals.newest(world.store, BESIDE)
    token = last_token(world.store, now)
    log = Journal(world.store, world.clock, BESIDE + run, token, beside=True)
    return _begun(world, job, plan, run, Unlocked(), log, before)


def _begun(
    world: World, job: Job, plan: Plan, run: str, held: Held, log: Journal, parent: Head | None
) -> Ended:
    log.write(
        "run.started",
        kind=job.kind,
        environment=job.environment,
        reason=job.reason,
        who=world.owner.who,
        host=world.owner.host,
        identity=job.pinned,
        selection=dict(job.selection),
        plan=plan.hash,
        replaces=job.replaces,
        replaces_runs=job.replaces_runs,
        passed=[plain(p) for p in job.passed],
        rules=dict(job.rules),
        shown=[
            {"id": p.id, "step": p.name, "facts": p.facts, **plans.describe(p.verdict)}
            for p in plan.steps
        ],
        parent=plain(parent),
        policy=plain(policy.head(world.store)),
    )
    world.emit("run.started", run, kind=job.kind, resumed=False)
    return to_the_end(Carrying(world, job, plan, run, held, log, pasts.none(plan)), None)


def resume(world: World, job: Job, plan: Plan, run: str, since: Moment) -> Ended:
    """Goes on with a run that did not end; `plan` is what the systems show now.

    Steps that the run had not begun may change no more than the plan showed when it was agreed to.
    A run that was being undone goes on being undone.

    since  the moment before the plan was made"""
    stream = RUNS + run
    records = journals.read(world.store, stream)
    require_resumable(records, run, job.pinned)
    pasts.require_last(world.store, run)
    past = pasts.of(records)
    if refused := _unfit(world, past, plan):
        return refused

    def work(held: Held) -> Ended:
        log = Journal(world.store, world.clock, stream, held.token)
        if log.head.count != len(records):
            raise _moved()
        now = _planned_anew(world, job, held) if since.held else plan
        if refused := _unfit(world, past, now):
            return refused
        log.write(
            "run.resumed",
            who=world.owner.who,
            host=world.owner.host,
            plan=now.hash,
            passed=[plain(p) for p in job.passed],
            parent=plain(since.newest),
            policy=plain(policy.head(world.store)),
        )
        world.emit("run.started", run, kind=job.kind, resumed=True)
        return to_the_end(Carrying(world, job, now, run, held, log, past), past)

    return _locked(world, job, run, f"resume of {job.reason}", since, work)


def _unfit(world: World, past: Past, plan: Plan) -> Ended | None:
    """The end of a resume whose plan is blocked. Raises CbctlError (7) when it goes beyond what
    was agreed to."""
    if past.undoing is not None:
        return None
    for planned in plan.steps:
        if planned.id not in past.effects:
            within(planned.id, planned.verdict, past.shown.get(planned.id, frozenset()))
    return refuse(world, plan) if plan.blocked else None


def _locked(
    world: World, job: Job, run: str, reason: str, since: Moment, work: Callable[[Held], Ended]
) -> Ended:
    """Does the work under the lock, if nobody did anything since the plan was made."""
    try:
        held = acquire(
            world.store,
            world.clock,
            world.owner,
            run,
            reason,
            environment=job.environment,
            waiting=lambda holder: world.emit(
                "lock.waiting", run, holder=f"{holder.owner.who} on {holder.owner.host}"
            ),
            check=world.stop.check,
        )
    except Stopped as why:
        return cancelled(world, why)
    try:
        world.stop.check()
        if held.token != since.token + 1 or journals.newest(world.store) != since.newest:
            raise _moved()
        return work(held)
    except Stopped as why:
        return cancelled(world, why)
    except Fenced as lost:
        return end(world, Ended("", "failed", Exit.LOCKED, error=lock_lost(lost)))
    except _Moved as error:
        return end(world, Ended("", "refused", Exit.REFUSED, error=error))
    finally:
        held.release()


def _planned_anew(world: World, job: Job, held: Held) -> Plan:
    """The plan as it would be made now. Who had the lock while a plan was made may have changed
    something since and left no new record: an effect has one before it and one after it."""
    quiet = replace(world, sink=lambda event: None)
    renewing = world.executor.every(RENEW_EVERY, held.renew)
    try:
        return plans.make(quiet, job.nodes, job.planned_from, left_out=job.left_out)
    finally:
        renewing.cancel()


class _Moved(CbctlError):
    pass


def _moved() -> _Moved:
    return _Moved(
        "another run changed things after this plan was made",
        exit=Exit.REFUSED,
        fix="run the command again: it shows the new plan",
    )
