"""Two sides: as many new pods, asked directly, then the load on them; the old ones are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "sides") as own:
        made = Toys(tmp_path, cluster, own)
        made.kubernetes["strategy"] = "blue-green"
        made.write()
        yield made


def version(toys: Toys, name: str, **environment: str) -> None:
    toys.overlay.settings["greeting"] = name  # every version brings settings of its own
    values = {"VERSION": name, **environment}
    toys.overlay.app["env"] = [{"name": k, "value": v} for k, v in values.items()]
    toys.overlay.write()


def side(toys: Toys) -> str:
    found: str = toys.get("service", "app")["spec"]["selector"]["cbctl/side"]
    return found


def names(toys: Toys) -> list[str]:
    return [one["metadata"]["name"] for one in toys.get("deployments")["items"]]


def test_to_green_and_back_at_once(toys: Toys) -> None:
    version(toys, "one")
    toys.rollout()
    assert (side(toys), names(toys)) == ("blue", ["app"])

    version(toys, "two")
    plan = toys.run(f"api rollout --image {toys.image} --plan", exit=2)
    assert "side: blue → green" in plan
    toys.rollout()
    assert (side(toys), names(toys)) == ("green", ["app", "app-green"])
    status = toys.json("api status")
    assert (status["deployment"], status["left"]["deployment"]) == ("app-green", "app")
    assert toys.json(f"api rollout --image {toys.image} --plan")["changes"] is False

    # What is left is as it was, with its settings; the way back needs no new pod.
    pods = {one["metadata"]["name"] for one in toys.get("pods")["items"]}
    toys.json("api undo --yes")
    assert side(toys) == "blue"
    assert {one["metadata"]["name"] for one in toys.get("pods")["items"]} == pods

    # A version that does not come up gets no load, and nothing of it stays.
    version(toys, "three")
    toys.overlay.app["command"] = ["no-such-program"]
    toys.overlay.write()
    failed = toys.process(f"api rollout --image {toys.image} --yes")
    assert failed.returncode == 4, failed.stderr
    assert side(toys) == "blue"

    toys.json("api finish --yes")
    assert names(toys) == ["app"]
    assert [one["data"]["greeting"] for one in owned(toys)] == ["one"]
    assert toys.json("api finish --yes")["changes"] == []


def owned(toys: Toys) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = toys.get("configmaps", "-l", "cbctl/owner")["items"]
    return found


@pytest.mark.nightly
def test_pods_that_answer_wrongly_get_no_load(toys: Toys) -> None:
    """Ready by its own probe, and not by what it will be asked."""
    version(toys, "one")
    toys.rollout()
    version(toys, "two", LIVE_SECONDS="0.1")  # /health answers 500, which no probe looks at
    failed = toys.process(f"api rollout --image {toys.image} --yes")
    assert failed.returncode == 4, failed.stderr
    assert "answers /health with HTTP 500" in failed.stderr
    assert (side(toys), names(toys)) == ("blue", ["app"])


@pytest.mark.nightly
def test_an_autoscaler_goes_with_the_load(toys: Toys) -> None:
    toys.overlay.more["scaler.yaml"] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "minReplicas": 1,
            "maxReplicas": 5,
        },
    }
    del toys.overlay.deployment["spec"]["replicas"]
    version(toys, "one")
    toys.rollout()
    toys.json("api scale 3 --yes")
    version(toys, "two")
    toys.rollout()
    assert toys.get("hpa", "app")["spec"]["scaleTargetRef"]["name"] == "app-green"
    assert toys.get("hpa", "app")["spec"]["minReplicas"] == 3
    assert toys.get("deployment", "app-green")["status"]["availableReplicas"] == 3
    assert toys.json(f"api rollout --image {toys.image} --plan")["changes"] is False


@pytest.mark.nightly
def test_more_connections_than_the_database_takes(toys: Toys) -> None:
    toys.kubernetes["connections"] = {"pool": 20, "database": 49}
    toys.write()
    version(toys, "one")
    toys.rollout()
    version(toys, "two")
    refused = toys.process(f"api rollout --image {toys.image} --yes")
    assert refused.returncode == 7
    assert "may open 40 connections to the database, more than 80 % of its 49" in refused.stderr
    assert names(toys) == ["app"]
    toys.kubernetes["connections"] = {"pool": 20, "database": 50}
    toys.write()
    toys.rollout()


@pytest.mark.nightly
def test_from_rolling_to_sides(toys: Toys) -> None:
    toys.kubernetes["strategy"] = "rolling"
    toys.write()
    version(toys, "one")
    toys.rollout()
    toys.kubernetes["strategy"] = "blue-green"
    toys.write()
    version(toys, "two")
    toys.rollout()
    assert (side(toys), names(toys)) == ("blue", ["app"]), "its pods get their label first"
    version(toys, "three")
    toys.rollout()
    assert (side(toys), names(toys)) == ("green", ["app", "app-green"])
