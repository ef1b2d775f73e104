"""A namespace without room for the pods of a rollout: refused before anything is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "room") as own:
        made = Toys(tmp_path, cluster, own)
        resources = {"limits": {"memory": "64Mi", "cpu": "100m"}, "requests": {"cpu": "10m"}}
        made.overlay.app["resources"] = resources
        made.overlay.deployment["spec"]["replicas"] = 2
        made.overlay.write()
        yield made


def quota(toys: Toys, **hard: str) -> None:
    """As counted by the cluster."""
    words = ",".join(f"{name.replace('_', '.')}={most}" for name, most in hard.items())
    toys.cluster.try_kubectl("delete", "quota", "small", "-n", toys.own)
    toys.kubectl("create", "quota", "small", f"--hard={words}")
    while not toys.get("quota", "small").get("status", {}).get("used"):
        time.sleep(0.1)


def greets(toys: Toys, greeting: str) -> None:
    toys.overlay.settings["greeting"] = greeting
    toys.overlay.write()


def test_no_room(toys: Toys) -> None:
    quota(toys, pods="1")
    said = toys.run(f"api rollout --image {toys.image} --yes", exit=7)
    assert "quota small: pods: 0 of 1 used, 2 more needed" in said
    assert toys.get("deployments")["items"] == []

    quota(toys, requests_memory="128Mi", requests_cpu="20m", limits_cpu="1", limits_memory="1Gi")
    toys.rollout()
    greets(toys, "again")
    said = toys.run(f"api rollout --image {toys.image} --yes", exit=7)
    assert "requests.cpu: 20m of 20m used, 0.01 more needed" in said
    assert "requests.memory: 128Mi of 128Mi used, 67108864 more needed" in said
    assert "limits.cpu" not in said
    assert toys.get("deployment", "app")["metadata"]["generation"] == 1

    strategy = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    toys.overlay.deployment["spec"]["strategy"] = strategy
    toys.overlay.write()
    assert toys.rollout()["outcome"]["revision"] == 2, "who ends an old pod first needs no more"

    toys.kubernetes["strategy"] = "blue-green"
    toys.write()
    quota(toys, pods="3")
    toys.rollout()
    greets(toys, "on the other side")
    said = toys.run(f"api rollout --image {toys.image} --yes", exit=7)
    assert "quota small: pods: 2 of 3 used, 2 more needed" in said

    quota(toys, pods="4")
    toys.rollout()
    greets(toys, "and back, in the place of what is kept")
    assert toys.rollout()["outcome"]["revision"] > 0, "pods of the kept side make room"
