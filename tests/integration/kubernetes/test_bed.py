"""The node that the other tests stand on: its pods run, and nothing of it is seen outside."""

from __future__ import annotations

import json
import subprocess

from tests.integration.kubernetes.support import namespace, pod
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.waiting import wait_for


def test_a_pod_runs_and_its_registry_serves_it(cluster: Cluster) -> None:
    with namespace(cluster, "bed") as name:
        cluster.kubectl("apply", "-n", name, "-f", "-", stdin=json.dumps(pod(cluster, "hello")))

        def ready() -> bool:
            return bool(cluster.get("pod", "hello", "-n", name)["status"].get("podIP"))

        wait_for(ready, 60, "a running pod")
        wait_for(
            lambda: "version hello" in cluster.kubectl("logs", "-n", name, "hello"), 60, "its log"
        )


def test_the_machine_does_not_see_its_network(cluster: Cluster) -> None:
    assert "cni0" in cluster.node.run("ip", "link") or "node0" in cluster.node.run("ip", "link")
    outside = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    assert "node0" not in outside
    assert "cni0" not in outside
