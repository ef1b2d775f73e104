"""Looks at everything at once and says what a run would change, before anything happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cbctl.engine.canonical import recordable, sha256
from cbctl.engine.executor import Task
from cbctl.engine.step import (
    After,
    Blocked,
    Change,
    Changes,
    Json,
    Nothing,
    PlanVerdict,
    Step,
)
from cbctl.engine.world import Situation, Stopped, World, guarded
from cbctl.errors import CbctlError, Exit


class NotYet(Exception):
    """Raised by `bind` when an input is made by steps that have not run: their ids."""

    def __init__(self, *needs: str) -> None:
        super().__init__(", ".join(needs))
        self.needs = needs


Outcomes = Mapping[str, Any]
"""Outcome of each finished step by its id: what `${steps.ID.FIELD}` refers to."""


@dataclass(frozen=True)
class Node:
    """A step in its place in a runbook.

    needs   ids of the steps that must be done before it
    refers  ids of the steps whose outcomes its inputs need
    bind    makes the inputs once those outcomes are there
    proves  it runs when the release is recorded, which is provisional until it is done
    """

    id: str
    name: str
    step: Step[Any, Any, Any]
    needs: tuple[str, ...]
    refers: tuple[str, ...]
    bind: Callable[[Outcomes], Any]
    proves: bool = False

    @property
    def after(self) -> frozenset[str]:
        """All that it comes after: what it refers to it needs, whether that was written or not."""
        return frozenset(self.needs) | frozenset(self.refers)


@dataclass(frozen=True)
class Planned:
    """What is planned for one node. `outcome` is there when the verdict is Nothing."""

    id: str
    name: str
    summary: str
    verdict: PlanVerdict
    facts: Json = None
    evidence: Mapping[str, Json] = field(default_factory=dict)
    outcome: Any = None

    @property
    def verdict_is_change(self) -> bool:
        return not isinstance(self.verdict, Nothing)

    @property
    def may(self) -> frozenset[str] | None:
        """What it may change, by name; None: cannot be said before."""
        match self.verdict:
            case Changes(changes):
                return frozenset(c.what for c in changes)
            case After(_, may):
                return frozenset(c.what for c in may) or None
            case _:
                return frozenset()


@dataclass(frozen=True)
class Plan:
    hash: str
    steps: tuple[Planned, ...]

    def of(self, id: str) -> Planned:
        return next(p for p in self.steps if p.id == id)

    @property
    def empty(self) -> bool:
        return all(isinstance(p.verdict, Nothing) for p in self.steps)

    @property
    def blocked(self) -> tuple[Planned, ...]:
        return tuple(p for p in self.steps if isinstance(p.verdict, Blocked))

    @property
    def outcomes(self) -> dict[str, Any]:
        return {p.id: p.outcome for p in self.steps if isinstance(p.verdict, Nothing)}


def look(node: Node, situation: Situation, outcomes: Outcomes) -> Planned:
    """Observes one node and plans it. Runs in a task."""
    try:
        inputs = node.bind(outcomes)
    except NotYet as unknown:
        return _later(node, unknown.needs)
    observation = node.step.observe(situation, inputs)
    verdict = node.step.plan(inputs, observation.facts)
    if not isinstance(verdict, Nothing | Changes | Blocked | After):
        raise TypeError(f"{type(verdict).__name__} is no verdict of a plan")
    if isinstance(verdict, Changes) and not verdict.changes:
        verdict = Nothing()
    recordable(describe(verdict))
    verdict = _scrubbed(situation.world, verdict)
    outcome = None
    if isinstance(verdict, Nothing):
        outcome = node.step.outcome(situation, inputs, observation.facts)
    return Planned(
        node.id,
        node.name,
        node.step.summary,
        verdict,
        situation.world.legible(recordable(observation.facts)),
        situation.world.shown(observation.evidence),
        outcome,
    )


def _scrubbed(world: World, verdict: PlanVerdict) -> PlanVerdict:
    """What a system answered may quote what it was sent."""

    def clean(changes: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(
            Change(world.text(c.what), world.legible(c.before), world.legible(c.after))
            for c in changes
        )

    match verdict:
        case Nothing(because):
            return Nothing(world.text(because))
        case Changes(changes):
            return Changes(clean(changes))
        case Blocked(why, fix):
            return Blocked(world.text(why), world.text(fix))
        case After(needs, may):
            return After(needs, clean(may))


def make(
    world: World,
    nodes: tuple[Node, ...],
    identity: Mapping[str, Json],
    *,
    left_out: frozenset[str] = frozenset(),
    tolerant: bool = False,
) -> Plan:
    """Observes all nodes concurrently; those that need another's outcome as soon as it is known.

    left_out  ids of steps that are only looked at
    tolerant  a step that cannot be observed is Blocked by that, instead of ending the plan
    Raises the first CbctlError of a step that could not even be observed, and CbctlError (exit 8)
    when it is told to stop."""
    try:
        return _make(world, nodes, identity, left_out, tolerant)
    except Stopped as why:
        raise CbctlError(
            f"stopped while looking: {why}; nothing was changed", exit=Exit.CANCELLED
        ) from None


def _make(
    world: World,
    nodes: tuple[Node, ...],
    identity: Mapping[str, Json],
    left_out: frozenset[str],
    tolerant: bool,
) -> Plan:
    _require_order(nodes)
    world.emit("plan.started", "", steps=[n.id for n in nodes])
    done: dict[str, Planned] = {}
    waiting = list(nodes)
    active: dict[Task[Planned], Node] = {}
    while waiting or active:
        world.stop.check()
        for node in list(waiting):
            if not all(r in done for r in node.refers):
                continue
            waiting.remove(node)
            unknown = [r for r in node.refers if not isinstance(done[r].verdict, Nothing)]
            if unknown:
                done[node.id] = _later(node, tuple(unknown))
                _observed(world, done[node.id])
            else:
                outcomes = {r: done[r].outcome for r in node.refers}
                work = partial(look, node, world.situation("", node.id), outcomes)
                active[world.executor.submit(guarded(world, node.id, "observe", work))] = node
        if not active:
            continue
        for finished in world.executor.wait(list(active)):
            node = active.pop(finished)
            try:
                done[node.id] = finished.result()
            except CbctlError as error:
                if not tolerant:
                    raise
                unseen = Blocked(error.what, error.fix)
                done[node.id] = Planned(node.id, node.name, node.step.summary, unseen)
            _observed(world, done[node.id])
    steps = _without(tuple(done[n.id] for n in nodes), left_out)
    digest = hash_of(identity, [record(p) for p in steps])
    plan = Plan(digest, steps)
    world.emit(
        "plan.ready",
        "",
        hash=digest,
        changes=sum(not isinstance(p.verdict, Nothing) for p in steps),
    )
    return plan


def _without(steps: tuple[Planned, ...], left_out: frozenset[str]) -> tuple[Planned, ...]:
    """Steps that are left out change nothing, and what waits for a change of theirs is blocked."""
    undone = {p.id for p in steps if p.id in left_out and p.verdict_is_change}
    found = []
    for p in steps:
        if p.id in undone:
            p = replace(p, verdict=Nothing("left out"))
        elif isinstance(p.verdict, After) and (missing := undone.intersection(p.verdict.needs)):
            names = ", ".join(sorted(missing))
            why = f"waits for what was left out: {names}"
            p = replace(p, verdict=Blocked(why, f"do not leave out {names}"))
        found.append(p)
    return tuple(found)


def record(planned: Planned) -> dict[str, Json]:
    """All of a planned step that its plan's hash covers."""
    verdict = describe(planned.verdict)
    return {"id": planned.id, "name": planned.name, "facts": planned.facts, "verdict": verdict}


def hash_of(identity: Mapping[str, Json], steps: Sequence[Mapping[str, Json]]) -> str:
    """What a plan is known by. steps: `record` of each"""
    return sha256({"identity": dict(identity), "steps": [dict(s) for s in steps]})


def describe(verdict: PlanVerdict) -> dict[str, Json]:
    """A verdict as JSON, the same in events, journals and `--output json`."""
    match verdict:
        case Nothing(because):
            return {"verdict": "nothing", "because": because, "changes": []}
        case Changes(changes):
            return {"verdict": "changes", "because": "", "changes": changes_json(changes)}
        case Blocked(why, fix):
            return {"verdict": "blocked", "because": why, "fix": fix, "changes": []}
        case After(needs, may):
            return {
                "verdict": "after",
                "because": "after " + ", ".join(needs),
                "changes": changes_json(may),
            }


def changes_json(changes: tuple[Change, ...]) -> list[Json]:
    return [{"what": c.what, "before": c.before, "after": c.after} for c in changes]


def _later(node: Node, unknown: tuple[str, ...]) -> Planned:
    may = tuple(Change(what) for what in node.step.at_most)
    return Planned(node.id, node.name, node.step.summary, After(unknown, may))


def _observed(world: World, planned: Planned) -> None:
    world.emit(
        "step.observed",
        "",
        step=planned.id,
        summary=planned.summary,
        evidence=dict(planned.evidence),
        **describe(planned.verdict),
    )


def _require_order(nodes: tuple[Node, ...]) -> None:
    """Raises (exit 64) for steps that could never begin: in a circle, or after one that is not
    there."""
    waiting, ordered = list(nodes), set[str]()
    while ready := [n for n in waiting if n.after <= ordered]:
        ordered |= {n.id for n in ready}
        waiting = [n for n in waiting if n.id not in ordered]
    if waiting:
        raise CbctlError(
            "these steps wait for each other or for a step that is not there: "
            + ", ".join(n.id for n in waiting),
            exit=Exit.USAGE,
        )
