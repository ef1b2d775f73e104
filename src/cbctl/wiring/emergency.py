"""The way back in an emergency: past whoever is at work, and what became of each part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from cbctl.clients.kubernetes.failures import Unreachable
from cbctl.engine import plan as plans
from cbctl.engine.canonical import plain
from cbctl.engine.event import Event
from cbctl.engine.job import Ended, Job
from cbctl.engine.plan import Node, Plan
from cbctl.engine.step import After, Blocked, Changes
from cbctl.errors import CbctlError, Exit
from cbctl.machine import owner
from cbctl.report.rollback import Choice
from cbctl.wiring.jobs import rollback_job
from cbctl.wiring.lock import break_lock
from cbctl.wiring.policy import freeze
from cbctl.wiring.releases import kept_copy
from cbctl.wiring.rollback import chosen, say
from cbctl.wiring.runs import carry_out
from cbctl.wiring.single import carry_out_step
from cbctl.wiring.stores import is_shared
from cbctl.wiring.workplace import Workplace

PAUSE = "program"
"""The part that --pause-program is about."""


@dataclass(frozen=True)
class Part:
    """
    state   back: it is as the release has it, and that was seen · unseen: the same, but a check
            failed or could not be made · left: it is not
    detail  why
    """

    name: str
    state: Literal["back", "unseen", "left"]
    detail: str = ""


def emergency(
    work: Workplace, to: str | None, agree: Callable[[], None], *, pause: bool
) -> tuple[Ended, list[Part]]:
    """Goes back past whoever is at work, and holds back deploys until somebody lifts that.

    agree  asks for the environment's name, and raises to stop
    pause  the program is paused first"""
    try:
        choice = chosen(work, to)
    except Unreachable as gone:
        if not is_shared(work.env):
            raise
        return _without_cluster(work, to, agree, gone, pause=pause)
    say(work, choice)
    agree()
    try:
        return _with_cluster(work, choice, pause=pause)
    except CbctlError:
        if (lost := _lost(work)) is None:
            raise
        return _without_cluster(work, to, lambda: None, lost, pause=pause)


def _lost(work: Workplace) -> Unreachable | None:
    """Why the cluster does not answer any more; None while it does."""
    try:
        work.store.read_lock()
    except Unreachable as gone:
        return gone if is_shared(work.env) else None
    return None


def _with_cluster(work: Workplace, choice: Choice, *, pause: bool) -> tuple[Ended, list[Part]]:
    reason = f"emergency rollback of {work.env.name} to {choice.release.id}"
    _take_over(work, reason)
    _freeze(work, reason)
    parts = [_pause(work)] if pause else []
    watched = Watched()
    # what went back stays back: undoing it leads to what is bad
    job = dataclasses.replace(rollback_job(work, choice, at_once=True), undo=False)
    ended = _as_far_as_it_goes(watched.by(work), job, watched)
    parts += watched.parts(ended)
    ended.exit = exit_of(ended, parts)
    work.world.sink(watched.last(ended, parts))
    return ended, parts


def _as_far_as_it_goes(work: Workplace, job: Job, watched: Watched) -> Ended:
    """Without the steps that cannot even be planned and all that needs them, where others are left
    that change something; once more, where another run came between."""
    failure: CbctlError | None = None
    try:
        ended = carry_out(work, job, watched.agree)
        if ended.result != "refused":
            return ended
    except CbctlError as error:
        if error.exit in (Exit.LOCKED, Exit.CANCELLED):
            raise
        failure = error
    made = plans.make(work.world, job.nodes, job.planned_from, tolerant=True)
    blocked = {p.id: p.verdict.why for p in made.steps if isinstance(p.verdict, Blocked)}
    if not blocked:
        if failure is not None:
            raise failure
        return carry_out(work, job, watched.agree)
    blocked = _with_what_needs_them(job.nodes, blocked)
    left = tuple(node for node in job.nodes if node.id not in blocked)
    if not any(p.verdict_is_change for p in made.steps if p.id not in blocked):
        if failure is not None:
            raise failure
        return ended
    watched.blocked = blocked
    for id, why in blocked.items():
        work.say(f"left out: {id}: {why}")
    # what is not whole is no release
    return carry_out(work, dataclasses.replace(job, nodes=left, parts=None), watched.agree)


def _with_what_needs_them(nodes: tuple[Node, ...], blocked: dict[str, str]) -> dict[str, str]:
    more = {
        node.id: f"it needs {', '.join(sorted(node.after & blocked.keys()))}"
        for node in nodes
        if node.id not in blocked and node.after & blocked.keys()
    }
    return _with_what_needs_them(nodes, blocked | more) if more else blocked


def _take_over(work: Workplace, reason: str) -> None:
    holder = work.store.read_lock()
    if holder is None or not holder.held or work.store.owner_state(holder.owner) == "dead":
        return
    who = f"{holder.owner.who} on {holder.owner.host} ({holder.reason})"
    try:
        id = break_lock(work, reason)
    except CbctlError as error:
        if error.exit is not Exit.USAGE:  # else it was let go meanwhile
            raise
        return
    work.say(f"took the lock from {who}; recorded as {id}")


def _freeze(work: Workplace, reason: str) -> None:
    """Before anything else: what comes after may be cut off. That it fails must not stop it."""
    try:
        freeze(work, reason, "")
    except CbctlError as error:
        work.say(f"deploys could not be frozen: {error}")
        return
    work.say(f"deploys are frozen; afterwards: cbctl unfreeze {work.env.name} --reason WHY")


def _pause(work: Workplace) -> Part:
    try:
        ended, _ = carry_out_step(work, "program.pause", {}, lambda plan: None)
    except CbctlError as error:
        return Part(PAUSE, "left", f"not paused: {error}")
    if ended.exit is Exit.DONE:
        return Part(PAUSE, "back", "paused")
    return Part(PAUSE, "left", f"not paused: {ended.error or ended.result}")


def exit_of(ended: Ended, parts: Iterable[Part]) -> Exit:
    """0 only if everything is back and was seen."""
    states = {part.state for part in parts}
    if ended.result in ("refused", "cancelled") or ended.exit is Exit.LOCKED:
        return ended.exit
    if "left" in states:
        return Exit.NOT_UNDONE
    return Exit.DIFFERS if "unseen" in states else ended.exit


@dataclass
class Watched:
    """Hears what becomes of each step, and keeps back the end until its exit code is known.

    steps    of the plan, and whether each was to change something
    blocked  why steps were left out of it"""

    steps: dict[str, bool] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    done: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)
    end: Event | None = None

    def by(self, work: Workplace) -> Workplace:
        def sink(event: Event) -> None:
            self.hear(event)
            if event.type != "run.ended":
                work.world.sink(event)

        return dataclasses.replace(work, world=dataclasses.replace(work.world, sink=sink))

    def hear(self, event: Event) -> None:
        data, step = event.data, str(event.data.get("step"))
        if event.type == "step.done":
            self.done[step] = data.get("outcome")
        elif event.type == "step.failed":
            self.failed[step] = (str(data.get("phase")), str(data.get("error")))
        elif event.type == "run.ended":
            self.end = event

    def agree(self, plan: Plan) -> None:
        self.steps = {one.id: isinstance(one.verdict, Changes | After) for one in plan.steps}

    def last(self, ended: Ended, parts: Iterable[Part]) -> Event:
        assert self.end is not None
        told = {"exit": int(ended.exit), "parts": plain(list(parts))}
        return dataclasses.replace(self.end, data={**self.end.data, **told})

    def parts(self, ended: Ended) -> list[Part]:
        """None when nothing was to be done."""
        found = [self._part(id, changes, ended) for id, changes in self.steps.items()]
        return [*found, *(Part(id, "left", why) for id, why in self.blocked.items())]

    def _part(self, id: str, changes: bool, ended: Ended) -> Part:
        if id in self.failed:
            phase, error = self.failed[id]
            return Part(id, "unseen" if phase == "verify" else "left", error)
        if id in self.done:
            outcome = self.done[id]
            unchecked = outcome.get("unchecked") if isinstance(outcome, dict) else None
            if unchecked:
                return Part(id, "unseen", f"unchecked: {'; '.join(map(str, unchecked))}")
            return Part(id, "back")
        why = f"not reached: the run ended before ({ended.result})"
        return Part(id, "left" if changes else "unseen", why)


# -- without the cluster --------------------------------------------------------------------


def _without_cluster(
    work: Workplace, to: str | None, agree: Callable[[], None], gone: Unreachable, *, pause: bool
) -> tuple[Ended, list[Part]]:
    """From the copy on this machine: what can be done without the cluster is done, and what is
    left to do is listed."""
    work.say(f"the cluster does not answer: {gone.what}")
    kept = kept_copy(work)
    if kept is None:
        gone.fix = f"no release was copied to this machine; {gone.fix}"
        raise gone
    store, at = kept
    choice = chosen(work, to, store)
    work.say(f"by the copy of {at} on this machine:")
    say(work, choice)
    parts = []
    if pause:
        agree()
        # its journal is kept here, for there is nowhere else
        world = dataclasses.replace(work.world, store=store, identify=owner)
        parts.append(_pause(dataclasses.replace(work, world=world)))
    name = work.env.name
    by_hand = f"cbctl rollback {name} --to {choice.release.id} --print shows the commands"
    parts.append(Part("service", "left", f"the cluster does not answer; once it does: {by_hand}"))
    error = CbctlError(
        "the cluster does not answer, so the service was not brought back",
        exit=Exit.NOT_UNDONE,
        where=gone.where,
        fix=f"{gone.fix}; then again: cbctl rollback {name} --emergency",
    )
    return Ended("", "not undone", Exit.NOT_UNDONE, error=error), parts
