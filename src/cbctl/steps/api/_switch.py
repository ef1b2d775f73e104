"""From one side to the other: as many pods, each asked directly, then the load on them alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cbctl.engine.step import Context
from cbctl.errors import CbctlError, Exit
from cbctl.steps.api._target import Object
from cbctl.steps.api._wanted import Inputs, Wanted

SECONDS = 60.0  # that the cluster may take to send the load to other pods
PAUSE = 0.2


def same_number(ctx: Context, api: Any, wanted: Wanted, changed: Object) -> Object:
    """The Deployment with as many pods as serve now, where an autoscaler will own their number:
    it looks at the new side only when that serves."""
    if any(one["spec"].get("replicas") for one in wanted.objects if wanted.is_of(one)):
        return changed
    now = api.get("apps/v1", "Deployment", wanted.now)
    count = int(now["spec"].get("replicas", 1)) if now else 1
    if int(changed["spec"].get("replicas", 1)) == count:
        return changed
    ctx.fence()
    api.scale(wanted.deployment, count)
    found: Object = api.get("apps/v1", "Deployment", wanted.deployment)
    return found


def ask_pods(ctx: Context, api: Any, inputs: Inputs, deployment: Object) -> None:
    """Each new pod answers what it will be asked under load. Raises CbctlError."""
    from cbctl.clients.kubernetes import live
    from cbctl.clients.kubernetes.failures import Refused, Unreachable

    for pod in live.newest_pods(api, deployment):
        name = pod["metadata"]["name"]
        for path in (inputs.health, inputs.ready):
            ctx.progress(f"asking pod {name} for {path}")
            try:
                api.ask(name, inputs.port, path)
            except (Refused, Unreachable) as error:
                raise CbctlError(
                    f"pod {name} answers {path} with {error.what}: it is given no load",
                    where=api.where,
                    evidence={"pod": name, "path": path, "answer": error.what},
                ) from None


def until_served(
    ctx: Context, api: Any, inputs: Inputs, wanted: Wanted, switched: Sequence[Object]
) -> None:
    """Waits until every Service sends the load to pods of the new side, and to no other."""
    from cbctl.clients.kubernetes import live

    deployment = api.get("apps/v1", "Deployment", wanted.deployment)
    until = ctx.monotonic() + SECONDS
    for service in (one for one in switched if one["kind"] == "Service"):
        name = service["metadata"]["name"]
        while True:
            new = {pod["metadata"]["name"] for pod in live.newest_pods(api, deployment)}
            served = live.served_by(api, name)
            if served and served <= new:
                break
            if ctx.monotonic() > until:
                raise CbctlError(
                    f"Service {name} does not reach the {wanted.side} pods alone: it reaches"
                    f" {', '.join(sorted(served)) or 'none'}",
                    where=api.where,
                    exit=Exit.TIMEOUT,
                )
            ctx.progress(f"waiting for Service {name} to reach the {wanted.side} pods")
            ctx.sleep(PAUSE)
