"""A program run once in the cluster, as a Job: started, followed by its log, removed.

The Job's name says which it is: one that is there already is followed, not started again.
"""

from __future__ import annotations

import base64
import queue
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cbctl.clients.kubernetes import causes
from cbctl.clients.kubernetes.api import MANAGER, Api, Object
from cbctl.clients.kubernetes.causes import Cause
from cbctl.clients.kubernetes.watch import Changed, Collection, Listed, Seen, Watch
from cbctl.errors import CbctlError, Exit

CONTAINER: Final = "cbctl"
FOLDER: Final = "/task"
"""Where the pod finds its files."""

LABELS: Final = {"app.kubernetes.io/name": "cbctl", "app.kubernetes.io/managed-by": MANAGER}
KEPT: Final = 3600  # seconds that a Job which nobody asked for its answer stays
GRACE: Final = 60  # seconds that it has to come to a safe point when it is told to end
START: Final = 240.0  # seconds until its container runs: images are pulled
_LOOK = 0.5
_ALL_LINES = 1_000_000
_JOB_POD = "batch.kubernetes.io/job-name"


@dataclass(frozen=True)
class Key:
    """One key of a Secret of the namespace."""

    secret: str
    key: str


@dataclass(frozen=True)
class Room:
    """That it may have at most; disk: below /tmp. Only a little is reserved."""

    disk: str
    memory: str = "1Gi"


SMALL: Final = Room("256Mi", "512Mi")


@dataclass(frozen=True)
class Wanted:
    """
    seconds  after which the cluster ends it
    about    annotations, for people who look
    files    content by name, in FOLDER; at most a MiB
    secrets  variables whose values come from Secrets
    variables_from  Secret of which each key is a variable; "": none
    """

    name: str
    image: str
    service_account: str
    seconds: int
    about: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    secrets: Mapping[str, Key] = field(default_factory=dict)
    variables_from: str = ""
    room: Room = SMALL


def lines(
    api: Api, wanted: Wanted, now: Callable[[], float], go_on: Callable[[], None]
) -> Generator[str]:
    """What it prints, line by line, until it ends. When `go_on` raises it is told to end.

    Raises CbctlError, with evidence, when its pod cannot run or was lost."""
    try:
        _start(api, wanted)
        yield from _followed(api, wanted, now, go_on)
    except CbctlError:
        raise
    except Exception:  # `go_on` raised: the run is to stop
        remove(api, wanted.name)
        _gone(api, wanted.name, now)
        raise


def remove(api: Api, name: str) -> None:
    """With its pod and its files."""
    api.delete("batch/v1", "Job", name)


# ---- start


def _start(api: Api, wanted: Wanted) -> None:
    """Suspended at first, so that its files are its own and go with it."""
    job = api.create(_job(wanted))
    if not job["spec"].get("suspend"):
        return
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": wanted.name,
        "uid": job["metadata"]["uid"],
    }
    files = {name: base64.b64encode(data).decode() for name, data in wanted.files.items()}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": wanted.name, "labels": LABELS, "ownerReferences": [owner]},
            "immutable": True,
            "binaryData": files,
        }
    )
    api.merge("batch/v1", "Job", wanted.name, {"spec": {"suspend": False}})


def _job(wanted: Wanted) -> Object:
    about = {f"cbctl/{name}": value for name, value in wanted.about.items() if value}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": wanted.name, "labels": LABELS, "annotations": about},
        "spec": {
            "suspend": True,
            "backoffLimit": 0,  # whether to try again is up to the run
            "activeDeadlineSeconds": wanted.seconds,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": LABELS, "annotations": about},
                "spec": {
                    "serviceAccountName": wanted.service_account,
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": GRACE,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [_container(wanted)],
                    "volumes": [
                        {"name": "task", "configMap": {"name": wanted.name}},
                        {"name": "tmp", "emptyDir": {"sizeLimit": wanted.room.disk}},
                    ],
                },
            },
        },
    }


def _container(wanted: Wanted) -> Object:
    return {
        "name": CONTAINER,
        "image": wanted.image,
        "args": ["in-cluster", FOLDER],
        "env": [
            {
                "name": name,
                "valueFrom": {"secretKeyRef": {"name": key.secret, "key": key.key}},
            }
            for name, key in wanted.secrets.items()
        ],
        "envFrom": [{"secretRef": {"name": name}} for name in [wanted.variables_from] if name],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": wanted.room.memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "task", "mountPath": FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container alone
        ],
    }


# ---- follow


class _State:
    """What is known of the Job and its pod."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.job: Object | None = None
        self.pod: Object | None = None
        self.lost = False
        self.events: list[Object] = []

    @property
    def collections(self) -> tuple[Collection, ...]:
        about = f"involvedObject.kind=Job,involvedObject.name={self.name}"
        return (
            Collection("batch/v1", "Job", (("fieldSelector", f"metadata.name={self.name}"),)),
            Collection("v1", "Pod", (("labelSelector", f"{_JOB_POD}={self.name}"),)),
            Collection("v1", "Event", (("fieldSelector", about),)),
        )

    def see(self, seen: Seen | None) -> None:
        if isinstance(seen, Listed):
            found = list(seen.objects)
        elif isinstance(seen, Changed):
            found = [] if seen.what == "DELETED" else [seen.object]
        else:
            return
        match seen.collection.kind:
            case "Job":
                self.lost = self.lost or (self.job is not None and not found)
                self.job = found[0] if found else None
            case "Pod":
                if found:  # a finished pod that is removed later leaves what was seen of it
                    self.pod = found[-1]
                else:
                    self.lost = self.lost or (self.pod is not None and not self.ended)
            case "Event":
                self.events += found

    @property
    def container(self) -> Object:
        statuses = (self.pod or {}).get("status", {}).get("containerStatuses") or [{}]
        found: Object = statuses[0].get("state") or {}
        return found

    @property
    def readable(self) -> bool:
        return "running" in self.container or "terminated" in self.container

    @property
    def ended(self) -> bool:
        phase = (self.pod or {}).get("status", {}).get("phase")
        return "terminated" in self.container or phase in ("Failed", "Succeeded")

    def cause(self) -> Cause | None:
        """Why its container does not start."""
        if self.pod is not None:
            return causes.of_pod(self.pod, ())
        said = [str(e.get("message")) for e in self.events if e.get("reason") == "FailedCreate"]
        if not said:
            return None
        quota = "exceeded quota" in said[-1]
        patience = causes.QUOTA if quota else causes.BRIEFLY
        return Cause("quota" if quota else "refused", said[-1], patience=patience)

    def evicted(self) -> str:
        """Why its node threw the pod out; "" when it did not."""
        status = (self.pod or {}).get("status", {})
        if status.get("reason") != "Evicted":
            return ""
        return f"its node threw it out: {status.get('message') or 'without a reason'}".strip()

    def over(self) -> str:
        """Why the Job failed without its pod having said so; "" when it did not."""
        for one in (self.job or {}).get("status", {}).get("conditions") or ():
            if one["type"] in ("Failed", "FailureTarget") and one["status"] == "True":
                return str(one.get("message") or one.get("reason"))
        return ""


def _followed(
    api: Api, wanted: Wanted, now: Callable[[], float], go_on: Callable[[], None]
) -> Generator[str]:
    state, until, doomed = _State(wanted.name), now() + START, (0.0, "")
    with Watch(api, state.collections) as watch:
        while not (state.readable or state.ended):
            go_on()
            state.see(watch.next(_LOOK))
            cause = state.cause()
            if cause is None:
                doomed = (now(), "")
            elif doomed[1] != cause.reason:
                doomed = (now(), cause.reason)
            if cause is not None and now() - doomed[0] >= cause.patience:
                raise _failed(state, cause.sentence)
            if state.lost or state.over():
                raise _failed(state, state.over() or "somebody removed it")
            if now() >= until:
                raise _failed(state, f"its container did not start within {START:g} s")
        told, last = 0, list[str]()
        for _ in range(2):  # an ended container has a whole log: one that broke off is read again
            with _Log(api, state.pod["metadata"]["name"] if state.pod else "", told) as log:
                while (text := log.next()) is not None:
                    go_on()
                    state.see(watch.next(0))
                    if text:
                        told += 1
                        last = [*last[-19:], text]
                        yield text
            while not state.ended:
                go_on()
                state.see(watch.next(_LOOK))
                if state.lost:
                    raise _failed(state, state.over() or "its pod was removed before it ended")
    ended = state.container.get("terminated") or {}
    if why := state.evicted():
        raise _failed(state, why, last, _more_room(why, wanted))
    if ended.get("exitCode") != 0:
        reason = ended.get("reason") or state.over() or "without a reason"
        why = f"its container ended with {ended.get('exitCode')} ({reason})"
        raise _failed(state, why, last)


class _Log:
    """The lines of a container's log; skip: those that were read before"""

    def __init__(self, api: Api, pod: str, skip: int) -> None:
        self._api, self._pod, self._skip = api, pod, skip
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="job-log", daemon=True)

    def __enter__(self) -> _Log:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        return None  # the thread ends with the container, or with this process

    def next(self) -> str | None:
        """The next line; "" when there was none for a moment; None at the end."""
        try:
            return self._lines.get(timeout=_LOOK)
        except queue.Empty:
            return ""

    def _read(self) -> None:
        try:
            found = self._api.log_lines(self._pod, CONTAINER, lines=_ALL_LINES)
            for count, text in enumerate(found):
                if count >= self._skip and text:
                    self._lines.put(text)
        except CbctlError:
            pass  # whether it ended is seen by the watch
        finally:
            self._lines.put(None)


def _gone(api: Api, name: str, now: Callable[[], float]) -> None:
    """Until its pod has ended."""
    state, until = _State(name), now() + GRACE + 5
    with Watch(api, (state.collections[1],)) as watch:
        while now() < until:
            seen = watch.next(_LOOK)
            if isinstance(seen, Listed) and not seen.objects:
                return
            if isinstance(seen, Changed) and seen.what == "DELETED":
                return


def _more_room(why: str, wanted: Wanted) -> str:
    if not any(word in why.lower() for word in ("emptydir", "ephemeral")):
        return ""
    return f"give it more than {wanted.room.disk}: `jobs.disk` in cbctl.yaml; its node must have it"


def _failed(state: _State, why: str, log: Sequence[str] = (), fix: str = "") -> CbctlError:
    events = [f"{one.get('reason')}: {one.get('message')}" for one in state.events]
    return CbctlError(
        f"the Job {state.name} did not do its work: {why}",
        exit=Exit.FAILED,
        fix=fix,
        evidence={
            "events": list(dict.fromkeys(events))[-10:],
            "container": state.container,
            "log": list(log),
        },
    )
