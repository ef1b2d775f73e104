"""Watches what was rolled out for a while: then, and not before, it counts as healthy.

That it did is written on the Deployment, for exactly this revision of it: a second look finds
nothing to do, and whatever is rolled out later has to prove itself again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cbctl.engine.step import (
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError
from cbctl.steps.api import _target as target
from cbctl.steps.api._target import Object
from cbctl.steps.api._watch import Bad, Watch

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api

CHANGE = "time to prove itself"
PROVED = "cbctl/proved"
"""Annotation of a Deployment: the hash of what proved itself."""
SAID = "cbctl/proved-by"
"""How, for people."""
_PAUSE = 2.0
_UNAVAILABLE_SECONDS = 60.0  # that pods may be missing: an autoscaler may just have added some


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    port, health, ready  of a pod; what is asked there is no traffic
    soak        seconds to watch
    errors      per cent of answers that may be errors of the service
    p95_ms      milliseconds within which 95 % must be answered
    metrics     where a pod counts its requests; none: only restarts are watched
    subject     what else the release consists of: when it changes, all has to prove itself again
    deployment  its name, where there are several
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    owner: str
    port: int
    health: str
    ready: str
    soak: int = 300
    errors: int = 1
    p95_ms: int = 2000
    metrics: str | None = None
    subject: tuple[str | int | None, ...] = ()
    deployment: str = ""
    namespace_uid: str = ""


@dataclass(frozen=True)
class Facts:
    """proved: this revision with this subject did it before"""

    deployment: str
    revision: int
    proved: bool


@dataclass(frozen=True)
class Outcome:
    """said: what was seen"""

    said: str


class Soak(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Watch what was rolled out until it has proved itself"
    at_most: ClassVar[tuple[str, ...]] = (CHANGE,)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import rollout

        with target.connected(ctx, inputs) as api:
            live = target.deployment(api, inputs)
        facts = Facts(live["metadata"]["name"], rollout.revision(live), _proved(live, inputs))
        return Observation(facts, {"said": _annotation(live, SAID)})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.proved:
            return Nothing(f"revision {facts.revision} of {facts.deployment} has proved itself")
        return Changes((Change(CHANGE, None, f"{inputs.soak} s"),))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        with target.connected(ctx, inputs, working=True) as api:
            live = target.deployment(api, inputs)
            watch = Watch(api, inputs)
            try:
                _watch(ctx, inputs, api, live, watch)
            except Bad as bad:
                raise CbctlError(
                    str(bad),
                    where=f"{api.where} Deployment {live['metadata']['name']}",
                    evidence=bad.evidence,
                ) from None
            said = f"{inputs.soak} s: {watch.said}"
            ctx.progress(watch.said, inputs.soak, inputs.soak)
            ctx.fence()
            note = {"metadata": {"annotations": {PROVED: _mark(live, inputs), SAID: said}}}
            api.merge("apps/v1", "Deployment", live["metadata"]["name"], note)
        return Outcome(said)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        with target.connected(ctx, inputs) as api:
            return Outcome(_annotation(target.deployment(api, inputs), SAID))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        with target.connected(ctx, inputs, working=True) as api:
            live = target.settled(ctx, api, inputs)
        if not _proved(live, inputs):
            return NotVerified("what runs is not what has proved itself", "deploy again")
        verdict = target.verified(live)
        if isinstance(verdict, Verified):
            return Verified({**verdict.evidence, "said": _annotation(live, SAID)})
        return verdict

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return None  # it looked only; the mark is written when all is done


def _watch(ctx: Context, inputs: Inputs, api: Api, began: Object, watch: Watch) -> None:
    """Returns when the time is over and all was well. Raises Bad."""
    from cbctl.clients.kubernetes import live, rollout

    start = well = ctx.monotonic()
    name = began["metadata"]["name"]
    while True:
        seen = target.deployment(api, inputs)
        if _same(seen) != _same(began):
            raise Bad(f"somebody rolled out revision {rollout.revision(seen)} meanwhile")
        watch.look(live.newest_pods(api, seen))
        now = ctx.monotonic()
        if target.rolled_out(seen):
            well = now
        elif now - well > _UNAVAILABLE_SECONDS:
            status = seen.get("status", {})
            raise Bad(
                f"{status.get('availableReplicas', 0)} of {seen['spec'].get('replicas', 1)} pods of"
                f" {name} are available, for {now - well:.0f} s"
            )
        if now - start >= inputs.soak:
            watch.judge()
            return
        ctx.progress(watch.said, int(now - start), inputs.soak)
        ctx.sleep(min(_PAUSE, inputs.soak - (now - start)))


def _same(live: Object) -> tuple[str, int]:
    from cbctl.clients.kubernetes import rollout

    return live["metadata"]["uid"], rollout.revision(live)


def _mark(live: Object, inputs: Inputs) -> str:
    told: list[Any] = [*_same(live), *inputs.subject]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def _proved(live: Object, inputs: Inputs) -> bool:
    return _annotation(live, PROVED) == _mark(live, inputs)


def _annotation(live: Object, name: str) -> str:
    return str((live["metadata"].get("annotations") or {}).get(name, ""))


STEP = Soak()
