"""Images that are looked up in the node's own registry before anything is rolled out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.images import REGISTRY
from tests.testbed.waiting import free_port


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "toys") as own:
        yield Toys(tmp_path, cluster, own)


def reached_at(toys: Toys, port: int) -> None:
    """The registry's name is the node's; cbctl has a way of its own to it."""
    toys.images["api"] = {
        "repository": f"{REGISTRY}/app",
        "registry": f"127.0.0.1:{port}",
        "containerfile": "Containerfile",
        "context": ".",
        "sources": ["app"],
    }
    toys.write()


def test_looked_up_before_a_rollout_and_no_obstacle_on_the_way_back(toys: Toys) -> None:
    reached_at(toys, toys.cluster.node.port_into(int(REGISTRY.rpartition(":")[2])))
    name, _, digest = toys.image.partition("@")
    absent = f"{name}@sha256:{'0' * 64}"
    assert "is not in the registry" in toys.run(f"api rollout --image {absent} --yes", exit=7)
    assert toys.get("deployments")["items"] == []
    assert digest in toys.run(f"api rollout --image {name}:1 --yes", exit=64)
    assert "the image is in its registry" in toys.run(f"api rollout --image {toys.image} --yes")

    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    toys.rollout()

    reached_at(toys, free_port())
    toys.overlay.settings["greeting"] = "good night"
    toys.overlay.write()
    refused = toys.run(f"api rollout --image {toys.image} --yes", exit=7)
    assert "whether the image is there is not known" in refused
    assert toys.get("deployment", "app")["metadata"]["generation"] == 2
    back = toys.run("api undo --yes")
    assert "the image is not looked up" in back
    assert toys.json("api status")["revision"] == 3
