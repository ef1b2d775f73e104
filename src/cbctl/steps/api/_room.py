"""Whether the namespace has room for the pods that a rollout has to start before it may end any."""

from __future__ import annotations

import copy
import math
from typing import Any

from cbctl.clients.kubernetes import quota
from cbctl.clients.kubernetes.failures import Refused
from cbctl.steps.api._target import Object
from cbctl.steps.api._wanted import Wanted


def lacking(api: Any, wanted: Wanted, objects: list[Object], now: Object | None) -> tuple[str, ...]:
    """What quotas lack for it, a sentence each. Nothing where the quotas may not be looked at.

    objects  as they will be applied
    now      the Deployment that serves"""
    quotas = _quotas(api)
    if not quotas:
        return ()
    (made,) = (one for one in objects if wanted.is_of(one))
    pod = quota.of_pod(made["spec"]["template"]["spec"])
    count = int(made["spec"].get("replicas", _replicas(now) or 1))
    # of two sides it is the other one that is changed, and it may have pods yet
    there = api.get("apps/v1", "Deployment", wanted.deployment) if wanted.changes_side else now
    had = _replicas(there)
    if there is None or not had:
        return tuple(quota.lacking(quotas, quota.times(pod, count)))
    first = quota.times(pod, 0 if _may_miss(made, had) else 1)
    before = quota.times(quota.of_pod(there["spec"]["template"]["spec"]), had)
    last = quota.without(quota.times(pod, count), before)
    return tuple(quota.lacking(quotas, quota.most(first, last)))


def for_all_at_once(api: Any, deployment: Object) -> bool:
    """Whether all its pods may be started beside those that are there."""
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return False
    quotas = _quotas(api)
    if quotas is None:
        return False
    live = api.get("apps/v1", "Deployment", deployment["metadata"]["name"])
    count = int(deployment["spec"].get("replicas", _replicas(live) or 1))
    pod = quota.of_pod(deployment["spec"]["template"]["spec"])
    return not any(quota.lacking(quotas, quota.times(pod, count)))


def _replicas(deployment: Object | None) -> int:
    return int(deployment["spec"].get("replicas", 1)) if deployment else 0


def _quotas(api: Any) -> list[Object] | None:
    """None where we may not look at them."""
    try:
        found: list[Object] = api.list("v1", "ResourceQuota")
    except Refused as error:
        if error.forbidden:
            return None
        raise
    return found


def all_at_once(deployment: Object) -> Object:
    changed = copy.deepcopy(deployment)
    rolling = changed["spec"].setdefault("strategy", {}).setdefault("rollingUpdate", {})
    rolling["maxSurge"] = "100%"
    return changed


def _may_miss(deployment: Object, count: int) -> bool:
    """Whether it ends old pods before new ones are there; 25 % where nothing is said, rounded
    down."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return True
    share = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    if isinstance(share, int):
        return share > 0
    return math.floor(int(str(share).rstrip("%")) * count / 100) > 0
