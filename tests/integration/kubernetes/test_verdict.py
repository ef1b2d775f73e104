"""What cbctl says of a rollout, beside what really happened: doomed ones are named with their cause
and evidence, slow ones are waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
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

SECONDS = 120.0
Change = Callable[[Object], None]


def _set(**environment: str) -> Change:
    def change(thing: Object) -> None:
        thing["env"] += [{"name": name, "value": value} for name, value in environment.items()]

    return change


def _update(**values: Any) -> Change:
    return lambda thing: thing.update(values)


def _from_secret(name: str, key: str) -> Change:
    source = {"secretKeyRef": {"name": name, "key": key}}
    return lambda thing: thing["env"].append({"name": "NEEDED", "valueFrom": source})


def _live(seconds: int) -> Object:
    probe = {"path": "/health", "port": 8080}
    return {"httpGet": probe, "periodSeconds": 1, "failureThreshold": seconds}


NO_IMAGE = "127.0.0.1:5000/app@sha256:" + "0" * 64

DOOMED: dict[str, tuple[str, str, Change]] = {
    "an image that is not there": ("image", "not found", _update(image=NO_IMAGE)),
    "a command that is not in it": (
        "command",
        "no-such-program",
        _update(command=["no-such-program"]),
    ),
    "a secret that is missing": ("configuration", "nowhere", _from_secret("nowhere", "key")),
    "a key that is missing": ("configuration", "no-such-key", _from_secret("there", "no-such-key")),
    "a crash": ("crash", "exit code 3", _set(EXIT="3")),
    "too little memory": ("memory", "memory", _set(MEMORY="200")),
    "a request that no node meets": (
        "unschedulable",
        "Insufficient cpu",
        _update(resources={"requests": {"cpu": "999"}}),
    ),
    "an end with success": ("ends", "exit code 0", _set(EXIT="0")),
    "a failing liveness probe": (
        "liveness",
        "500",
        lambda thing: (
            _set(LIVE_SECONDS="1", READY_SECONDS="never")(thing),
            _update(livenessProbe=_live(1))(thing),
        )[0],
    ),
    "a pod larger than the quota": (
        "quota",
        "exceeded quota",
        _update(resources={"requests": {"cpu": "5"}}),
    ),
}
SAMPLE = (
    *("an image that is not there", "a command that is not in it", "a secret that is missing"),
    *("a key that is missing", "too little memory", "a slow start", "a first try that crashes"),
)


def cases(table: dict[str, Any]) -> list[Any]:
    """Those of the sample, and by `make nightly` all."""
    return [
        pytest.param(name, marks=() if name in SAMPLE else pytest.mark.nightly) for name in table
    ]


def tried(client: Api, wanted: Object, seconds: float = SECONDS) -> Done | Failed:
    applied = client.apply(wanted)
    return follow(client, applied, seconds, time.monotonic, lambda _: None, lambda: None)


def good(cluster: Cluster) -> Object:
    return container(app_image(cluster), {"VERSION": "good"})


def prepare(cluster: Cluster, own: str, case: str) -> None:
    cluster.kubectl("create", "secret", "generic", "there", "--from-literal=a=b", "-n", own)
    if "quota" in case:
        cluster.kubectl("create", "quota", "small", "--hard=requests.cpu=1", "-n", own)


@pytest.mark.parametrize("case", cases(DOOMED))
def test_a_doomed_rollout_is_named_while_the_old_version_serves(
    cluster: Cluster, case: str
) -> None:
    reason, said, change = DOOMED[case]
    with connected(cluster, "doomed") as client:
        own = client.namespace
        prepare(cluster, own, case)
        assert isinstance(tried(client, deployment(pod_spec(good(cluster)))), Done)
        worse = good(cluster)
        change(worse)
        found = tried(client, deployment(pod_spec(worse)))
        assert isinstance(found, Failed)
        assert (found.cause.reason, found.late) == (reason, False), found
        assert said in found.cause.sentence
        assert found.evidence["events"]
        if reason == "crash":
            assert found.evidence["exit_code"] == 3
            assert "cannot go on: no luck today" in found.evidence["log"]
        status = cluster.get("deployment", "app", "-n", own)["status"]
        assert status["availableReplicas"] == 1


SLOW: dict[str, Change] = {
    "a slow start": _set(START_SECONDS="5"),
    "long until ready": _set(READY_SECONDS="8"),
    "ready late, with a liveness probe": lambda thing: (
        _set(READY_SECONDS="6")(thing),
        _update(livenessProbe=_live(5))(thing),
    )[0],
    "a first try that crashes": lambda thing: (
        _set(EXIT="1", EXITS_LEFT="/state/left")(thing),
        _update(volumeMounts=[{"name": "state", "mountPath": "/state"}])(thing),
    )[0],
}


@pytest.mark.parametrize("case", cases(SLOW))
def test_a_slow_rollout_is_waited_for(cluster: Cluster, case: str) -> None:
    with connected(cluster, "slow") as client:
        own = client.namespace
        slow = good(cluster)
        SLOW[case](slow)
        state: list[Object] = [{"name": "state", "emptyDir": {}}]
        found = tried(client, deployment(pod_spec(slow, volumes=state)))
        assert isinstance(found, Done), found
        assert "successfully rolled out" in cluster.kubectl(
            "rollout", "status", "deployment/app", "-n", own, "--timeout=5s"
        )


def test_the_server_may_restart_meanwhile(cluster: Cluster) -> None:
    with connected(cluster, "restart") as client:
        slow = good(cluster)
        _set(START_SECONDS="6")(slow)
        applied = client.apply(deployment(pod_spec(slow)))
        cluster.node.kill("apiserver")
        cluster.node.api_server()
        found = follow(client, applied, SECONDS, time.monotonic, lambda _: None, lambda: None)
        assert isinstance(found, Done), found


def test_somebody_else_changes_it_meanwhile(cluster: Cluster) -> None:
    with connected(cluster, "other") as client:
        own = client.namespace
        slow = good(cluster)
        _set(READY_SECONDS="never")(slow)
        applied = client.apply(deployment(pod_spec(slow)))
        cluster.kubectl("set", "env", "deployment/app", "OTHER=1", "-n", own)
        found = follow(client, applied, SECONDS, time.monotonic, lambda _: None, lambda: None)
        assert isinstance(found, Failed)
        assert found.cause.reason == "changed"
        assert "kubectl-set" in found.cause.sentence


@pytest.mark.nightly
def test_a_pod_that_is_never_ready_is_named_when_its_time_is_up(cluster: Cluster) -> None:
    with connected(cluster, "never") as client:
        never = good(cluster)
        _set(READY_SECONDS="never")(never)
        found = tried(client, deployment(pod_spec(never), deadline=6))
        assert isinstance(found, Failed)
        assert (found.cause.reason, found.late) == ("readiness", False)
        assert "503" in found.cause.sentence
