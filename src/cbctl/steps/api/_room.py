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
    try:
        quotas = api.list("v1", "ResourceQuota")
    except Refused as error:
        if error.forbidden:
            return ()
        raise
    if not quotas:
        return ()
    (made,) = (one for one in objects if wanted.is_of(one))
    pod = quota.of_pod(made["spec"]["template"]["spec"])
    had = int(now["spec"].get("replicas", 1)) if now else 0
    count = int(made["spec"].get("replicas", had or 1))
    if now is None or wanted.changes_side:
        return tuple(quota.lacking(quotas, quota.times(pod, count)))
    first = quota.times(pod, 0 if _may_miss(made, count) else 1)
    before = quota.times(quota.of_pod(now["spec"]["template"]["spec"]), had)
    last = quota.without(quota.times(pod, count), before)
    return tuple(quota.lacking(quotas, quota.most(first, last)))


def for_all_at_once(api: Any, deployment: Object) -> bool:
    """Whether all its pods may be started beside those that are there."""
    if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
        return False
    try:
        quotas = api.list("v1", "ResourceQuota")
    except Refused as error:
        if error.forbidden:
            return False
        raise
    live = api.get("apps/v1", "Deployment", deployment["metadata"]["name"])
    count = deployment["spec"].get("replicas") or (live and live["spec"].get("replicas")) or 1
    pod = quota.of_pod(deployment["spec"]["template"]["spec"])
    return not any(quota.lacking(quotas, quota.times(pod, int(count))))


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
