"""How soon a rollout's end is told, and what a look costs, on a real cluster of one node.

    PYTHONPATH=. python benchmarks/rollout.py [ROUNDS]

Needs what the tests on Kubernetes need (root, Debian packages, Go). One process watches the API;
from the moment in which it says that the new version is available, the time is taken until each of
these has exited: `cbctl api rollout`, `kubectl rollout status` begun at the same time, and a tool
that asks every 3 s. A doomed version is timed from the moment in which a pod shows why it cannot
start.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode import binary
from tests.testbed.kubenode import cluster as kubenode
from timing import HEADER, Subject, alternate

from cbctl.clients.kubernetes import rollout
from cbctl.clients.kubernetes.api import Api, Object
from cbctl.clients.kubernetes.watch import Changed, Collection, Watch

POLL = """
import json, subprocess, sys, time
while True:
    said = subprocess.run(sys.argv[1:], capture_output=True, check=True).stdout
    live = json.loads(said)
    status, generation = live.get("status", {}), live["metadata"]["generation"]
    wanted = live["spec"]["replicas"]
    if generation >= GENERATION and status.get("observedGeneration") == generation and (
        status.get("updatedReplicas") == status.get("availableReplicas") == wanted
        == status.get("replicas")
    ):
        break
    time.sleep(3)
"""
_TERMINAL = ("ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError")


class Moment:
    """When something was first seen on the API."""

    def __init__(self, api: Api, collection: Collection, is_it: Callable[[Object], bool]) -> None:
        self.at = 0.0
        self._watch, self._is_it = Watch(api, (collection,)), is_it
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._over = False

    def __enter__(self) -> Moment:
        self._watch.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        self._watch.__exit__()

    def _look(self) -> None:
        while not (self._over or self.at):
            seen = self._watch.next(0.2)
            if isinstance(seen, Changed) and self._is_it(seen.object):
                self.at = time.monotonic()


def available(generation: int) -> Callable[[Object], bool]:
    def is_it(live: Object) -> bool:
        later = live["metadata"]["generation"] > generation
        return later and isinstance(rollout.judged(live), rollout.Done)

    return is_it


def terminal(pod: Object) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any(one["state"].get("waiting", {}).get("reason") in _TERMINAL for one in statuses)


def rolled_out(toys: Toys, api: Api, name: str) -> dict[str, float]:
    """Milliseconds from available to each exit."""
    toys.overlay.app["env"] = [{"name": "VERSION", "value": name}]
    toys.overlay.write()
    generation = toys.get("deployment", "app")["metadata"]["generation"]
    ended: dict[str, float] = {}
    get = [str(binary.kubectl()), f"--kubeconfig={toys.cluster.kubeconfig}", "-n", toys.own]

    def changed() -> None:
        while toys.get("deployment", "app")["metadata"]["generation"] == generation:
            time.sleep(0.01)

    def wait(subject: str, command: list[str]) -> None:
        changed()
        subprocess.run(command, check=True, capture_output=True)
        ended[subject] = time.monotonic()

    poll = POLL.replace("GENERATION", str(generation + 1))
    json_of = [*get, "get", "deployment", "app", "-o", "json"]
    others = {
        "kubectl rollout status": [*get, "rollout", "status", "deployment/app"],
        "a tool that asks every 3 s": [sys.executable, "-c", poll, *json_of],
    }
    threads = [threading.Thread(target=wait, args=one) for one in others.items()]
    deployment = Collection("apps/v1", "Deployment")
    with Moment(api, deployment, available(generation)) as moment:
        for thread in threads:
            thread.start()
        toys.rollout()
        ended["cbctl api rollout"] = time.monotonic()
        for thread in threads:
            thread.join()
    return {subject: (at - moment.at) * 1000 for subject, at in ended.items()}


def doomed(toys: Toys, api: Api, name: str) -> float:
    """Milliseconds from a pod's terminal reason to the cause in cbctl's words."""
    value = {"secretKeyRef": {"name": "crypto-bet-secrets", "key": name}}
    toys.overlay.app["env"] = [{"name": "NEEDED", "valueFrom": value}]
    toys.overlay.write()
    with Moment(api, Collection("v1", "Pod"), terminal) as moment:
        command = f"api rollout --image {toys.image} --yes --events ndjson"
        with toys.started(command) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if '"step.failed"' in line:
                    break
            said = time.monotonic()
            process.stdout.read()
    return (said - moment.at) * 1000


def row(name: str, times: list[float]) -> str:
    return f"{name:<34} {statistics.median(times):8.0f} {min(times):8.0f} {max(times):8.0f}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    cluster = kubenode.running()
    with tempfile.TemporaryDirectory() as folder, namespace(cluster, "bench") as own:
        toys = Toys(Path(folder), cluster, own)
        toys.rollout()
        environ = {"KUBECONFIG": str(cluster.kubeconfig)}
        api = Api.connect(kubenode.CONTEXT, own, environ=environ)
        times: dict[str, list[float]] = {}
        for number in range(rounds):
            for subject, spent in rolled_out(toys, api, str(number)).items():
                times.setdefault(subject, []).append(spent)
        print("from available on the API to the exit of")
        print(HEADER)
        for subject, spent_all in times.items():
            print(row(subject, spent_all))
        named = [doomed(toys, api, f"key-{number}") for number in range(rounds)]
        print("from a terminal reason of the pod to its cause, in")
        print(row("cbctl api rollout", named))
        toys.overlay.app["env"] = []
        toys.overlay.write()
        toys.rollout()
        kubectl = [str(binary.kubectl()), "-n", own, "get", "deployment", "app"]
        subjects = [
            Subject("cbctl api status", toys.command("api status"), toys.environment()),
            Subject("kubectl get deployment", kubectl, environ),
        ]
        alternate(subjects, rounds)
        print("process start to exit")
        for one in subjects:
            print(one.row(subjects[0].median))


if __name__ == "__main__":
    main()
