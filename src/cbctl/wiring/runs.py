"""Plans, carries out and resumes jobs, and tells whom it was told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cbctl.engine import journal as journals
from cbctl.engine import plan, release, run
from cbctl.engine.past import open_run
from cbctl.engine.plan import Plan
from cbctl.engine.run import Ended, Job
from cbctl.engine.step import Json
from cbctl.errors import CbctlError, Exit
from cbctl.local import artifacts
from cbctl.wiring import proofs
from cbctl.wiring.jobs import job, require_ports
from cbctl.wiring.kept_program import bring, lend
from cbctl.wiring.lock import locked, refuse_while_locked
from cbctl.wiring.policy import NOTHING_OVERRIDDEN, Override, let_through, resumed
from cbctl.wiring.releases import after_run
from cbctl.wiring.rollback import with_way_back
from cbctl.wiring.single import single_job
from cbctl.wiring.status import servers_health
from cbctl.wiring.stores import is_shared
from cbctl.wiring.workplace import Workplace


def make_plan(work: Workplace, job: Job) -> Plan:
    return plan.make(work.world, job.nodes, job.planned_from, left_out=job.left_out)


def checked_plan(work: Workplace, job: Job) -> Plan:
    """The plan of a job that is to be carried out. Raises CbctlError (7) for what no step can see
    before others are done."""
    require_ports(work, job)
    bring(work, job)
    return with_way_back(work.store, make_plan(work, job))


def carry_out(
    work: Workplace,
    job: Job,
    agree: Callable[[Plan], None] = lambda plan: None,
    *,
    override: Override = NOTHING_OVERRIDDEN,
    require: Callable[[Plan], None] = lambda plan: None,
) -> Ended:
    """Plans, asks through `agree` (which raises to stop) and runs; tells whom it was told to.

    require  raises for a plan that is not the one that was meant"""
    locks = any(node.step.needs_lock for node in job.nodes)
    if locks:
        refuse_while_locked(work)
    since = run.moment(work.store)
    with _signals(work):
        made = checked_plan(work, job)
        require(made)
        if made.blocked:
            return run.refuse(work.world, made)
        if run.nothing_to_do(work.world, job, made):
            return run.check_only(work.world, job, made)
        job = let_through(work, job, made, override)
        agree(made)
        if not locks:
            ended = run.beside(work.world, job, made)
            after_run(work, ended.run, journals.BESIDE)
            notify(work, ended, journals.BESIDE)
            return ended
        before = open_run(work.store)
        refuse_while_locked(work)  # by whoever began meanwhile: that run is not left behind
        if before and job.replaces_runs:
            work.say(f"run {before} did not end; this one takes its place")
            work.say(f"what it had begun: cbctl why {before} --env {work.env.name}")
        lend(work, job)
        ended = run.start(work.world, job, made, since)
    proofs.after_run(work, ended.run)
    after_run(work, ended.run)
    notify(work, ended)
    if ended.release:
        _clean_up(work)
    return ended


def _clean_up(work: Workplace) -> None:
    """Removes what runs that failed or were killed have left: kept artifacts that no release names,
    and files that were not written to their end."""
    try:
        with locked(work, "clean-up after a run"):
            work.state.remove_unfinished()
            known = release.history(work.store)
            artifacts.prune(work.state, {str(part) for r in known for part in r.parts.values()})
    except (CbctlError, OSError):
        return  # the run is over and done; the next one clears up


def resume(
    work: Workplace, id: str | None, agree: Callable[[Plan], None] = lambda plan: None
) -> Ended:
    """Goes on with the run of that id, or with the newest one that did not end well."""
    refuse_while_locked(work)
    since = run.moment(work.store)
    id = id or open_run(work.store)
    if id is None:
        raise CbctlError(
            "there is no interrupted run to go on with",
            exit=Exit.USAGE,
            fix=f"cbctl runs list --env {work.env.name}",
        )
    records = journals.read(work.store, journals.RUNS + id)
    if not records or records[0].type != "run.started":
        fix = f"cbctl runs list --env {work.env.name}"
        raise CbctlError(f"there is no run {id}", exit=Exit.USAGE, fix=fix)
    first = records[0].data
    chosen = first["selection"]
    target = None
    if chosen.get("release"):
        target = release.find(release.history(work.store), chosen["release"])
    if step := chosen.get("step"):
        again = single_job(work, step, chosen["given"])
    else:
        again = job(
            work,
            first["kind"],
            only=tuple(chosen.get("only", ())),
            skip=tuple(chosen.get("skip", ())),
            target=target,
            replaces=first["replaces"],
            inputs=chosen.get("inputs"),
        )
    run.require_resumable(records, id, again.pinned)
    with _signals(work):
        made = checked_plan(work, again)
        again = resumed(work, again, made)
        agree(made)
        lend(work, again)
        ended = run.resume(work.world, again, made, id, since)
    proofs.after_run(work, ended.run)
    after_run(work, ended.run)
    notify(work, ended)
    if ended.release:
        _clean_up(work)
    return ended


def parts_health(work: Workplace) -> list[dict[str, Any]]:
    """Whether what the current release consists of runs, as the steps that made it see it:
    [{name, state: healthy|unhealthy|unknown, detail, evidence}]."""
    if not work.env.is_local and not is_shared(work.env):
        raise CbctlError(
            "only its program is known; nothing of it runs on this machine or in Kubernetes",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix=f"cbctl program verify --env {work.env.name}",
        )
    current = release.current(release.history(work.store))
    if current is None:
        raise CbctlError(
            "nothing was deployed yet",
            exit=Exit.REFUSED,
            where=work.env.name,
            fix=f"cbctl deploy {work.env.name}",
        )
    checked = job(work, "rollback", target=current, inputs={"patience": 0})
    made = plan.make(work.world, checked.nodes, checked.identity, tolerant=True)
    found = run.health(work.world, checked, made)
    return found if work.env.is_local else found + servers_health(work, current)


def notify(work: Workplace, ended: Ended, kept: str = journals.RUNS) -> None:
    """Sends the end of a run to everyone in `notify:`; a failure is told, never fatal.

    kept  what the name of its journal begins with"""
    if not ended.run or not work.env.notify:
        return
    from cbctl.clients import webhook

    head = journals.head(work.store, kept + ended.run)
    end: dict[str, Json] = {"count": head.count, "hash": head.hash}
    text = webhook.message(run.summary(ended), work.env.name, work.world.owner.who, end)
    for receiver in work.env.notify:
        try:
            url, secret = work.world.reveal(receiver.url), work.world.reveal(receiver.secret)
            webhook.notify(url, secret, text)
        except CbctlError as error:
            work.say(f"the notification was not delivered: {work.world.scrub(str(error))}")


@contextmanager
def _signals(work: Workplace) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: stop at the next safe point. Second: at once."""

    def stop(number: int, frame: object) -> None:
        if work.world.stop.requested:
            os._exit(Exit.CANCELLED)
        work.world.stop.request(signal.Signals(number).name)
        work.say("stopping at the next safe point; once more stops at once")

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
