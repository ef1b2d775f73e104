"""Which Deployment of a namespace runs the service."""

from __future__ import annotations

from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.manifests import OWNER
from cbctl.errors import CbctlError, Exit


def deployment(api: Api, owner: str, name: str = "") -> Object:
    """The one of that name; without a name, the only one that carries the owner's mark."""
    if name:
        found = api.get("apps/v1", "Deployment", name)
        if found is not None:
            return found
        there = _names(api.list("apps/v1", "Deployment"))
        raise _which(api, f"there is no Deployment {name}", there)
    marked = api.list("apps/v1", "Deployment", labelSelector=f"{OWNER}={owner}")
    if len(marked) == 1:
        return marked[0]
    if marked:
        raise _which(api, "several Deployments were applied by cbctl", _names(marked))
    there = _names(api.list("apps/v1", "Deployment"))
    raise _which(api, "nothing was rolled out here by cbctl", there)


def _which(api: Api, what: str, there: str) -> CbctlError:
    return CbctlError(
        f"{what}; the namespace has: {there or 'none'}",
        where=api.where,
        exit=Exit.USAGE,
        fix="cbctl api rollout makes it; where there are several, name one by"
        " `api.kubernetes.deployment` in cbctl.yaml",
    )


def _names(deployments: list[Object]) -> str:
    return ", ".join(sorted(one["metadata"]["name"] for one in deployments))
