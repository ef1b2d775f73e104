"""The end of a run, whatever comes: release, undo, last record, and no step left behind."""

from __future__ import annotations

from cbctl.engine import release as releases
from cbctl.engine.carry import Carrying
from cbctl.engine.job import Ended, Result, end
from cbctl.engine.journal import RUNS
from cbctl.engine.lock import RENEW_EVERY
from cbctl.engine.past import Past
from cbctl.engine.store import Fenced
from cbctl.engine.undo import undo
from cbctl.errors import CbctlError, Exit


def to_the_end(carrying: Carrying, past: Past | None) -> Ended:
    world = carrying.world
    try:
        renewing = world.executor.every(RENEW_EVERY, carrying.held.renew)
        try:
            return _run(carrying, past)
        except Fenced as lost:
            # nothing more may be written either: whoever has the lock now owns the journal
            _stop_all(carrying)
            return _broken_off(carrying, "failed", Exit.LOCKED, lock_lost(lost, _resume(carrying)))
        finally:
            # only then is the lock let go: no step may outlive it
            _stop_all(carrying)
            renewing.cancel()
    except (Exception, KeyboardInterrupt) as error:
        return _cut(carrying, error)


def _run(carrying: Carrying, past: Past | None) -> Ended:
    if past and past.undoing:
        carrying.failure = past.undoing
        return _after_failure(carrying)
    if (ended := _unfinished(carrying)) is not None:
        return ended
    release = _record_release(carrying, past.release if past else None)
    carrying.proving = True
    if (ended := _unfinished(carrying, release)) is not None:
        return ended
    _proved(carrying, release)
    return _finish(carrying, "succeeded", Exit.DONE, release=release)


def _unfinished(carrying: Carrying, release: str | None = None) -> Ended | None:
    """Carries out what may begin by now; the end of the run, unless all of it was done.

    release  the one that these steps are to prove"""
    carrying.steps()
    if carrying.failure is not None:
        if release is not None:
            _mark(carrying, release, "bad", f"{carrying.failure.what} (run {carrying.run})")
        return _after_failure(carrying)
    if carrying.stopped:
        error = CbctlError(
            f"stopped: {carrying.stopped}",
            exit=Exit.CANCELLED,
            fix=_resume(carrying),
        )
        return _finish(carrying, "cancelled", Exit.CANCELLED, error=error)
    if carrying.waits is not None:
        carrying.waits.fix = _go_on(carrying.waits.fix, carrying)
        return _finish(carrying, "waiting", Exit.NOT_UNDONE, error=carrying.waits)
    return None


def _record_release(carrying: Carrying, recorded: str | None) -> str | None:
    """Each part of it may have been done before the run was cut off."""
    world, job, token = carrying.world, carrying.job, carrying.held.token
    if job.records is None:
        return None
    parts = job.records(carrying.outcomes())
    known = releases.history(world.store)
    mine = next((r for r in known if r.run == carrying.run), None)
    current = releases.current(known)
    if mine is None and current and current.state != "bad" and current.parts == parts:
        return current.id
    id = releases.record(
        world.store,
        world.clock,
        token,
        run=carrying.run,
        who=world.owner.who,
        state="provisional" if any(n.proves for n in job.nodes) else "healthy",
        parts=parts,
        identity=dict(job.identity),
        head=carrying.log.head,
    )
    if recorded is None:
        carrying.log.write("release.recorded", id=id)
    return id


def _proved(carrying: Carrying, release: str | None) -> None:
    """All is done: the release is healthy, and the one that it is instead of is not."""
    if release is None:
        return
    known = releases.history(carrying.world.store)
    if releases.find(known, release).state == "provisional":
        _mark(carrying, release, "healthy", f"proved by run {carrying.run}")
    replaced = carrying.job.replaces
    if replaced and replaced != release:
        _mark(carrying, replaced, "bad", f"rolled back by run {carrying.run}")


def _mark(carrying: Carrying, id: str, state: releases.State, why: str) -> None:
    world = carrying.world
    releases.mark(world.store, world.clock, carrying.held.token, id, state, world.owner.who, why)


def _after_failure(carrying: Carrying) -> Ended:
    failure = carrying.failure
    assert failure is not None
    if not carrying.changes():
        return _finish(carrying, "failed", failure.exit, error=failure)
    if carrying.job.undo and not carrying.world.stop.requested and undo(carrying, failure):
        return _finish(carrying, "undone", Exit.UNDONE, error=failure)
    exit = Exit.TIMEOUT if failure.exit is Exit.TIMEOUT else Exit.NOT_UNDONE
    failure.fix = _go_on(failure.fix, carrying)
    return _finish(carrying, "not undone", exit, error=failure)


def _finish(
    carrying: Carrying,
    result: Result,
    exit: Exit,
    *,
    release: str | None = None,
    error: CbctlError | None = None,
) -> Ended:
    changes = carrying.changes()
    carrying.log.write(
        "run.ended",
        result=result,
        exit=int(exit),
        changes=changes,
        release=release,
        error=str(error) if error else None,
    )
    return end(carrying.world, Ended(carrying.run, result, exit, changes, release, error))


def _cut(carrying: Carrying, error: BaseException) -> Ended:
    """The end of a run that its store or executor let down. When not even that can be written (a
    full disk), the run is as good as killed."""
    _stop_all(carrying)
    world = carrying.world
    told = error if isinstance(error, CbctlError) else None
    why = CbctlError(
        told.what if told else world.text(f"unexpected {type(error).__name__}: {error}"),
        where=told.where if told else "",
        exit=told.exit if told else Exit.FAILED,
        fix=_go_on(told.fix if told else "", carrying),
        evidence=world.shown(told.evidence) if told else None,
    )
    result: Result = "not undone" if carrying.changes() else "failed"
    exit = Exit.NOT_UNDONE if result == "not undone" else why.exit
    try:
        return _finish(carrying, result, exit, error=why)
    except Exception:  # the journal cannot be written either: the person is told all the same
        return _broken_off(carrying, result, exit, why)


def _broken_off(carrying: Carrying, result: Result, exit: Exit, error: CbctlError) -> Ended:
    changes = carrying.changes()
    return end(carrying.world, Ended(carrying.run, result, exit, changes, error=error))


def _stop_all(carrying: Carrying) -> None:
    if carrying.active:
        carrying.world.stop.request("the run cannot go on")
        carrying.drain()


def lock_lost(lost: Fenced, resume: str = "") -> CbctlError:
    return CbctlError(
        f"the lock was lost, so nothing more was changed: {lost}",
        exit=Exit.LOCKED,
        fix="cbctl lock status" + (f"; then: {resume}" if resume else ""),
    )


def _resume(carrying: Carrying) -> str:
    """The whole command, to be copied; "" for what was done beside the runs: given again, it looks
    at what is left to do."""
    if not carrying.log.stream.startswith(RUNS):
        return ""
    return f"cbctl resume {carrying.run} --env {carrying.job.environment}"


def _go_on(fix: str, carrying: Carrying) -> str:
    resume = _resume(carrying)
    return "; ".join(p for p in (fix, resume and f"{resume} goes on from there") if p)
