"""Sets how many pods there are at least, until it is taken back: rollouts meanwhile keep it.

Where an autoscaler owns the number, its lower bound is set, and the upper one where that is lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from cbctl.engine.step import (
    Blocked,
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
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api import _target as target
from cbctl.steps.api._target import Object

PAUSE = 0.5  # seconds between two looks at what an autoscaler does


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    count       pods, at least; None: what the manifests say
    deployment  its name, where there are several
    seconds     to wait for the pods
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    owner: str
    count: int | None = None
    deployment: str = ""
    seconds: int = 900
    namespace_uid: str = ""


@dataclass(frozen=True)
class Facts:
    """
    by      what the number is set by: "HorizontalPodAutoscaler api"
    now     its bounds, or its number
    then    the same with what is asked for
    scaled  the number that an operator set before
    ours    it was applied by cbctl
    """

    by: str
    now: dict[str, int | None]
    then: dict[str, int | None]
    scaled: int | None
    ours: bool


@dataclass(frozen=True)
class Outcome:
    by: str
    pods: int


class Scale(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Set how many pods the service has"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes import scale
        from cbctl.clients.kubernetes.former import applied_by_us
        from cbctl.clients.kubernetes.manifests import title

        with target.connected(ctx, inputs) as api:
            live = scale.live(api, target.deployment(api, inputs)["metadata"]["name"])
        assert live is not None
        former = applied_by_us(live)
        then = _wanted(former, inputs) if former else live
        now = _numbers(former or live)
        return Observation(
            Facts(title(live), now, _numbers(then), scale.override(live), former is not None)
        )

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if inputs.count is not None and inputs.count < 1:
            return Blocked("a service has at least one pod", "ask for 1 or more")
        if not facts.ours:
            return Blocked(f"{facts.by} was not applied by cbctl", "cbctl api rollout applies it")
        if inputs.count == facts.scaled:
            said = "what the manifests say" if inputs.count is None else f"{inputs.count} already"
            return Nothing(f"{facts.by} has {said}")
        changes = [
            Change(f"{facts.by} {name}", facts.now[name], facts.then[name])
            for name in facts.now
            if facts.now[name] != facts.then[name]
        ]
        return Changes((*changes, Change("override", facts.scaled, inputs.count)))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        """The configuration as it was applied before."""
        from cbctl.clients.kubernetes import scale
        from cbctl.clients.kubernetes.former import applied_by_us

        with target.connected(ctx, inputs, working=True) as api:
            live = scale.live(api, target.deployment(api, inputs)["metadata"]["name"])
        return applied_by_us(live) if live else None

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.kubernetes import apply, manifests

        if not isinstance(intent, dict):
            raise CbctlError("it was not applied by cbctl", exit=Exit.REFUSED)
        wanted = _wanted(intent, inputs)
        with target.connected(ctx, inputs, working=True) as api:
            ctx.fence()
            apply.apply(api, wanted)
            live = _until_counted(ctx, api, inputs, wanted)
            target.finish(ctx, api, live, inputs.seconds)
        return Outcome(manifests.title(wanted), int(live["spec"].get("replicas", 1)))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        with target.connected(ctx, inputs) as api:
            live = target.deployment(api, inputs)
        return Outcome(facts.by, int(live["spec"].get("replicas", 1)))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        from cbctl.clients.kubernetes import scale

        with target.connected(ctx, inputs, working=True) as api:
            deployment = target.deployment(api, inputs)
            live = scale.live(api, deployment["metadata"]["name"])
        if scale.override(live) != inputs.count:
            return NotVerified("somebody else set the number of pods meanwhile")
        available = deployment.get("status", {}).get("availableReplicas", 0)
        if inputs.count is not None and available < inputs.count:
            return NotVerified(f"{available} pods are available, not {inputs.count}")
        return Verified({"available": available})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        from cbctl.clients.kubernetes import apply

        if not isinstance(intent, dict):
            return CannotUndo("nothing was written down of what was there before")
        with target.connected(ctx, inputs, working=True) as api:
            ctx.fence()
            apply.apply(api, intent)
        return None


def _wanted(former: Object, inputs: Inputs) -> Object:
    from cbctl.clients.kubernetes import scale

    return scale.reset(former) if inputs.count is None else scale.scaled(former, inputs.count)


def _numbers(thing: Object) -> dict[str, int | None]:
    names = ("replicas",) if thing["kind"] == "Deployment" else ("minReplicas", "maxReplicas")
    return {name: thing["spec"].get(name) for name in names}


def _until_counted(ctx: Context, api: Any, inputs: Inputs, wanted: Object) -> Object:
    """The Deployment, once its autoscaler has seen the new lower bound: it looks every 15 s.

    To fewer pods an autoscaler goes when the load is less, which is not waited for."""
    least = _numbers(wanted).get("minReplicas") or 0
    until = ctx.monotonic() + inputs.seconds
    while True:
        live = target.deployment(api, inputs)
        count = int(live["spec"].get("replicas", 1))
        if count >= least:
            return live
        if ctx.monotonic() > until:
            raise CbctlError(
                f"the autoscaler has not set {least} pods within {inputs.seconds} s: {count}",
                where=api.where,
                exit=Exit.TIMEOUT,
                fix=f"kubectl describe hpa {wanted['metadata']['name']} says why",
            )
        ctx.progress("waiting for the autoscaler", count, least)
        ctx.sleep(PAUSE)


STEP = Scale()
