"""What the steps on a Deployment share: the way to its cluster, and what became of a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from cbctl.engine.step import Context, NotVerified, Verdict, Verified
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.kubernetes.api import Api

Object = dict[str, Any]
LOOK_PATIENCE = 5.0  # seconds that looking goes on when the cluster does not answer
WORK_PATIENCE = 60.0  # the same while something is being changed: API servers restart
_SEEN_SECONDS = 30.0  # that a controller may take to see a change
_PAUSE = 0.1


class Located(Protocol):
    """
    context        of the kubeconfig
    namespace      the environment's own
    namespace_uid  what the namespace must be known by; "": not recorded
    """

    @property
    def context(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def namespace_uid(self) -> str: ...


class Placed(Located, Protocol):
    """What every step on the service is given.

    owner       mark of what cbctl applied for this environment
    deployment  its name; "": the only one that cbctl applied
    """

    @property
    def owner(self) -> str: ...

    @property
    def deployment(self) -> str: ...


@contextmanager
def connected(ctx: Context, inputs: Located, *, working: bool = False) -> Iterator[Api]:
    """The cluster that was meant. Raises CbctlError (7) when it is another one."""
    from cbctl.clients.kubernetes.api import Api

    patience = WORK_PATIENCE if working else LOOK_PATIENCE
    api = Api.connect(inputs.context, inputs.namespace, patience=patience, sleep=ctx.sleep)
    try:
        api.require_uid(inputs.namespace_uid)
        yield api
    finally:
        api.close()


def deployment(api: Api, inputs: Placed) -> Object:
    """The Deployment that runs the service. An error lists those there are."""
    from cbctl.clients.kubernetes import live

    return live.deployment(api, inputs.owner, inputs.deployment)


def finish(ctx: Context, api: Api, applied: Object, seconds: float) -> int:
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


def rolled_out(live: Object) -> bool:
    """Whether every pod that is wanted is a new one, and available."""
    from cbctl.clients.kubernetes.rollout import Done, judged

    return isinstance(judged(live), Done)


def settled(ctx: Context, api: Api, inputs: Placed) -> Object:
    """The Deployment once its controller has seen what was last written, also a note on it: until
    then its status is about what was there before."""
    from cbctl.clients.kubernetes import rollout

    until = ctx.monotonic() + _SEEN_SECONDS
    while not rollout.seen(live := deployment(api, inputs)) and ctx.monotonic() < until:
        ctx.sleep(_PAUSE)
    return live


def verified(live: Object) -> Verdict:
    name = live["metadata"]["name"]
    status = live.get("status", {})
    wanted, available = live["spec"].get("replicas", 1), status.get("availableReplicas", 0)
    evidence = {"available": available, "wanted": wanted}
    if rolled_out(live):
        return Verified(evidence)
    why = f"Deployment {name} is not rolled out: {available} of {wanted} pods are available"
    return NotVerified(why, evidence=evidence)
