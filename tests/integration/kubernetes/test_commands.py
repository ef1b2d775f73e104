"""`cbctl api` as an operator uses it, and kubectl's word on what it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import ENV, Toys
from tests.testbed.kubenode.cluster import Cluster

NAME = "crypto-bet-secrets"
"""The only Secret of the pods that CI may read."""
SECRET = "the value that nobody may see"


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "toys") as own:
        yield Toys(tmp_path, cluster, own)


def template(toys: Toys) -> dict[str, object]:
    found: dict[str, object] = toys.get("deployment", "app")["spec"]["template"]
    return found


def test_out_wrong_and_back(toys: Toys) -> None:
    """A good version, another, a bad one, and the way back: twice, and never to the bad one."""
    told = toys.rollout()
    assert told["outcome"]["revision"] == 1
    assert toys.json(f"api rollout --image {toys.image} --plan")["changes"] is False

    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    toys.rollout()
    status = toys.json("api status")
    live = toys.get("deployment", "app")
    assert (status["state"], status["revision"]) == ("rolled out", 2)
    assert status["images"] == {"app": toys.image}
    assert status["available"] == live["status"]["availableReplicas"] == 1
    assert [one["ready"] for one in status["pods"] if one["new"]] == [True]
    assert "rolled out, revision 2" in toys.run("api status")
    assert "this is version" in toys.run("api logs")

    toys.overlay.app["command"] = ["no-such-program"]
    toys.overlay.write()
    failed = toys.process(f"api rollout --image {toys.image} --yes")
    assert failed.returncode == 4, failed.stderr
    assert "no-such-program" in failed.stderr
    why = toys.run(f"why last --env {ENV}")
    assert "no-such-program" in why
    assert (
        "command" not in toys.get("deployment", "app")["spec"]["template"]["spec"]["containers"][0]
    )

    toys.json("api undo --yes")
    maps = toys.get("configmaps", "-l", f"cbctl/owner=toys.{ENV}")["items"]
    assert [one["data"] for one in maps] == [{"greeting": "hello"}]
    again = toys.process("api undo --yes")
    assert again.returncode == 7, "what was left is no way back"
    assert "no healthy rollout is recorded" in again.stderr

    history = toys.json("api history")
    said = toys.kubectl("rollout", "history", "deployment/app").split()
    assert {str(one["revision"]) for one in history} <= set(said)
    assert [one["state"] for one in history if one["runs"]] == ["healthy"]
    assert "left" in [one["state"] for one in history]


@pytest.mark.nightly
def test_what_somebody_broke_comes_back(toys: Toys) -> None:
    """`kubectl set image` of a wrong one: the way back is what was rolled out, without kubectl."""
    toys.rollout()
    toys.kubectl("set", "image", "deployment/app", "app=127.0.0.1:5000/nothing:1")
    toys.kubectl("set", "image", "deployment/app", f"app={toys.image}")
    toys.kubectl("set", "image", "deployment/app", "app=127.0.0.1:5000/nothing:1")
    held = toys.process("api undo --yes", kubectl=False)
    assert held.returncode == 7
    assert "kubectl-set" in held.stderr, "a field of somebody else is shown and not forced"


def test_pods_roll_when_their_secret_changes(toys: Toys) -> None:
    toys.kubectl("create", "secret", "generic", NAME, f"--from-literal=one={SECRET}")
    source = {"secretKeyRef": {"name": NAME, "key": "one"}}
    toys.overlay.app["env"] = [{"name": "KEY_ONE", "valueFrom": source}]
    toys.overlay.write()
    toys.rollout()
    assert toys.json(f"api rollout --image {toys.image} --plan")["changes"] is False
    before = template(toys)

    changed = json.dumps({"data": {"one": base64.b64encode(b"another one").decode()}})
    toys.kubectl("patch", "secret", NAME, f"--patch={changed}")
    plan = toys.run(f"api rollout --image {toys.image} --plan", exit=2)
    assert "cbctl/secrets" in plan
    assert toys.rollout()["outcome"]["revision"] == 2
    assert template(toys) != before
    everything = plan + toys.run("audit list") + toys.run("why last")
    everything += "".join(path.read_text() for path in toys.folder.rglob("*.ndjson"))
    assert SECRET not in everything
    assert base64.b64encode(SECRET.encode()).decode() not in everything
    assert "another one" not in everything


@pytest.mark.nightly
def test_scaled_kept_and_reset(toys: Toys) -> None:
    toys.overlay.more["scaler.yaml"] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"},
            "minReplicas": 1,
            "maxReplicas": 2,
        },
    }
    del toys.overlay.deployment["spec"]["replicas"]
    toys.overlay.write()
    toys.rollout()
    toys.json("api scale 3 --yes")
    spec = toys.get("hpa", "app")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 3)
    assert toys.get("deployment", "app")["status"]["availableReplicas"] == 3
    assert "until cbctl api scale --reset" in toys.run("api status")

    # A rollout keeps it, and says so.
    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    plan = toys.run(f"api rollout --image {toys.image} --plan", exit=2)
    assert "3 as `cbctl api scale` said" in plan
    toys.rollout()
    (step,) = toys.json(f"api rollout --image {toys.image} --plan")["steps"]
    assert "3 as `cbctl api scale` said" in step["because"]
    assert toys.get("hpa", "app")["spec"]["minReplicas"] == 3

    toys.json("api scale --reset --yes")
    spec = toys.get("hpa", "app")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 2)
    assert toys.json("api status")["override"] is None
    assert toys.json(f"api rollout --image {toys.image} --plan")["changes"] is False


@pytest.mark.nightly
def test_a_number_without_an_autoscaler(toys: Toys) -> None:
    toys.rollout()
    toys.json("api scale 2 --yes")
    assert toys.get("deployment", "app")["spec"]["replicas"] == 2
    assert "app" in toys.run("api restart --yes")
    assert toys.get("deployment", "app")["status"]["availableReplicas"] == 2
    toys.json("api scale --reset --yes")
    assert toys.get("deployment", "app")["spec"]["replicas"] == 1


IMPOSSIBLE = {
    "api scale": (64, "how many pods?"),
    "api scale 2 --reset": (64, "how many pods?"),
    "api status": (64, "nothing was rolled out here by cbctl"),
    "api restart --yes": (64, "nothing was rolled out here by cbctl"),
    "api undo --yes": (7, "no healthy rollout is recorded"),
    "api rollout --image 127.0.0.1:5000/app:1 --yes": (64, "not named by its digest"),
    f"api rollout --image x@sha256:{'0' * 64}": (64, "--yes"),
}


def test_what_cannot_be_done_is_said_before_anything_changes(toys: Toys) -> None:
    for line, (exit, said) in IMPOSSIBLE.items():
        assert said in toys.run(line, exit=exit), line
    assert toys.get("deployments")["items"] == []


@pytest.mark.nightly
def test_undo_is_never_held_back(toys: Toys) -> None:
    toys.rollout()
    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    toys.rollout()
    toys.run(f"freeze {ENV} --reason holidays")
    toys.overlay.settings["greeting"] = "good night"
    toys.overlay.write()
    held = toys.process(f"api rollout --image {toys.image} --yes")
    assert held.returncode == 7, held.stderr
    assert "past the rule freeze" in toys.run("api undo --yes")


def test_who_may_not_is_told_so(toys: Toys) -> None:
    toys.rollout()
    toys.kubectl("delete", "rolebinding", "crypto-bet-deployer", "crypto-bet-operator")
    toys.overlay.settings["greeting"] = "good evening"
    toys.overlay.write()
    refused = toys.process(f"api rollout --image {toys.image} --yes")
    assert refused.returncode == 7, refused.stderr
    assert "crypto-bet-deployer" in refused.stderr
    assert "cannot" in refused.stderr
    toys.kubectl("delete", "rolebinding", "crypto-bet-viewer")
    refused = toys.process("api status")
    assert refused.returncode == 3
    assert "ask for the role" in refused.stderr
