"""The overlays as a real API server takes them, and who may do what in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.waiting import wait_for

ROOT = Path(__file__).parents[3]
OVERLAYS = ROOT / "manifests" / "overlays"
KINDS = Path(__file__).parent / "kinds.yaml"
SPACES = {
    "development": "crypto-bet-development",
    "staging": "crypto-bet-staging",
    "production": "crypto-bet",
}


@pytest.fixture(scope="module")
def environments(cluster: Cluster) -> Cluster:
    """All three in one cluster, applied by an administrator with kubectl alone."""
    cluster.kubectl("apply", "-f", str(KINDS))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    for name in SPACES:
        cluster.kubectl("apply", "--server-side", "-k", str(OVERLAYS / name), "--validate=strict")
    return cluster


@pytest.mark.nightly
@pytest.mark.parametrize("name", SPACES)
def test_the_server_takes_an_overlay_whole(environments: Cluster, name: str) -> None:
    dry = ["--dry-run=server", "--server-side", "--validate=strict"]
    told = environments.kubectl("apply", *dry, "-k", str(OVERLAYS / name), "-o", "name")
    rendered = environments.kubectl("kustomize", str(OVERLAYS / name))
    assert len(told.splitlines()) == len([one for one in yaml.safe_load_all(rendered) if one])


@pytest.mark.nightly
@pytest.mark.parametrize("traffic", ["gateway", "ingress"])
def test_traffic_is_exchangeable(environments: Cluster, tmp_path: Path, traffic: str) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    up = "../" * len(overlay.resolve().parts[1:])
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "crypto-bet",
        "resources": [f"{up}{ROOT}/manifests/base".replace("//", "/")],
        "components": [f"{up}{ROOT}/manifests/components/{traffic}".replace("//", "/")],
    }
    (overlay / "kustomization.yaml").write_text(json.dumps(content))
    rendered = environments.kubectl("kustomize", str(overlay))
    kinds = {one["kind"] for one in yaml.safe_load_all(rendered)}
    assert ("HTTPRoute" in kinds) == (traffic == "gateway")
    assert ("Ingress" in kinds) == (traffic == "ingress")
    environments.kubectl("apply", "--dry-run=server", "--server-side", "--validate=strict",
                         "--force-conflicts", "-k", str(overlay))  # fmt: skip


def test_the_pods_keep_to_the_strictest_standard(environments: Cluster) -> None:
    """Admission would refuse them otherwise: they are created, and wait for their Secret."""

    def made() -> bool:
        pods = environments.get("pods", "-n", "crypto-bet", "-l", "app=crypto-bet-api")["items"]
        return len(pods) >= 1

    wait_for(made, 60, "pods of production")


@pytest.mark.parametrize(
    ("who", "may", "may_not"),
    [
        (
            "--as-group=crypto-bet-developers",
            ["get pods", "get pods/log", "list events"],
            ["get secrets", "patch deployments", "delete pods", "create pods/exec"],
        ),
        (
            "--as-group=crypto-bet-operators",
            ["get pods", "patch deployments", "patch horizontalpodautoscalers"],
            ["get secrets", "create deployments", "patch roles"],
        ),
        (
            "--as-group=crypto-bet-operations",
            ["create deployments", "patch services", "get secrets/crypto-bet-secrets"],
            [
                "get secrets",
                "list secrets",
                "patch secrets",
                "get secrets/another",
                "patch roles",
                "create rolebindings",
                "patch resourcequotas",
            ],
        ),
    ],
    ids=["developers", "operators", "operations"],
)
def test_least_privilege(
    environments: Cluster, who: str, may: list[str], may_not: list[str]
) -> None:
    def allowed(what: str, space: str) -> bool:
        verb, resource = what.split()
        words = ["auth", "can-i", verb, resource, "-n", space, "--as=somebody", who]
        return environments.try_kubectl(*words).stdout.strip() == "yes"

    assert [one for one in may if not allowed(one, "crypto-bet")] == []
    assert [one for one in may_not if allowed(one, "crypto-bet")] == []


def test_staging_is_a_stranger_in_production(environments: Cluster) -> None:
    staging = "--as=system:serviceaccount:crypto-bet-staging:crypto-bet-deployer"
    verbs = ("get", "create", "patch", "delete")
    resources = ("pods", "secrets", "configmaps", "deployments.apps")
    for resource in resources:
        for verb in verbs:
            words = ["auth", "can-i", verb, resource, "-n", "crypto-bet", staging]
            assert environments.try_kubectl(*words).stdout.strip() == "no", (verb, resource)
    own = ["auth", "can-i", "patch", "deployments.apps", "-n", "crypto-bet-staging", staging]
    assert environments.try_kubectl(*own).stdout.strip() == "yes"
