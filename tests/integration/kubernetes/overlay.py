"""A Deployment, its settings and a Service, as a folder for kustomize."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.kubernetes.support import Object, container, deployment, pod_spec


class Overlay:
    """more: what there is beside, by file"""

    def __init__(self, folder: Path, own: str) -> None:
        self.folder, self.own = folder, own
        self.deployment = deployment(pod_spec(container("app", {})))
        self.settings = {"greeting": "hello"}
        self.service = True
        self.more: dict[str, Object] = {}

    def write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        source = {"configMapRef": {"name": "settings"}}
        self.app["envFrom"] = [source]
        self._file("deployment.yaml", self.deployment)
        ports = [{"port": 80, "targetPort": 8080}]
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app"}}
        self._file("service.yaml", service | {"spec": {"selector": {"app": "app"}, "ports": ports}})
        for name, more in self.more.items():
            self._file(name, more)
        literals = [f"{name}={value}" for name, value in self.settings.items()]
        content: Object = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.own,
            "resources": [
                "deployment.yaml",
                *(["service.yaml"] if self.service else []),
                *self.more,
            ],
            "configMapGenerator": [{"name": "settings", "literals": literals}],
        }
        self._file("kustomization.yaml", content)

    @property
    def app(self) -> Object:
        only: Object = self.deployment["spec"]["template"]["spec"]["containers"][0]
        return only

    def _file(self, name: str, content: Object) -> None:
        (self.folder / name).write_text(json.dumps(content))
