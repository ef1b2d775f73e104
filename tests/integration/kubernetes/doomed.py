"""Ways in which a rollout fails, and what must be said of each."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.integration.kubernetes.scene import Prepare, Scene, nothing

NO_DIGEST = "127.0.0.1:5000/app@sha256:" + "0" * 64


@dataclass(frozen=True)
class Doomed:
    """
    reason     the word for scripts
    said       part of the sentence for people
    log        part of the evidence's log
    """

    reason: str
    said: str
    prepare: Prepare
    meanwhile: Prepare = nothing
    log: str = ""


def _app(**values: Any) -> Prepare:
    return lambda scene: scene.app.update(values)


def _set(**environment: str) -> Prepare:
    return lambda scene: scene.set(**environment)


def _from(source: str, name: str, key: str) -> Prepare:
    def prepare(scene: Scene) -> None:
        scene.kubectl("create", "secret", "generic", "there", "--from-literal=a=b")
        scene.kubectl("create", "configmap", "there", "--from-literal=a=b")
        value = {"valueFrom": {source: {"name": name, "key": key}}}
        scene.app["env"].append({"name": "NEEDED", **value})

    return prepare


def _liveness(scene: Scene) -> None:
    scene.set(LIVE_SECONDS="1", READY_SECONDS="never")
    scene.probe("livenessProbe", failureThreshold=1)


def _too_slow(scene: Scene) -> None:
    scene.set(START_SECONDS="600")
    scene.probe("startupProbe", failureThreshold=2)


def _never_ready(scene: Scene) -> None:
    scene.set(READY_SECONDS="never")
    scene.spec["progressDeadlineSeconds"] = 8


def _wrong_port(scene: Scene) -> None:
    scene.probe("readinessProbe", httpGet={"path": "/ready", "port": 9999})
    scene.spec["progressDeadlineSeconds"] = 8


def _quota(scene: Scene) -> None:
    scene.kubectl("create", "quota", "small", "--hard=requests.cpu=1")
    scene.app["resources"] = {"requests": {"cpu": "5"}}


def _admission(scene: Scene) -> None:
    strict = "pod-security.kubernetes.io/enforce=restricted"
    scene.cluster.kubectl("label", "namespace", scene.own, strict)


def _init(scene: Scene) -> None:
    scene.pod["initContainers"] = [{**scene.good(EXIT="4"), "name": "prepare"}]
    del scene.pod["initContainers"][0]["readinessProbe"]


def _somebody(scene: Scene) -> None:
    scene.kubectl("set", "env", "deployment/app", "OTHER=1")


NODE = "gone"


def _on_another_node(scene: Scene) -> None:
    """Its pod goes to a node that nobody runs any more."""
    name = f"{NODE}-{scene.own}"
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"only": scene.own}},
        "spec": {"taints": [{"key": "only", "value": scene.own, "effect": "NoSchedule"}]},
    }
    scene.cluster.kubectl("create", "-f", "-", stdin=json.dumps(node))
    room = {"cpu": "4", "memory": "4Gi", "pods": "10"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "was there"}
    ready |= dict.fromkeys(
        ("lastHeartbeatTime", "lastTransitionTime"),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )
    status = json.dumps({"status": {"capacity": room, "allocatable": room, "conditions": [ready]}})
    scene.cluster.kubectl("patch", "node", name, "--subresource=status", f"--patch={status}")
    scene.pod["nodeSelector"] = {"only": scene.own}
    scene.pod["tolerations"] = [{"operator": "Exists", "effect": "NoSchedule"}]
    scene.spec["progressDeadlineSeconds"] = 8


def _restart(scene: Scene) -> None:
    scene.cluster.node.kill("apiserver")
    scene.cluster.node.api_server()


DOOMED: dict[str, Doomed] = {
    "a repository that is not there": Doomed(
        "image", "not found", _app(image="127.0.0.1:5000/nothing:1")
    ),
    "a digest that is not there": Doomed("image", "not found", _app(image=NO_DIGEST)),
    "a command that is not in it": Doomed(
        "command", "no-such-program", _app(command=["no-such-program"])
    ),
    "a secret that is missing": Doomed(
        "configuration", "nowhere", _from("secretKeyRef", "nowhere", "key")
    ),
    "a key that is missing": Doomed(
        "configuration", "no-such-key", _from("configMapKeyRef", "there", "no-such-key")
    ),
    "a crash": Doomed("crash", "exit code 3", _set(EXIT="3"), log="no luck today"),
    "an end with success": Doomed("ends", "exit code 0", _set(EXIT="0"), log="no luck today"),
    "an init container that fails": Doomed(
        "crash", "init container prepare ends with exit code 4", _init, log="no luck today"
    ),
    "too little memory": Doomed("memory", "memory", _set(MEMORY="200")),
    "a failing liveness probe": Doomed("liveness", "500", _liveness),
    "a start that takes too long": Doomed("start-up", "does not start", _too_slow),
    "a pod that is never ready": Doomed("readiness", "503", _never_ready),
    "a wrong port": Doomed("readiness", "refused", _wrong_port),
    "a pod larger than the quota": Doomed("quota", "exceeded quota", _quota),
    "a pod that admission refuses": Doomed("refused", "PodSecurity", _admission),
    "a request that no node meets": Doomed(
        "unschedulable",
        "Insufficient cpu",
        _app(resources={"requests": {"cpu": "999"}}),
    ),
    "somebody changes it meanwhile": Doomed(
        "changed", "kubectl-set", _set(READY_SECONDS="never"), _somebody
    ),
    "its node is gone": Doomed("node", NODE, _on_another_node),
}
ALONE: dict[str, Doomed] = {
    "a crash while the API server restarts": Doomed(
        "crash", "exit code 3", _set(EXIT="3"), _restart, log="no luck today"
    ),
}
"""These disturb what goes on beside them."""

SAMPLE = (
    *("a digest that is not there", "a command that is not in it", "a key that is missing"),
    *("a crash", "too little memory", "somebody changes it meanwhile"),
)
