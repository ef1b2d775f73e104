"""Development, staging and production on one cluster: each whole, and none can touch another."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.shop import Parts, Shop
from tests.integration.kubernetes.support import namespace
from tests.testbed.kubenode import binary
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.clients.kubernetes import access
from cbctl.clients.kubernetes.access import Ask
from cbctl.clients.kubernetes.api import Api

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
TRIED = (
    "get configmap cbctl-log",  # the journal
    "get configmaps -l cbctl/records=runs",
    "get lease cbctl-lock",
    "patch lease cbctl-lock --type=merge -p {}",
    "get secrets",
    "create configmap mine",
    "scale deployment app --replicas=0",
    "set env deployment/app A=1",
    "delete deployment app",
    "delete configmap cbctl-log",
    "logs deployment/app",
    "exec deployment/app -- true",
)
"""What somebody would do first."""
KINDS = "configmaps,deployments,services,replicasets,pods,leases"


class Development(Shop):
    env = "development"


class Staging(Shop):
    env = "staging"


class Production(Shop):
    env, chain, protected = "production", "mainnet-beta", True


@pytest.fixture
def three(cluster: Cluster, parts: Parts, tmp_path: Path) -> Iterator[list[Shop]]:
    with ExitStack() as stack:
        made = []
        for kind in (Development, Staging, Production):
            folder = tmp_path / kind.env
            folder.mkdir()
            shop: Shop = kind(folder, cluster, stack.enter_context(namespace(cluster, kind.env)))
            shop.prepare(parts)
            made.append(shop)
        yield made


def redis_of_its_own(shop: Shop, number: int) -> None:
    """One server, a database each."""
    file = shop.folder / f".env.{shop.env}"
    file.write_text(
        file.read_text().replace(shop.parts.redis.url, f"{shop.parts.redis.url}/{number}")
    )


def versions(shop: Shop) -> dict[str, str]:
    """Of everything in its namespace, as the cluster counts changes."""
    return {
        f"{one['kind']} {one['metadata']['name']}": one["metadata"]["resourceVersion"]
        for one in shop.get(KINDS)["items"]
    }


def everything(cluster: Cluster) -> list[Ask]:
    """Each verb on each kind of thing that a namespace may hold."""
    named = cluster.kubectl("api-resources", "--namespaced", "--no-headers", "-o", "name").split()
    kinds = [name.partition(".") for name in named]
    below = [("pods/log", ""), ("pods/exec", ""), ("pods/proxy", ""), ("deployments/scale", "apps")]
    wanted = [(resource, group) for resource, _, group in kinds] + below
    return [
        Ask(verb, group, resource)
        for verb, (resource, group) in itertools.product(VERBS, wanted)
        if group != "authorization.k8s.io"  # asking what one may do is everybody's right
    ]


def refused(shop: Shop, own: str) -> None:
    """Its identity may do nothing at all in that namespace, by the server's word and by trying."""
    api = Api.connect(CONTEXT, own, environ={"KUBECONFIG": str(shop.kubeconfig)})
    try:
        asks = everything(shop.cluster)
        assert len(asks) > 200
        assert sorted(set(asks)) == access.denied(api, asks)
    finally:
        api.close()
    for line in TRIED:
        words = [str(binary.kubectl()), f"--kubeconfig={shop.kubeconfig}", "-n", own]
        done = subprocess.run([*words, *line.split()], capture_output=True, text=True, check=False)
        assert done.returncode != 0, f"{line}: {done.stdout}"
        assert "orbidden" in done.stderr, done.stderr


@pytest.mark.nightly
def test_three_environments_on_one_cluster(three: list[Shop]) -> None:
    for number, shop in enumerate(three):
        redis_of_its_own(shop, number)
        shop.record()
        assert shop.deploy()["release"] == "r1"
    _, staging, production = three
    for shop in three:
        assert shop.json("status")["environment"] == shop.env
        assert shop.json("health")["healthy"] is True
        assert [one["state"] for one in shop.releases()] == ["healthy"]
    another = f"deploy --image {production.image[:-4]}0000 --yes"
    assert "--confirm production" in production.run(another, exit=64), "a yes is not enough there"

    refused(staging, production.own)
    refused(production, staging.own)

    before = versions(production)
    staging.greets("another")
    staging.deploy()
    staging.run("rollback --emergency --confirm staging")
    assert versions(production) == before
    other_places(staging, production)
    assert versions(production) == before
    assert staging.greeting() == "hello"


def other_places(staging: Shop, production: Shop) -> None:
    """What belongs to production stands in staging's settings by mistake."""
    right = (staging.folder / "cbctl.yaml").read_text()

    def with_(change: dict[str, Any]) -> None:
        content = json.loads(right)
        content["environments"]["staging"] |= change
        (staging.folder / "cbctl.yaml").write_text(json.dumps(content))

    deploy = f"deploy --image {staging.image} --yes"
    with_({"clusters": {"main": {"context": CONTEXT, "namespace": production.own}}})
    said = staging.process(deploy)
    assert said.returncode in (3, 7), said.stderr
    staging.variables["KUBECONFIG"] = str(production.kubeconfig)
    said = staging.process(deploy)
    assert said.returncode == 7, said.stderr
    assert "another" in said.stderr or "not the target" in said.stderr
    del staging.variables["KUBECONFIG"]
    (staging.folder / "cbctl.yaml").write_text(right)

    file, of_production = staging.folder / ".env.staging", production.folder / ".env.production"
    mine = dict(line.split("=", 1) for line in file.read_text().splitlines())
    other = dict(line.split("=", 1) for line in of_production.read_text().splitlines())
    for name in ("DATABASE_URL", "REDIS_URL"):
        swapped = mine | {name: other[name]}
        file.write_text("".join(f"{key}={value}\n" for key, value in swapped.items()))
        said = staging.process(deploy)
        assert said.returncode == 7, said.stderr
        assert "toys/production, not toys/staging" in said.stderr
    file.write_text("".join(f"{key}={value}\n" for key, value in mine.items()))
