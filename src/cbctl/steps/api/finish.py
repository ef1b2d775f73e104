"""Removes the side that was left by a blue-green rollout: afterwards the way back is a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

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
from cbctl.steps.api import _target as target
from cbctl.steps.api._target import Object


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    deployment  its name, where there are several
    namespace_uid  what the namespace must be known by
    """

    context: str
    namespace: str
    owner: str
    deployment: str = ""
    namespace_uid: str = ""


@dataclass(frozen=True)
class Facts:
    """
    serving  the Deployment that serves
    left     what only the other side needs: "Deployment api-green", its settings
    """

    serving: str
    left: tuple[str, ...]


class Finish(Step[Inputs, Facts, Facts]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Remove the side that was left"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        from cbctl.clients.kubernetes.manifests import title

        with target.connected(ctx, inputs) as api:
            serving = target.deployment(api, inputs)
            left = _left(api, inputs, serving)
        return Observation(Facts(serving["metadata"]["name"], tuple(title(one) for one in left)))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if not facts.left:
            return Nothing(f"there is no side beside Deployment {facts.serving}")
        return Changes(tuple(Change(f"remove {one}", "there", None) for one in facts.left))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        from cbctl.clients.kubernetes import apply
        from cbctl.clients.kubernetes.manifests import title

        with target.connected(ctx, inputs, working=True) as api:
            serving = target.deployment(api, inputs)
            left = _left(api, inputs, serving)
            for one in left:
                ctx.fence()
                apply.remove(api, one)
        return Facts(serving["metadata"]["name"], tuple(title(one) for one in left))

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        with target.connected(ctx, inputs, working=True) as api:
            left = _left(api, inputs, target.deployment(api, inputs))
        if left:
            return NotVerified(f"Deployment {left[0]['metadata']['name']} is still there")
        return Verified()

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("pods that were removed are gone; cbctl api undo starts such ones again")


def _left(api: Any, inputs: Inputs, serving: Object) -> list[Object]:
    """The Deployment of the other side first, then the settings that only its pods use."""
    from cbctl.clients.kubernetes import live, references
    from cbctl.clients.kubernetes.manifests import OWNER

    other = live.left(api, inputs.owner, serving)
    if other is None:
        return []
    needed = references.config_maps(serving["spec"]["template"])
    used = references.config_maps(other["spec"]["template"]) - needed
    mark = f"{OWNER}={inputs.owner}"
    maps = api.list("v1", "ConfigMap", labelSelector=mark)
    return [other, *(one for one in maps if one["metadata"]["name"] in used)]


STEP = Finish()
