"""The platform's own service on the node: built and pushed by cbctl to a real registry, with real
Postgres, Redis and localnet, rolled out with exactly the rights of CI."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from tests.integration.kubernetes.conftest import running_parts
from tests.integration.kubernetes.shop import PASSWORD, Parts
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.test_load import under_load
from tests.integration.kubernetes.test_secrets import operations, variables
from tests.integration.kubernetes.toys import ENV, Toys
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.kubenode.node import ADDRESS

ROOT = Path(__file__).parents[3]
NAME = "crypto-bet-api"
SECRETS = "crypto-bet-secrets"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """What the service needs, on this machine; pods reach it at ADDRESS."""
    with running_parts(tmp_path_factory.mktemp("parts")) as running:
        yield running


@pytest.fixture
def platform(cluster: Cluster, parts: Parts, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "platform") as own:
        made = Toys(tmp_path, cluster, own)
        _write(made, parts)
        overlay(made, "1")
        made.variables = cluster.images.environment()
        operations(made)
        yield made


def _write(toys: Toys, parts: Parts) -> None:
    """cbctl.yaml with the repository's own sources, manifests and migrations."""
    node = toys.cluster.node
    database = f"d{secrets.token_hex(4)}"
    parts.postgres.execute("postgres", f"create database {database}")
    content = json.loads((toys.folder / "cbctl.yaml").read_text())
    env = content["environments"][ENV]
    env["migrations"] = {
        "folder": str(ROOT / "src/cbapi/migrations"),
        "schema": str(ROOT / "src/cbapi/schema.json"),
    }
    env["database"]["url"] = "${env:OWNER_URL}"
    env["secrets"] = {
        SECRETS: {
            "database-url": "${env:DATABASE_URL}",
            "redis-url": "${env:REDIS_URL}",
            "jwt-secret": "${env:JWT_SECRET}",
            "solana-rpc-url": "${env:SOLANA_RPC_URL}",
        }
    }
    env["images"] = {
        "api": {
            "repository": f"127.0.0.1:5000/{NAME}",
            "registry": f"127.0.0.1:{node.port_into(5000)}",
            "containerfile": str(ROOT / "images/cbapi/Containerfile"),
            "context": str(ROOT),
            "sources": [str(ROOT / "src/cbapi"), str(ROOT / "requirements/image-cbapi.txt")],
            "arguments": {"BASE": toys.cluster.images.with_packages()},
            "tool": "buildah",
        }
    }
    env["api"] |= {"port": 3000, "source": str(ROOT / "src/cbapi"), "module": "cbapi"}
    (toys.folder / "cbctl.yaml").write_text(json.dumps(content))

    def outside(port: int) -> str:
        return f"{ADDRESS}:{node.port_out(port)}"

    at = outside(parts.postgres.port)
    variables(
        toys,
        OWNER_URL=parts.postgres.url(database),
        DATABASE_URL=f"postgresql://owner:{PASSWORD}@{at}/{database}",
        REDIS_URL=f"redis://:{PASSWORD}@{outside(parts.redis.port)}",
        JWT_SECRET=secrets.token_hex(32),
        SOLANA_RPC_URL=f"http://{outside(parts.localnet.port)}",
    )


def overlay(toys: Toys, version: str) -> None:
    """The repository's base, smaller: one node has to bear it twice."""
    folder = toys.folder / "overlay"
    for file in folder.iterdir():
        file.unlink()
    change: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "template": {
                "spec": {
                    "dnsPolicy": "Default",  # the node has no name service
                    "containers": [
                        {
                            "name": "api",
                            "env": [{"name": "CBAPI_VERSION", "value": version}],
                            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
                        }
                    ],
                }
            }
        },
    }
    sizes = [
        {"op": "replace", "path": "/spec/minReplicas", "value": 2},
        {"op": "replace", "path": "/spec/maxReplicas", "value": 2},
    ]
    base = os.path.relpath(ROOT / "manifests" / "base", folder)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": toys.own,
        "resources": [base],
        "configMapGenerator": [
            {"name": "crypto-bet-settings", "literals": [f"program-id={Keypair().pubkey()}"]}
        ],
        "patches": [
            {"patch": json.dumps(change)},
            {"target": {"kind": "HorizontalPodAutoscaler"}, "patch": json.dumps(sizes)},
        ],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(content))


def foundation(toys: Toys) -> None:
    """What an administrator gives the environment: roles as the manifests have them."""
    chosen = ("-l", "app.kubernetes.io/component=foundation")
    overlay = str(toys.folder / "overlay")
    toys.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", overlay, *chosen)


def asked(toys: Toys, path: str) -> Any:
    """By way of the Service."""
    service = f"/api/v1/namespaces/{toys.own}/services/crypto-bet-api-service:80/proxy"
    return json.loads(toys.cluster.kubectl("get", "--raw", f"{service}{path}"))


@pytest.mark.parametrize("requests", [300, pytest.param(5000, marks=pytest.mark.nightly)])
def test_from_the_source_to_served_requests(platform: Toys, requests: int) -> None:
    """Pushed, secrets written, migrated, rolled out, ready; then another version under load."""
    pushed = platform.json("api push --yes")["outcome"]
    assert "only an administrator may change it" in platform.run(
        f"api rollout --image {pushed['image']} --yes", exit=7
    )
    foundation(platform)
    absent = f"{pushed['image'][:-4]}0000"
    assert "is not in the registry" in platform.run(f"api rollout --image {absent} --yes", exit=7)
    assert platform.get("deployments")["items"] == [], "refused before anything changed"

    platform.run("secrets write --yes")
    platform.run("db migrate --new-database --yes")
    rollout = f"api rollout --image {pushed['image']} --yes"
    assert platform.json(rollout)["outcome"]["revision"] == 1
    ready = asked(platform, "/ready")
    assert ready["status"] == "healthy", ready
    assert {one["status"] for one in ready["checks"]} == {"healthy"}
    assert {one["service"] for one in ready["checks"]} == {"database", "redis", "solana_rpc"}
    status = platform.json("api status")
    assert status["images"] == {"api": pushed["image"]}
    assert platform.json("secrets status")["pods"] == "current"

    overlay(platform, "2")
    service = platform.get("service", "crypto-bet-api-service")["spec"]["clusterIP"]
    with under_load(platform, requests, address=service, path="/health") as told:
        assert platform.json(rollout)["outcome"]["revision"] == 2
    assert told["failed"] == {}, told
    assert set(told["answered"]) == {"1", "2"}
    assert told["counts"]["new"] >= requests * 0.9

    said = platform.run("audit list") + platform.run("why last") + platform.run("api logs")
    assert PASSWORD not in said
