"""What the steps on a Deployment share: the way to its cluster, and what became of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cbctl.engine.step import Context, NotVerified, Verdict, Verified
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api

LOOK_PATIENCE = 5.0  # seconds that looking goes on when the cluster does not answer
WORK_PATIENCE = 60.0  # the same while something is being changed: API servers restart


class Placed(Protocol):
    @property
    def context(self) -> str: ...

    @property
    def namespace(self) -> str: ...


def connect(ctx: Context, inputs: Placed, *, working: bool = False) -> Api:
    from cbctl.clients.kubernetes.api import Api

    patience = WORK_PATIENCE if working else LOOK_PATIENCE
    return Api.connect(inputs.context, inputs.namespace, patience=patience, sleep=ctx.sleep)


def deployment(api: Api, name: str) -> dict[str, Any]:
    """The Deployment of that name; an error that lists those there are."""
    found = api.get("apps/v1", "Deployment", name)
    if found is not None:
        return found
    names = [one["metadata"]["name"] for one in api.list("apps/v1", "Deployment")]
    raise CbctlError(
        f"there is no Deployment {name}; the namespace has: {', '.join(sorted(names)) or 'none'}",
        where=api.where,
        exit=Exit.USAGE,
    )


def finish(ctx: Context, api: Api, applied: dict[str, Any], seconds: float) -> int:
    """Waits until the change is rolled out; its revision. Else an error that names the cause."""
    from cbctl.clients.kubernetes.follow import Failed, follow
    from cbctl.clients.kubernetes.rollout import Going

    def tell(going: Going) -> None:
        ctx.progress(going.progress, going.ready, going.wanted or None)

    found = follow(api, applied, seconds, ctx.monotonic, tell, ctx.fence)
    if isinstance(found, Failed):
        raise CbctlError(
            found.cause.sentence,
            where=f"{api.where} Deployment {applied['metadata']['name']}",
            exit=Exit.TIMEOUT if found.late else Exit.FAILED,
            evidence=found.evidence,
        )
    return found.revision


def rolled_out(live: dict[str, Any]) -> bool:
    """Whether every pod that is wanted is a new one, and available."""
    from cbctl.clients.kubernetes.rollout import Done, judged

    return isinstance(judged(live), Done)


def verified(live: dict[str, Any]) -> Verdict:
    name = live["metadata"]["name"]
    status = live.get("status", {})
    wanted, available = live["spec"].get("replicas", 1), status.get("availableReplicas", 0)
    evidence = {"available": available, "wanted": wanted}
    if rolled_out(live):
        return Verified(evidence)
    why = f"Deployment {name} is not rolled out: {available} of {wanted} pods are available"
    return NotVerified(why, evidence=evidence)
