"""Applies the manifests with an image, rolls it out, and removes what they no longer have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from cbctl.engine.step import (
    Blocked,
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

_SHARE = 80  # per cent of the database's connections that may be used


@dataclass(frozen=True)
class Inputs:
    """
    context     of the kubeconfig
    namespace   the environment's own
    owner       whose manifests these are: what carries this mark and is not in them is removed
    manifests   folder of the overlay
    image       by digest: name@sha256:…
    deployment  its name, where the manifests have several
    container   its name, where the Deployment has several
    seconds     to wait for a verdict
    namespace_uid  what the namespace must be known by
    strategy    rolling, blue-green
    port, health, ready  what each new pod is asked before it is given any load (blue-green)
    pool        connections to the database that a pod opens at most; 0: not known
    connections what the database takes in all; 0: not known
    repository  of the service's images; "": the registry is not asked
    registry    host:port by which it is reached, where that is another
    signed_by   only what this public key signed may run
    provenance  and only with a signed statement of how it was built
    """

    context: str
    namespace: str
    owner: str
    manifests: Path
    image: str
    deployment: str = ""
    container: str = ""
    seconds: int = 900
    namespace_uid: str = ""
    strategy: Literal["rolling", "blue-green"] = "rolling"
    port: int = 80
    health: str = "/"
    ready: str = "/"
    pool: int = 0
    connections: int = 0
    repository: str = ""
    registry: str = ""
    signed_by: Path | None = None
    provenance: bool = False


class Rollout(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Roll the service out on Kubernetes"

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        found = _registry.require(
            inputs.image, inputs.repository, inputs.registry, inputs.signed_by, inputs.provenance
        )
        ctx.progress(f"the image is {found}")
        seen = _change.observe(ctx, inputs, _wanted(inputs))
        return replace(seen, evidence={**seen.evidence, "image": found})

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if why := _too_many_connections(inputs, facts):
            return Blocked(why, "fewer pods for the time (cbctl api scale), or smaller pools")
        return _change.plan(inputs.image, facts)

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return _change.identify(ctx, inputs, _wanted(inputs))

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        return _change.carry_out(ctx, inputs, _wanted(inputs), intent)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return _change.outcome(ctx, inputs, _wanted(inputs))

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        return _change.verify(ctx, inputs, inputs.image)

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return _change.take_back(ctx, inputs, intent)


def _too_many_connections(inputs: Inputs, facts: Facts) -> str:
    """Two sides at once have twice the pods: why the database would not take that."""
    needed, most = 2 * facts.pods * inputs.pool, inputs.connections * _SHARE // 100
    if not facts.serving or facts.side == facts.serving or not most or needed <= most:
        return ""
    return (
        f"two sides of {facts.pods} pods may open {needed} connections to the database, more than"
        f" {_SHARE} % of its {inputs.connections}"
    )


def _wanted(inputs: Inputs) -> Wanted:
    from cbctl.clients.kubernetes import manifests

    where = str(inputs.manifests)
    rendered = manifests.render(inputs.manifests)
    manifests.in_namespace(rendered, inputs.namespace, where)
    manifests.without_secrets(rendered, where)
    imaged = manifests.with_image(rendered, inputs.image, inputs.deployment, inputs.container)
    return wanted(imaged, inputs)


STEP = Rollout()
