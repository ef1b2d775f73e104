"""What runs in a namespace: the Deployment that serves, its pods, and whom a Service reaches."""

from __future__ import annotations

from cbctl.clients.kubernetes import sides
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.manifests import OWNER
from cbctl.clients.kubernetes.rollout import revision
from cbctl.errors import CbctlError, Exit


def deployment(api: Api, owner: str, name: str = "") -> Object:
    """The one of that name; without a name, the only one that carries the owner's mark. Of two
    sides, the one that serves."""
    marked = api.list("apps/v1", "Deployment", labelSelector=f"{OWNER}={owner}")
    if name:
        names = {sides.name_of(name, side) for side in (sides.BLUE, sides.GREEN)}
        found = [one for one in marked if one["metadata"]["name"] in names]
        if not found and (named := api.get("apps/v1", "Deployment", name)):
            return named
        missing = f"there is no Deployment {name}"
    else:
        found, missing = marked, "nothing was rolled out here by cbctl"
    if len(found) > 1:
        served = _sides_served(api, owner)
        found = [
            one for one in found if one["metadata"].get("labels", {}).get(sides.SIDE) in served
        ]
        missing = "several Deployments were applied by cbctl"
    if len(found) == 1:
        return found[0]
    there = [one["metadata"]["name"] for one in api.list("apps/v1", "Deployment")]
    raise CbctlError(
        f"{missing}; the namespace has: {', '.join(sorted(there)) or 'none'}",
        where=api.where,
        exit=Exit.USAGE,
        fix="cbctl api rollout makes it; where there are several, name one by"
        " `api.kubernetes.deployment` in cbctl.yaml",
    )


def left(api: Api, owner: str, serving: Object) -> Object | None:
    """The Deployment of the side that was left, as long as it is kept."""
    side = (serving["metadata"].get("labels") or {}).get(sides.SIDE)
    if not side:
        return None
    name = serving["metadata"]["name"].removesuffix(f"-{sides.GREEN}")
    mark = f"{OWNER}={owner},{sides.SIDE}={sides.other(side)}"
    found = api.list("apps/v1", "Deployment", labelSelector=mark)
    wanted = sides.name_of(name, sides.other(side))
    return next((one for one in found if one["metadata"]["name"] == wanted), None)


def _sides_served(api: Api, owner: str) -> set[str]:
    services = api.list("v1", "Service", labelSelector=f"{OWNER}={owner}")
    return {(one["spec"].get("selector") or {}).get(sides.SIDE, "") for one in services} - {""}


def replica_sets(api: Api, deployment: Object) -> list[Object]:
    uid = deployment["metadata"]["uid"]
    found = api.list("apps/v1", "ReplicaSet", labelSelector=_labels(deployment))
    return [one for one in found if owner_of(one) == uid]


def pods(api: Api, deployment: Object) -> list[Object]:
    """Of all its versions."""
    owners = {one["metadata"]["uid"] for one in replica_sets(api, deployment)}
    found = api.list("v1", "Pod", labelSelector=_labels(deployment))
    return [one for one in found if owner_of(one) in owners]


def newest_pods(api: Api, deployment: Object) -> list[Object]:
    """Of its newest version, without those that are ending."""
    sets = replica_sets(api, deployment)
    newest = max(sets, key=revision)["metadata"]["uid"] if sets else ""
    return [
        one
        for one in pods(api, deployment)
        if owner_of(one) == newest and "deletionTimestamp" not in one["metadata"]
    ]


def served_by(api: Api, service: str) -> set[str]:
    """Names of the pods that get the Service's load now."""
    selector = f"kubernetes.io/service-name={service}"
    slices = api.list("discovery.k8s.io/v1", "EndpointSlice", labelSelector=selector)
    return {
        one["targetRef"]["name"]
        for part in slices
        for one in part.get("endpoints") or ()
        if one.get("conditions", {}).get("ready") and one.get("targetRef", {}).get("kind") == "Pod"
    }


def owner_of(thing: Object) -> str:
    """UID of what controls it."""
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((str(one["uid"]) for one in owners if one.get("controller")), "")


def _labels(deployment: Object) -> str:
    labels = deployment["spec"]["selector"]["matchLabels"]
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
