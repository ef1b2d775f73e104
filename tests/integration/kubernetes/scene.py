"""A rollout that is tried on the cluster: what is prepared for it, and done to it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.kubernetes.support import (
    Object,
    app_image,
    connected,
    container,
    deployment,
    pod_spec,
)
from tests.testbed.kubenode.cluster import Cluster

from cbctl.clients.kubernetes.api import Api
from cbctl.clients.kubernetes.follow import Failed, follow
from cbctl.clients.kubernetes.rollout import Done

SECONDS = 180.0


@dataclass
class Scene:
    """
    app     the container of the version that is rolled out; good until it is changed
    pod     what the pod has beside it
    spec    what the Deployment has beside its pods
    """

    cluster: Cluster
    api: Api
    app: Object
    pod: Object = field(default_factory=dict)
    spec: Object = field(default_factory=dict)

    @property
    def own(self) -> str:
        return self.api.namespace

    def kubectl(self, *words: str) -> str:
        return self.cluster.kubectl(*words, "-n", self.own)

    def good(self, **environment: str) -> Object:
        return container(app_image(self.cluster), {"VERSION": "good", **environment})

    def set(self, **environment: str) -> None:
        had = {one["name"]: one for one in self.app["env"]}
        had |= {name: {"name": name, "value": value} for name, value in environment.items()}
        self.app["env"] = list(had.values())

    def probe(self, kind: str, **probe: Any) -> None:
        get = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}
        self.app[kind] = get | probe

    def wanted(self) -> Object:
        made = deployment(pod_spec(self.app, **self.pod))
        made["spec"] |= self.spec
        return made


Prepare = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    pass


@dataclass(frozen=True)
class Tried:
    """status, said: of the Deployment afterwards, as kubectl has it"""

    found: Done | Failed
    status: Object
    said: str


def tried(cluster: Cluster, prepare: Prepare, meanwhile: Prepare = nothing) -> Tried:
    """A good version is there first; then what `prepare` makes of it is rolled out."""
    with connected(cluster, "verdict") as api:
        scene = Scene(cluster, api, {})
        scene.app = scene.good()
        first = scene.wanted()
        assert isinstance(_followed(api, first), Done)
        scene.set(VERSION="next")
        prepare(scene)
        applied = api.apply(scene.wanted())
        acting = threading.Thread(target=meanwhile, args=(scene,))
        acting.start()
        found = follow(api, applied, SECONDS, time.monotonic, lambda _: None, lambda: None)
        acting.join()
        listed = cluster.get("deployments", "-n", scene.own)["items"]
        status = listed[0]["status"] if listed else {}
        words = ("rollout", "status", "deployment/app", "--timeout=5s", "-n", scene.own)
        said = cluster.try_kubectl(*words).stdout if isinstance(found, Done) else ""
        return Tried(found, status, said)


def _followed(api: Api, wanted: Object) -> Done | Failed:
    applied = api.apply(wanted)
    return follow(api, applied, SECONDS, time.monotonic, lambda _: None, lambda: None)
