"""Brings back manifests that were rolled out and found healthy before, as they were kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from cbctl.engine.step import (
    CannotUndo,
    Change,
    Context,
    Json,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
)
from cbctl.steps.api import _change, _registry
from cbctl.steps.api._change import Facts, Outcome
from cbctl.steps.api._wanted import Wanted, wanted


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       mark of what cbctl applied for this environment
    kept        the manifests, as the run that rolled them out has kept them
    deployment  its name, where the manifests have several
    container   its name, where the Deployment has several
    seconds     to wait for a verdict
    namespace_uid  what the namespace must be known by
    strategy    rolling, blue-green
    port, health, ready  what each new pod is asked before it is given any load (blue-green)
    repository  of the service's images; "": the registry is not asked
    registry    host:port by which it is reached, where that is another
    at_once     rolling: all pods are started at the same time, where the quotas have room for that
    """

    context: str
    namespace: str
    owner: str
    kept: str
    deployment: str = ""
    container: str = ""
    seconds: int = 900
    namespace_uid: str = ""
    strategy: Literal["rolling", "blue-green"] = "rolling"
    port: int = 80
    health: str = "/"
    ready: str = "/"
    repository: str = ""
    registry: str = ""
    at_once: bool = False


class Undo(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Bring back what was rolled out before"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        wanted = _wanted(inputs)
        seen = _change.observe(ctx, inputs, wanted)
        if not any(thing.startswith("Deployment ") for thing, *_ in seen.facts.differences):
            return seen  # its pods are still there, whatever became of their image
        found = _registry.look(wanted.image, inputs.repository, inputs.registry)
        ctx.progress(f"the image is {found}")
        return replace(seen, evidence={**seen.evidence, "image": found})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        return _change.plan(_wanted(inputs).image, facts)

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return _change.identify(ctx, inputs, _wanted(inputs))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        return _change.carry_out(ctx, inputs, _wanted(inputs), intent, at_once=inputs.at_once)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return _change.outcome(ctx, inputs, _wanted(inputs))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        return _change.verify(ctx, inputs, _wanted(inputs).image)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return _change.take_back(ctx, inputs, intent)


def _wanted(inputs: Inputs) -> Wanted:
    from cbctl.clients.kubernetes import manifests, packed

    kept = packed.unpacked(inputs.kept)
    manifests.in_namespace(kept, inputs.namespace, "kept manifests")
    return wanted(kept, inputs)


STEP = Undo()
