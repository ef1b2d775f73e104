"""Says what runs of the service, and whether its last rollout came to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cbctl.engine.step import (
    Change,
    Context,
    Json,
    Nothing,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
)
from cbctl.steps.api import _target as target


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    deployment  its name
    """

    context: str
    namespace: str
    deployment: str


@dataclass(frozen=True)
class Facts:
    """images: of the containers, by their names"""

    images: tuple[tuple[str, str], ...]
    revision: int
    wanted: int
    available: int
    rolled_out: bool


class Status(Step[Inputs, Facts, Facts]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Say what runs of the service on Kubernetes"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        return Observation(self._look(ctx, inputs))

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        state = "rolled out" if facts.rolled_out else "being rolled out"
        return Nothing(f"{facts.available} of {facts.wanted} pods are available, {state}")

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Facts:
        return self._look(ctx, inputs)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Facts:
        return facts

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        api = target.connect(ctx, inputs)
        try:
            return target.verified(target.deployment(api, inputs.deployment))
        finally:
            api.close()

    def _look(self, ctx: Context, inputs: Inputs) -> Facts:
        from cbctl.clients.kubernetes.rollout import revision

        api = target.connect(ctx, inputs)
        try:
            live = target.deployment(api, inputs.deployment)
        finally:
            api.close()
        containers = live["spec"]["template"]["spec"]["containers"]
        return Facts(
            images=tuple((one["name"], one["image"]) for one in containers),
            revision=revision(live),
            wanted=live["spec"].get("replicas", 1),
            available=live.get("status", {}).get("availableReplicas", 0),
            rolled_out=target.rolled_out(live),
        )


STEP = Status()
