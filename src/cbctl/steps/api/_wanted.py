"""What is to run: manifests, and the side that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cbctl.steps.api import _target as target
from cbctl.steps.api._target import Object

BLUE_GREEN = "blue-green"


class Inputs(target.Placed, Protocol):
    """
    container  that of the service; "": the only one
    seconds    to wait for a verdict
    strategy   rolling, blue-green
    port, health, ready  what each new pod is asked before it is given any load (blue-green)
    """

    @property
    def container(self) -> str: ...

    @property
    def seconds(self) -> int: ...

    @property
    def strategy(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def health(self) -> str: ...

    @property
    def ready(self) -> str: ...


@dataclass(frozen=True)
class Wanted:
    """
    base       the Deployment's name in the manifests
    deployment the same on the side that is to run
    image      of the service
    release    hash of the manifests
    objects    of the manifests, marked as ours
    manifests  the same as rendered, packed
    side       "" where there are none
    serving    the side that serves now; "" where there are none yet
    """

    base: str
    deployment: str
    image: str
    release: str
    objects: tuple[Object, ...]
    manifests: str
    side: str = ""
    serving: str = ""

    @property
    def now(self) -> str:
        """The Deployment that serves now."""
        from cbctl.clients.kubernetes import sides

        return sides.name_of(self.base, self.serving)

    @property
    def changes_side(self) -> bool:
        return bool(self.serving) and self.side != self.serving

    @property
    def title(self) -> str:
        return f"Deployment {self.deployment}"

    def is_of(self, one: Object) -> bool:
        """Whether that is its Deployment."""
        return bool((one["kind"], one["metadata"]["name"]) == ("Deployment", self.deployment))


def wanted(rendered: Sequence[Object], inputs: Inputs) -> Wanted:
    """rendered: with the image in them"""
    from cbctl.clients.kubernetes import manifests, packed

    release = packed.sha256(rendered)
    there = manifests.deployment_of(rendered, inputs.deployment)
    name = there["metadata"]["name"]
    marked = manifests.owned(manifests.named(rendered, release, name), inputs.owner)
    image = manifests.container_of(there, inputs.container)["image"]
    return Wanted(name, name, image, release, tuple(marked), packed.packed(rendered))


def placed(api: Any, wanted: Wanted, inputs: Inputs, side: str = "") -> Wanted:
    """On the side where it is to run: the other one than serves now, if its pods are others.

    side  where that is known already"""
    from cbctl.clients.kubernetes import sides

    if inputs.strategy != BLUE_GREEN:
        return wanted
    serving = sides.serving(api, wanted.objects, wanted.base)
    here = _on(wanted, serving or sides.BLUE, serving)
    if side:
        return _on(wanted, side, serving)
    if serving and _has_other_pods(api, here):
        return _on(wanted, sides.other(serving), serving)
    return here


def _on(wanted: Wanted, side: str, serving: str) -> Wanted:
    from cbctl.clients.kubernetes import sides

    return replace(
        wanted,
        deployment=sides.name_of(wanted.base, side),
        objects=tuple(sides.on(wanted.objects, wanted.base, side)),
        side=side,
        serving=serving,
    )


def _has_other_pods(api: Any, wanted: Wanted) -> bool:
    from cbctl.clients.kubernetes import apply
    from cbctl.steps.api._secrets import checked

    deployment = next(one for one in wanted.objects if wanted.is_of(one))
    found = apply.differences(api, [checked(api, deployment, wanted)])
    return any(one.new or any(f.startswith("spec.template") for f in one.fields) for one in found)
