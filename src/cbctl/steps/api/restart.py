"""Replaces every pod by a new one of the same kind, as a rollout does it.

Who asked is written into the pods' template: asked again for the same run, nothing is done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cbctl.engine.step import (
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
)
from cbctl.steps.api import _target as target

RESTARTED = "cbctl/restarted-by"


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    deployment  its name, where there are several
    seconds     to wait for a verdict
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    owner: str
    deployment: str = ""
    seconds: int = 900
    namespace_uid: str = ""


@dataclass(frozen=True)
class Facts:
    deployment: str
    revision: int


@dataclass(frozen=True)
class Outcome:
    deployment: str
    revision: int


class Restart(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Replace the pods of the service by new ones"
    at_most: ClassVar[tuple[str, ...]] = ("pods",)

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes.rollout import revision

        with target.connected(ctx, inputs) as api:
            live = target.deployment(api, inputs)
        return Observation(Facts(live["metadata"]["name"], revision(live)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        return Changes((Change("pods", f"revision {facts.revision}", "new ones"),))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return {"restart": f"{ctx.run}/{ctx.step}"}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        mark = intent["restart"] if isinstance(intent, dict) else f"{ctx.run}/{ctx.step}"
        template = {"metadata": {"annotations": {RESTARTED: mark}}}
        with target.connected(ctx, inputs, working=True) as api:
            name = target.deployment(api, inputs)["metadata"]["name"]
            ctx.fence()
            changed = api.merge("apps/v1", "Deployment", name, {"spec": {"template": template}})
            revision = target.finish(ctx, api, changed, inputs.seconds)
        return Outcome(name, revision)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome(facts.deployment, facts.revision)

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        with target.connected(ctx, inputs, working=True) as api:
            return target.verified(target.settled(ctx, api, inputs))

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("pods that were replaced are gone; the new ones are of the same kind")


STEP = Restart()
