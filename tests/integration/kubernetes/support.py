"""Namespaces that end with the test, and Deployments of a small service that misbehaves."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.clients.kubernetes.api import Api

APP = Path(__file__).parents[2] / "testbed" / "kubenode" / "app"
Object = dict[str, Any]
_numbers = itertools.count(1)


@contextmanager
def namespace(cluster: Cluster, name: str) -> Iterator[str]:
    own = f"{name}-{next(_numbers)}"
    cluster.kubectl("create", "namespace", own)
    try:
        yield own
    finally:
        cluster.kubectl("delete", "namespace", own, "--wait=false")


@contextmanager
def connected(cluster: Cluster, name: str) -> Iterator[Api]:
    """A client in a namespace of its own."""
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    with namespace(cluster, name) as own:
        api = Api.connect(CONTEXT, own, patience=30, environ=environ)
        try:
            yield api
        finally:
            api.close()


@functools.cache
def app_image(cluster: Cluster) -> str:
    return cluster.images.build("app:1", APP, APP / "Containerfile")


def container(image: str, environment: Mapping[str, str], **more: Any) -> Object:
    ready = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    return {
        "name": "app",
        "image": image,
        "env": [{"name": k, "value": v} for k, v in environment.items()],
        "readinessProbe": ready,
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "5m"}},
        **more,
    }


def pod_spec(*containers: Object, **more: Any) -> Object:
    return {
        "dnsPolicy": "Default",  # the node has no name service
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 2,
        "containers": list(containers),
        **more,
    }


def deployment(spec: Object, *, replicas: int = 1, deadline: int = 600) -> Object:
    labels = {"app": "app"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": deadline,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def pod(cluster: Cluster, name: str) -> Object:
    spec = pod_spec(container(app_image(cluster), {"VERSION": name}))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
