"""What becomes of a Deployment that was changed: done, doomed, or not known yet.

Pure: it is told what is seen and what time it is, and asked for its verdict. Only the pods of the
new ReplicaSet count, and nothing counts that the controllers said before they saw the change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cbctl.clients.kubernetes import causes
from cbctl.clients.kubernetes.api import MANAGER, Object
from cbctl.clients.kubernetes.causes import Cause
from cbctl.clients.kubernetes.watch import Changed, Collection, Listed, Seen

REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Going:
    """progress: for people, with counts"""

    progress: str
    ready: int = 0
    wanted: int = 0


@dataclass(frozen=True)
class Done:
    revision: int
    ready: int


@dataclass(frozen=True)
class Doomed:
    cause: Cause


Verdict = Going | Done | Doomed


def collections(deployment: Object) -> tuple[Collection, ...]:
    """What must be followed to judge it."""
    name = deployment["metadata"]["name"]
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    chosen = (("labelSelector", ",".join(f"{k}={v}" for k, v in sorted(labels.items()))),)
    return (
        Collection("apps/v1", "Deployment", (("fieldSelector", f"metadata.name={name}"),)),
        Collection("apps/v1", "ReplicaSet", chosen),
        Collection("v1", "Pod", chosen),
        Collection("v1", "Event"),
    )


class Rollout:
    """
    applied  the Deployment as the server answered when it was changed
    """

    def __init__(self, applied: Object) -> None:
        self._uid = applied["metadata"]["uid"]
        self._template = applied["spec"]["template"]
        self._known: dict[str, dict[str, Object]] = {
            kind: {} for kind in ("Deployment", "ReplicaSet", "Pod", "Event")
        }
        self._known["Deployment"][applied["metadata"]["name"]] = applied
        self._since: dict[tuple[str, str, str], float] = {}
        self._gone = False

    # ---- what is seen

    def see(self, seen: Seen) -> None:
        match seen:
            case Listed(collection, objects):
                self._known[collection.kind] = {o["metadata"]["name"]: o for o in objects}
                self._gone |= collection.kind == "Deployment" and not objects
            case Changed(collection, "DELETED", thing):
                self._known[collection.kind].pop(thing["metadata"]["name"], None)
                self._gone |= collection.kind == "Deployment"
            case Changed(collection, _, thing):
                self._known[collection.kind][thing["metadata"]["name"]] = thing

    # ---- what follows

    def verdict(self, now: float) -> Verdict:
        """now: seconds on a clock that only goes forward"""
        deployment = self.deployment
        if self._gone or deployment is None or deployment["metadata"]["uid"] != self._uid:
            return Doomed(Cause("deleted", "somebody deleted the Deployment meanwhile"))
        if deployment["spec"]["template"] != self._template:
            who = _last_writer(deployment)
            return Doomed(Cause("changed", f"{who} changed the Deployment meanwhile"))
        seen = judged(deployment)
        if isinstance(seen, Done) or not seen.wanted:
            return seen
        if cause := self._fatal(now):
            return Doomed(cause)
        progressing = causes.condition(deployment, "Progressing") or {}
        if progressing.get("reason") == "ProgressDeadlineExceeded":
            return Doomed(self.why_not("its time is up"))
        return Going(seen.progress, self._ready(), seen.wanted)

    def wakes(self, now: float) -> float:
        """Seconds until the verdict may change by time alone."""
        return min((since - now for since in self._since.values()), default=math.inf)

    def why_not(self, time: str) -> Cause:
        """What still holds it up, when nobody waits any longer."""
        for pod in self.new_pods():
            events = self.events_of(pod)
            if cause := causes.of_pod(pod, events) or causes.of_unready(pod, events):
                sentence = f"{time}: {cause.sentence}"
                return Cause(cause.reason, sentence, cause.pod, cause.container)
        replica_set = self.new_replica_set()
        if replica_set is not None and (cause := causes.of_replica_set(replica_set)):
            return Cause(cause.reason, f"{time}: {cause.sentence}")
        if not self.new_pods():
            return Cause("deadline", f"{time}, and it has no new pod")
        return Cause("old-pods", f"{time}: its new pods are ready, but the old ones do not end")

    # ---- what is known

    @property
    def deployment(self) -> Object | None:
        return next(iter(self._known["Deployment"].values()), None)

    def new_replica_set(self) -> Object | None:
        deployment = self.deployment
        if deployment is None:
            return None
        wanted = revision(deployment)
        for one in self._known["ReplicaSet"].values():
            if _owned_by(one, self._uid) and revision(one) == wanted:
                return one
        return None

    def new_pods(self) -> list[Object]:
        """Those of the new ReplicaSet that are not ending, by name."""
        replica_set = self.new_replica_set()
        if replica_set is None:
            return []
        uid = replica_set["metadata"]["uid"]
        return [
            pod
            for _, pod in sorted(self._known["Pod"].items())
            if _owned_by(pod, uid) and "deletionTimestamp" not in pod["metadata"]
        ]

    def events_of(self, thing: Object) -> list[Object]:
        uid = thing["metadata"]["uid"]
        found = [e for e in self._known["Event"].values() if e["involvedObject"].get("uid") == uid]
        return sorted(found, key=causes.event_time)

    def _ready(self) -> int:
        ready = (causes.condition(pod, "Ready") or {} for pod in self.new_pods())
        return sum(one.get("status") == "True" for one in ready)

    def _fatal(self, now: float) -> Cause | None:
        """The first cause that lasted long enough to be believed."""
        found = [cause for pod in self.new_pods() if (cause := self._of_pod(pod))]
        replica_set = self.new_replica_set()
        if replica_set is not None and (cause := causes.of_replica_set(replica_set)):
            found.append(cause)
        before, self._since = self._since, {}
        fatal = None
        for cause in found:
            key = (cause.reason, cause.pod, cause.container)
            believed = before.get(key, now + cause.patience)
            # A harder finding on the same container does not wait for the patience of a softer one.
            self._since[key] = min(believed, now + cause.patience)
            if fatal is None and self._since[key] <= now:
                fatal = cause
        return fatal

    def _of_pod(self, pod: Object) -> Cause | None:
        return causes.of_pod(pod, self.events_of(pod))


def seen(deployment: Object) -> bool:
    """Whether its status is about the present generation."""
    observed = deployment.get("status", {}).get("observedGeneration", 0)
    return bool(observed >= deployment["metadata"]["generation"])


def judged(deployment: Object) -> Going | Done:
    """What the Deployment's own status says; it counts once it is about the present generation."""
    status = deployment.get("status", {})
    if not seen(deployment):
        return Going("the cluster has not seen the change yet")
    wanted = int(deployment["spec"].get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    total = int(status.get("replicas") or 0)
    available = int(status.get("availableReplicas") or 0)
    if updated >= wanted and total == updated and available >= wanted:
        return Done(revision(deployment), available)
    said = f"{updated} of {wanted} new pods, {available} available, {total - updated} old"
    return Going(said, 0, wanted)


def revision(thing: Object) -> int:
    """0 before the controller gave it one."""
    found = (thing["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(found) if found.isdigit() else 0


def _owned_by(thing: Object, uid: str) -> bool:
    return any(o.get("uid") == uid for o in thing["metadata"].get("ownerReferences") or ())


def _last_writer(thing: Object) -> str:
    """Who changed the object itself last; controllers write its status only."""
    fields = thing["metadata"].get("managedFields") or ()
    writers = [one for one in fields if "subresource" not in one]
    if not writers:
        return "somebody"
    # The server notes whole seconds: of two in the same one, the other is whom we look for.
    last = max(writers, key=lambda one: (one.get("time", ""), one["manager"] != MANAGER))
    return f"`{last['manager']}`"
