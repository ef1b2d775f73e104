"""Rollouts that take their time, stumble, and end well: none of them may be called a failure."""

from __future__ import annotations

import time

from tests.integration.kubernetes.scene import Prepare, Scene, nothing

Slow = tuple[Prepare, Prepare]


def _set(**environment: str) -> Slow:
    return lambda scene: scene.set(**environment), nothing


def _late_with_liveness(scene: Scene) -> None:
    scene.set(READY_SECONDS="6")
    scene.probe("livenessProbe", failureThreshold=5)


def _slow_with_startup(scene: Scene) -> None:
    scene.set(START_SECONDS="8")
    scene.probe("startupProbe", failureThreshold=60)
    scene.probe("livenessProbe", failureThreshold=2)


def _stumbles(scene: Scene) -> None:
    scene.set(EXIT="1", EXITS_LEFT="/state/left")
    scene.app["volumeMounts"] = [{"name": "state", "mountPath": "/state"}]
    scene.pod["volumes"] = [{"name": "state", "emptyDir": {}}]


def _init(scene: Scene, command: list[str]) -> None:
    first = {**scene.good(), "name": "prepare", "command": command}
    del first["readinessProbe"]
    scene.pod["initContainers"] = [first]


def _init_stumbles(scene: Scene) -> None:
    again = "test -e /state/tried || { touch /state/tried; exit 1; }"
    _init(scene, ["sh", "-c", again])
    scene.pod["initContainers"][0]["volumeMounts"] = [{"name": "state", "mountPath": "/state"}]
    scene.pod["volumes"] = [{"name": "state", "emptyDir": {}}]


def _two_containers(scene: Scene) -> None:
    beside = {**scene.good(), "name": "beside", "command": ["sleep", "600"]}
    beside["readinessProbe"] = {
        "exec": {"command": ["sh", "-c", "test -e /tmp/late || { sleep 3; touch /tmp/late; }"]},
        "timeoutSeconds": 10,
    }
    scene.pod["containers"] = [scene.app, beside]


def _quota(scene: Scene) -> None:
    """Room for two pods: the old one, and a new one as soon as another has gone."""
    scene.kubectl("create", "quota", "small", "--hard=pods=2")
    scene.kubectl("run", "other", f"--image={scene.app['image']}")


def _makes_room(scene: Scene) -> None:
    time.sleep(4)
    scene.kubectl("delete", "pod", "other", "--now", "--wait=false")


def _chosen_node(scene: Scene) -> None:
    scene.pod["nodeSelector"] = {f"for-{scene.own}": "yes"}


def _becomes_chosen(scene: Scene) -> None:
    time.sleep(5)
    scene.cluster.kubectl("label", "node", "node1", f"for-{scene.own}=yes")


def _replicas(count: int, **spec: object) -> Prepare:
    def prepare(scene: Scene) -> None:
        scene.set(READY_SECONDS="1")
        scene.spec |= {"replicas": count, **spec}

    return prepare


def _scaled(scene: Scene) -> None:
    time.sleep(1)
    scene.kubectl("scale", "deployment/app", "--replicas=2")


def _annotated(scene: Scene) -> None:
    time.sleep(1)
    scene.kubectl("annotate", "deployment/app", "note=of somebody else")


def _newest_pod_deleted(scene: Scene) -> None:
    time.sleep(2)
    names = scene.kubectl("get", "pods", "--sort-by=.metadata.creationTimestamp", "-o", "name")
    scene.kubectl("delete", names.split()[-1], "--wait=false")


def _api_server(scene: Scene) -> None:
    scene.cluster.node.kill("apiserver")
    scene.cluster.node.api_server()


def _controllers(scene: Scene) -> None:
    scene.cluster.node.kill("controllers")
    time.sleep(3)
    scene.cluster.node.controllers()


def _kubelet(scene: Scene) -> None:
    scene.cluster.node.kill("kubelet")
    time.sleep(3)
    scene.cluster.node.kubelet()


def _another_image(scene: Scene) -> None:
    """One that the node has to fetch, while nobody answers at the registry."""
    scene.app["image"] = scene.cluster.images.tagged("app:1", f"app:{scene.own}")
    scene.app["imagePullPolicy"] = "Always"
    scene.cluster.node.kill("registry")


def _registry(scene: Scene) -> None:
    time.sleep(5)
    scene.cluster.node.registry()


SLOW: dict[str, Slow] = {
    "a slow start": _set(START_SECONDS="5"),
    "long until ready": _set(READY_SECONDS="8"),
    "ready late, with a liveness probe": (_late_with_liveness, nothing),
    "a slow start, with a start-up probe": (_slow_with_startup, nothing),
    "a probe that waits first": (
        lambda scene: scene.probe("readinessProbe", initialDelaySeconds=8),
        nothing,
    ),
    "a first try that crashes": (_stumbles, nothing),
    "an init container that takes long": (lambda scene: _init(scene, ["sleep", "6"]), nothing),
    "an init container that stumbles": (_init_stumbles, nothing),
    "a second container that takes long": (_two_containers, nothing),
    "a quota that has room a little later": (_quota, _makes_room),
    "a node that is there a little later": (_chosen_node, _becomes_chosen),
    "three pods, one after the other": (_replicas(3), nothing),
    "time to prove itself": (_replicas(1, minReadySeconds=5), nothing),
    "the old pod first, then the new one": (
        _replicas(1, strategy={"type": "Recreate", "rollingUpdate": None}),
        nothing,
    ),
    "one taken away, one added": (
        _replicas(2, strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
        nothing,
    ),
    "scaled by somebody else meanwhile": (_replicas(1, minReadySeconds=4), _scaled),
    "annotated by somebody else meanwhile": (_replicas(1, minReadySeconds=3), _annotated),
    "a new pod that is deleted meanwhile": (_replicas(1, minReadySeconds=5), _newest_pod_deleted),
}
ALONE: dict[str, Slow] = {
    "the API server restarts": (lambda scene: scene.set(START_SECONDS="6"), _api_server),
    "the controllers restart": (lambda scene: scene.set(START_SECONDS="3"), _controllers),
    "the kubelet restarts": (lambda scene: scene.set(START_SECONDS="3"), _kubelet),
    "the registry is away for a while": (_another_image, _registry),
}
"""These disturb what goes on beside them."""

SAMPLE = (
    *("a slow start", "long until ready", "a first try that crashes"),
    *("an init container that stumbles", "time to prove itself"),
    "scaled by somebody else meanwhile",
)
