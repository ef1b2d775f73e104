"""The service on Kubernetes, looked at: what runs, what ran before, what it says."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cbctl.clients.kubernetes import causes, live, manifests, rollout, scale, sides
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.errors import CbctlError
from cbctl.report.rollouts import Rolled


def status(api: Api, owner: str, name: str) -> dict[str, Any]:
    """What runs now, and whether its last rollout came to its end."""
    deployment = live.deployment(api, owner, name)
    name = deployment["metadata"]["name"]
    with ThreadPoolExecutor(4) as pool:
        left = pool.submit(live.left, api, owner, deployment)
        sets = pool.submit(live.replica_sets, api, deployment)
        pods = pool.submit(live.pods, api, deployment)
        number = pool.submit(scale.live, api, name)
    newest = rollout.revision(deployment)
    uids = {o["metadata"]["uid"] for o in sets.result() if rollout.revision(o) == newest}
    template = deployment["spec"]["template"]["spec"]
    counts = deployment.get("status", {})
    return {
        "deployment": name,
        "namespace": api.namespace,
        "context": api.transport.where,
        "state": _state(deployment),
        "revision": newest,
        "release": manifests.release_of(deployment),
        "images": {one["name"]: one["image"] for one in template["containers"]},
        "wanted": deployment["spec"].get("replicas", 1),
        "available": counts.get("availableReplicas", 0),
        "updated": counts.get("updatedReplicas", 0),
        "override": scale.override(number.result()),
        "side": (deployment["metadata"].get("labels") or {}).get(sides.SIDE),
        "left": _left(left.result()),
        "pods": [_pod(one, new=live.owner_of(one) in uids) for one in pods.result()],
    }


def _left(deployment: Object | None) -> dict[str, Any] | None:
    """The side that can be returned to at once."""
    if deployment is None:
        return None
    return {
        "deployment": deployment["metadata"]["name"],
        "release": manifests.release_of(deployment),
        "available": deployment.get("status", {}).get("availableReplicas", 0),
    }


def _state(deployment: Object) -> str:
    if isinstance(rollout.judged(deployment), rollout.Done):
        return "rolled out"
    progressing = causes.condition(deployment, "Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return "failed"
    return "going on"


def _pod(pod: Object, *, new: bool) -> dict[str, Any]:
    found = pod.get("status", {})
    ready = causes.condition(pod, "Ready") or {}
    cause = causes.of_pod(pod, ())
    return {
        "name": pod["metadata"]["name"],
        "new": new,
        "state": "Ending" if "deletionTimestamp" in pod["metadata"] else found.get("phase"),
        "ready": ready.get("status") == "True",
        "restarts": sum(one.get("restartCount", 0) for one in found.get("containerStatuses", ())),
        "node": pod["spec"].get("nodeName"),
        "wrong": cause.sentence if cause else None,
    }


# ---- what ran before


def history(api: Api, owner: str, name: str, known: Sequence[Rolled]) -> list[dict[str, Any]]:
    """The cluster's revisions, oldest first, with what cbctl's runs found of them."""
    deployment = live.deployment(api, owner, name)
    recorded = {one.release: one for one in known}
    found = []
    for one in sorted(live.replica_sets(api, deployment), key=rollout.revision):
        run = recorded.get(manifests.release_of(one))
        found.append(
            {
                "revision": rollout.revision(one),
                "made": one["metadata"]["creationTimestamp"],
                "images": [c["image"] for c in one["spec"]["template"]["spec"]["containers"]],
                "state": run.state if run else "not recorded",
                "run": run.run if run else None,
                "by": run.who if run else None,
                "runs": rollout.revision(one) == rollout.revision(deployment),
            }
        )
    return found


def unchanged(api: Api, owner: str, name: str, known: Sequence[Rolled]) -> str:
    """The release that runs, if it still has the images that it was rolled out with; else ""."""
    try:
        deployment = live.deployment(api, owner, name)
    except CbctlError:  # nothing is there: everything is a way back
        return ""
    release = manifests.release_of(deployment)
    run = next((one for one in known if one.release == release), None)
    containers = deployment["spec"]["template"]["spec"]["containers"]
    same = run is not None and run.image in [one["image"] for one in containers]
    return release if same else ""


# ---- what it says


def logs(
    api: Api, owner: str, name: str, container: str, lines: int, *, previous: bool = False
) -> Iterator[tuple[str, str]]:
    """The last lines of each pod, with its name."""
    deployment = live.deployment(api, owner, name)
    chosen = manifests.container_of(deployment, container)["name"]
    pods = live.pods(api, deployment)
    for pod in pods:
        own = pod["metadata"]["name"]
        for line in api.log(own, chosen, lines=lines, previous=previous).splitlines():
            yield own, line


def follow(
    api: Api, owner: str, name: str, container: str, lines: int
) -> Iterator[tuple[str, str]]:
    """The last lines and every new one of the pods that are there now, until all have ended."""
    deployment = live.deployment(api, owner, name)
    chosen = manifests.container_of(deployment, container)["name"]
    pods = [one["metadata"]["name"] for one in live.pods(api, deployment)]
    told: queue.SimpleQueue[tuple[str, str | CbctlError | None]] = queue.SimpleQueue()

    def one(pod: str) -> None:
        try:
            for line in api.log_lines(pod, chosen, lines=lines):
                told.put((pod, line))
            told.put((pod, None))
        except CbctlError as error:
            told.put((pod, error))

    for pod in pods:  # daemons: who reads no more does not wait for them
        threading.Thread(target=one, args=(pod,), daemon=True).start()
    going_on = len(pods)
    while going_on:
        pod, line = told.get()
        if isinstance(line, CbctlError):
            raise line
        if line is None:
            going_on -= 1
        else:
            yield pod, line
