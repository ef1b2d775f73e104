"""How many pods: what the manifests say, and what an operator said instead for the time being.

An autoscaler of the Deployment owns the number of its pods; then its bounds are what can be set.
The operator's number is kept as an annotation beside them, and with it what the manifests say: the
next rollout keeps the one and refreshes the other.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.manifests import annotate

SCALED: Final = "cbctl/scaled"
_BOUNDS: Final = ("minReplicas", "maxReplicas")


def scaler_of(objects: Iterable[Object], deployment: str) -> Object | None:
    """The autoscaler of the Deployment."""
    for one in objects:
        if one["kind"] == "HorizontalPodAutoscaler":
            target = one["spec"]["scaleTargetRef"]
            if (target["kind"], target["name"]) == ("Deployment", deployment):
                return one
    return None


def live(api: Api, deployment: str) -> Object | None:
    """What the number of pods is set by, as it is now: the autoscaler, or the Deployment itself."""
    scalers = api.list("autoscaling/v2", "HorizontalPodAutoscaler")
    return scaler_of(scalers, deployment) or api.get("apps/v1", "Deployment", deployment)


def override(thing: Object | None) -> int | None:
    """The operator's number, if there is one."""
    told = _told(thing)
    return int(told["to"]) if told else None


def scaled(thing: Object, count: int) -> Object:
    """The same configuration with the operator's number in it."""
    changed = reset(thing)
    spec = changed["spec"]
    said: dict[str, Any] = {"to": count, "from": {}}
    if changed["kind"] == "HorizontalPodAutoscaler":
        said["from"] = {name: spec.get(name) for name in _BOUNDS}
        spec["minReplicas"] = count
        spec["maxReplicas"] = max(count, spec["maxReplicas"])
    else:
        said["from"] = {"replicas": spec.get("replicas")}
        spec["replicas"] = count
    annotate(changed["metadata"], SCALED, json.dumps(said, sort_keys=True))
    return changed


def reset(thing: Object) -> Object:
    """The same configuration as the manifests have it."""
    changed = copy.deepcopy(thing)
    told = _told(changed)
    if told is None:
        return changed
    del changed["metadata"]["annotations"][SCALED]
    for name, value in told["from"].items():
        changed["spec"].pop(name, None)
        if value is not None:
            changed["spec"][name] = value
    return changed


def kept(objects: Sequence[Object], now: Object | None, deployment: str) -> list[Object]:
    """Manifests with the number that an operator set before.

    now  what the number of pods is set by on the cluster"""
    count = override(now)
    if count is None:
        return list(objects)
    scaler = scaler_of(objects, deployment)
    place = scaler or next(o for o in objects if _is(o, "Deployment", deployment))
    return [scaled(one, count) if one is place else one for one in objects]


def _is(thing: Object, kind: str, name: str) -> bool:
    return bool((thing["kind"], thing["metadata"]["name"]) == (kind, name))


def _told(thing: Object | None) -> dict[str, Any] | None:
    text = ((thing or {}).get("metadata", {}).get("annotations") or {}).get(SCALED)
    if text is None:
        return None
    told: dict[str, Any] = json.loads(text)
    return told
