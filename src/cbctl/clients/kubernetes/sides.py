"""Blue and green: two Deployments of the service, of which Services reach one.

The blue one has the name of the manifests, so that an environment may begin with it; what tells the
pods of both apart is a label, which the Services select by too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Final

from cbctl.clients.kubernetes import references
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.scale import scaler_of

SIDE: Final = "cbctl/side"
BLUE: Final = "blue"
GREEN: Final = "green"


def other(side: str) -> str:
    return GREEN if side == BLUE else BLUE


def name_of(deployment: str, side: str) -> str:
    """The Deployment's name on that side; "" is that of an environment without sides."""
    return f"{deployment}-{GREEN}" if side == GREEN else deployment


def on(objects: Sequence[Object], deployment: str, side: str) -> list[Object]:
    """Manifests that have the service run on that side and nowhere else."""
    changed = copy.deepcopy(list(objects))
    chosen = _deployment(changed, deployment)
    for service in services(changed, chosen):
        service["spec"]["selector"][SIDE] = side
    if scaler := scaler_of(changed, deployment):
        scaler["spec"]["scaleTargetRef"]["name"] = name_of(deployment, side)
    template = chosen["spec"]["template"]["metadata"]
    for labels in (chosen["metadata"].setdefault("labels", {}), template["labels"]):
        labels[SIDE] = side
    chosen["metadata"]["name"] = name_of(deployment, side)
    if side == GREEN:  # what a Deployment selects can never be changed: the blue one keeps its own
        chosen["spec"]["selector"]["matchLabels"][SIDE] = side
    return changed


def services(objects: Iterable[Object], deployment: Object) -> list[Object]:
    """Those that reach the pods of the Deployment, on whichever side."""
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    found = (one for one in objects if one["kind"] == "Service" and one["spec"].get("selector"))
    return [
        one
        for one in found
        if {k: v for k, v in one["spec"]["selector"].items() if k != SIDE}.items() <= labels
    ]


def serving(api: Api, objects: Sequence[Object], deployment: str) -> str:
    """The side that the Services reach now; "" where there are no sides yet."""
    for one in services(objects, _deployment(objects, deployment)):
        live = api.get("v1", "Service", one["metadata"]["name"])
        if live is not None and (side := (live["spec"].get("selector") or {}).get(SIDE)):
            return str(side)
    return ""


def switched(objects: Sequence[Object], deployment: str) -> set[tuple[str, str]]:
    """What moves the load to a side, by kind and name: to be applied when its pods are ready.

    deployment  its name on that side"""
    found = services(objects, _deployment(objects, deployment))
    if scaler := scaler_of(objects, deployment):
        found.append(scaler)
    return {(one["kind"], one["metadata"]["name"]) for one in found}


def kept(stale: Iterable[Object], left: Object | None) -> list[Object]:
    """Of what the manifests no longer have, what the side that was left does not need either.

    left  its Deployment"""
    if left is None:
        return list(stale)
    needed = {("Deployment", left["metadata"]["name"])}
    needed |= {("ConfigMap", name) for name in references.config_maps(left["spec"]["template"])}
    return [one for one in stale if (one["kind"], one["metadata"]["name"]) not in needed]


def _deployment(objects: Iterable[Object], name: str) -> Object:
    return next(
        one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Deployment", name)
    )
