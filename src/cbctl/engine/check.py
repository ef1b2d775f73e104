"""Verifies without changing: an empty plan, and the health of what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cbctl.engine import release as releases
from cbctl.engine.canonical import plain
from cbctl.engine.executor import Task
from cbctl.engine.job import Ended, Job, cancelled, end
from cbctl.engine.plan import Node, Plan
from cbctl.engine.step import (
    After,
    Blocked,
    Change,
    Changes,
    Json,
    Nothing,
    NotVerified,
    Verdict,
    Verified,
)
from cbctl.engine.world import Situation, Stopped, World, guarded
from cbctl.errors import CbctlError, Exit


def nothing_to_do(world: World, job: Job, plan: Plan) -> bool:
    """True when the plan is empty and the release it would record is already the current one."""
    if not plan.empty:
        return False
    return job.records is None or not releases.differs(world.store, job.records(plan.outcomes))


def check_only(world: World, job: Job, plan: Plan) -> Ended:
    """Verifies every step of an empty plan, side by side, without lock and journal."""
    failure: CbctlError | None = None
    stopped: Stopped | None = None
    for node, task in _verified(world, [n for n in job.nodes if n.id not in job.left_out], plan):
        try:
            require(task.result(), node.id)
            outcome = world.legible(plain(plan.outcomes.get(node.id)))
            world.emit("step.done", "", step=node.id, changed=False, changes=[], outcome=outcome)
        except Stopped as why:
            stopped = why
        except CbctlError as error:
            tell_failure(world, "", node.id, "verify", error)
            failure = failure or error
    if failure:
        return end(world, Ended("", "failed", failure.exit, error=failure))
    if stopped:
        return cancelled(world, stopped)
    current = releases.current(releases.history(world.store))
    return end(world, Ended("", "unchanged", Exit.DONE, release=current.id if current else None))


def health(world: World, job: Job, plan: Plan) -> list[dict[str, Any]]:
    """What every step says of its part: [{name, state, detail, evidence}], changing nothing.

    A part that its step would change, or that it cannot verify, is unhealthy."""
    found: dict[str, dict[str, Any]] = {}

    def tell(id: str, state: str, detail: str, evidence: Mapping[str, Json]) -> None:
        found[id] = {"name": id, "state": state, "detail": detail, "evidence": plain(evidence)}

    right = []
    for node in job.nodes:
        planned = plan.of(node.id)
        match planned.verdict:
            case Nothing():
                right.append(node)
            case Changes(changes):
                tell(node.id, "unhealthy", _differs(node.id, changes), planned.evidence)
            case Blocked(why, _):
                tell(node.id, "unhealthy", why, planned.evidence)
            case After(needs, _):
                cause = "not asked, because of " + ", ".join(needs)
                tell(node.id, "unknown", cause, planned.evidence)
    for node, task in _verified(world, right, plan):
        try:
            verdict = task.result()
        except Stopped as why:
            tell(node.id, "unhealthy", f"stopped while looking: {why}", {})
            continue
        except CbctlError as error:
            tell(node.id, "unhealthy", error.what, error.evidence)
            continue
        detail = verdict.why if isinstance(verdict, NotVerified) else ""
        tell(node.id, "unhealthy" if detail else "healthy", detail, verdict.evidence)
    return [found[n.id] for n in job.nodes]


def _differs(id: str, changes: tuple[Change, ...]) -> str:
    """What is not as the release has it; the part's own name stands beside it already."""
    told = []
    for change in changes:
        name = change.what.removeprefix(id).strip()
        now = "missing" if change.before is None else str(change.before)
        told.append(f"{name}: {now}" if name else now)
    return ", ".join(told)


def verify(node: Node, situation: Situation, inputs: Any) -> Verdict:
    """The step's own look; anything but a verdict is a defect of the step, never a success."""
    verdict = node.step.verify(situation, inputs)
    match verdict:
        case Verified(evidence):
            return Verified(situation.world.shown(evidence))
        case NotVerified(why, fix, evidence):
            scrub = situation.world.text
            return NotVerified(
                scrub(why) or "it does not verify", scrub(fix), situation.world.shown(evidence)
            )
    raise TypeError(f"{type(verdict).__name__} is no verdict")


def require(verdict: Verdict, id: str) -> None:
    if isinstance(verdict, NotVerified):
        raise CbctlError(
            verdict.why, exit=Exit.FAILED, where=id, fix=verdict.fix, evidence=verdict.evidence
        )


def tell_failure(world: World, run: str, id: str, phase: str, error: CbctlError) -> None:
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


def _verified(world: World, nodes: list[Node], plan: Plan) -> Iterator[tuple[Node, Task[Verdict]]]:
    """Each node with its finished task, in the order in which they finish."""
    active: dict[Task[Verdict], Node] = {}
    for node in nodes:
        work = partial(_bound, node, world.situation("", node.id), plan)
        active[world.executor.submit(guarded(world, node.id, "verify", work))] = node
    while active:
        for task in world.executor.wait(list(active)):
            yield active.pop(task), task


def _bound(node: Node, situation: Situation, plan: Plan) -> Verdict:
    return verify(node, situation, node.bind(plan.outcomes))
