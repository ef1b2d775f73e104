"""Why a pod does not come up, from what the cluster says of it: one sentence, and how long to wait
before believing that it stays so.

Patience 0 is for what no waiting can cure: an image that is not there, a command that is not in it.
What may be over in a moment (a registry that does not answer, a quota that an ending pod frees, a
node that is being added) gets time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cbctl.clients.kubernetes.api import Object

RESTARTS = 2  # after the second restart it is no accident
AT_ONCE = 0.0
BRIEFLY = 2.0  # what another controller may be about to create
QUOTA = 15.0
UNSCHEDULABLE = 15.0
PULLS = 60.0  # a registry that fails for reasons of its own

Reason = Literal[
    "image", "command", "configuration", "memory", "crash", "ends", "liveness", "start-up",
    "quota", "refused", "unschedulable", "node", "readiness", "slow", "old-pods", "changed",
    "deleted", "deadline",
]  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """
    reason    a word that scripts may compare
    sentence  for people
    pod, container  where it is; evidence is looked for there
    patience  seconds that it must last to be believed
    """

    reason: Reason
    sentence: str
    pod: str = ""
    container: str = ""
    patience: float = AT_ONCE


_NOT_THERE = re.compile(
    r"not found|manifest unknown|name unknown|unauthorized|denied|forbidden|401|403|404"
    r"|no match for platform|invalid reference",
    re.IGNORECASE,
)


def of_pod(pod: Object, events: Iterable[Object]) -> Cause | None:
    """What is fatally wrong with a pod; None when nothing is known to be."""
    for wrong in (*_of_containers(pod, list(events)), *_of_conditions(pod)):
        return wrong
    return None


def of_replica_set(replica_set: Object) -> Cause | None:
    """Why its pods cannot even be created."""
    failure = condition(replica_set, "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return None
    said = str(failure.get("message") or "")
    if "exceeded quota" in said:
        return Cause(
            "quota", f"the namespace's quota does not allow its pods: {said}", "", "", QUOTA
        )
    return Cause("refused", f"the cluster refuses its pods: {said}", patience=BRIEFLY)


def of_unready(pod: Object, events: Iterable[Object]) -> Cause | None:
    """What keeps a pod that runs from being ready: only worth saying when time is up."""
    name = pod["metadata"]["name"]
    node = pod["spec"].get("nodeName")
    if _last_message(events, "NodeNotReady"):
        return Cause("node", f"node {node} of pod {name} does not answer any more", name)
    for status in _statuses(pod):
        if status.get("ready") or "running" not in status.get("state", {}):
            continue
        container = status["name"]
        said = _last_message(events, "Unhealthy")
        if status.get("started") is False:
            why = f"it has not finished starting: {said}" if said else "it is still starting"
            return Cause("slow", f"container {container} is too slow: {why}", name, container)
        why = said or "its readiness probe has not succeeded"
        return Cause("readiness", f"container {container} is not ready: {why}", name, container)
    if node and not any(_statuses(pod)):  # the first that a node does is to report them
        return Cause("node", f"nothing is heard of pod {name} from node {node}", name)
    if pod["status"].get("phase") == "Pending":
        return Cause("slow", f"pod {name} is still being set up", name)
    return None


def condition(thing: Object, kind: str) -> dict[str, Any] | None:
    for one in thing.get("status", {}).get("conditions") or ():
        if one["type"] == kind:
            found: dict[str, Any] = one
            return found
    return None


def _of_conditions(pod: Object) -> Iterator[Cause]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled["status"] == "False" and scheduled.get("reason") == "Unschedulable":
        said = scheduled.get("message") or "no node fits"
        name = pod["metadata"]["name"]
        yield Cause("unschedulable", f"no node takes its pod: {said}", name, "", UNSCHEDULABLE)


def _of_containers(pod: Object, events: list[Object]) -> Iterator[Cause]:
    name = pod["metadata"]["name"]
    for status in _statuses(pod):
        container = status["name"]
        which = f"container {container}"
        if status.get("initContainer"):
            which = f"init container {container}"
        waiting = status.get("state", {}).get("waiting") or {}
        reason, said = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
        found = _waiting(reason, said, which, status)
        found = found or _start_failed(status, which) or _restarts(status, which, events)
        if found is not None:
            yield Cause(found.reason, found.sentence, name, container, found.patience)


def _waiting(reason: str, said: str, which: str, status: Object) -> Cause | None:
    image = status.get("image", "")
    match reason:
        case "InvalidImageName" | "ErrImageNeverPull":
            return Cause("image", f"the image of {which} cannot be had: {said or image}")
        case "ErrImagePull" | "ImagePullBackOff":
            patience = AT_ONCE if _NOT_THERE.search(said) else PULLS
            why = f"the image of {which} cannot be pulled: {said or image}"
            return Cause("image", why, patience=patience)
        case "CreateContainerConfigError":
            return Cause("configuration", f"{which} lacks what it needs: {said}", patience=BRIEFLY)
        case "CreateContainerError" | "RunContainerError":
            return Cause("command", f"{which} cannot be started: {said}", patience=BRIEFLY)
    return None


def _start_failed(status: Object, which: str) -> Cause | None:
    last = ended(status)
    if last.get("reason") in ("StartError", "ContainerCannotRun"):
        return Cause("command", f"{which} cannot be started: {last.get('message') or 'no reason'}")
    return None


def _restarts(status: Object, which: str, events: list[Object]) -> Cause | None:
    last = ended(status)
    restarts = int(status.get("restartCount") or 0)
    if status.get("ready") or not last:
        return None
    if last.get("reason") == "OOMKilled" and restarts >= 1:
        return Cause("memory", f"{which} needs more memory than its limit: it was killed for that")
    if restarts < RESTARTS:
        return None
    code = last.get("exitCode")
    if probe := _last_message(events, "Unhealthy", "Liveness probe"):
        return Cause("liveness", f"{which} is killed again and again: {probe}")
    if probe := _last_message(events, "Unhealthy", "Startup probe"):
        return Cause("start-up", f"{which} does not start in the time it is given: {probe}")
    if code == 0:
        return Cause("ends", f"{which} ends by itself, with exit code 0, and should go on running")
    return Cause("crash", f"{which} ends with exit code {code}, {restarts} restarts did not help")


def _statuses(pod: Object) -> Iterator[Object]:
    for status in pod.get("status", {}).get("initContainerStatuses") or ():
        yield {**status, "initContainer": True}
    yield from pod.get("status", {}).get("containerStatuses") or ()


def ended(status: Object) -> dict[str, Any]:
    """How the container ended last."""
    for state in ("state", "lastState"):
        if ended := status.get(state, {}).get("terminated"):
            found: dict[str, Any] = ended
            return found
    return {}


def _last_message(events: Iterable[Object], reason: str, begins: str = "") -> str:
    said = [e for e in events if e.get("reason") == reason]
    said = [e for e in said if str(e.get("message", "")).startswith(begins)]
    return str(max(said, key=event_time).get("message", "")) if said else ""


def event_time(event: Object) -> str:
    """When it was last seen; sorts as text."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return str(next((time for time in times if time), ""))
