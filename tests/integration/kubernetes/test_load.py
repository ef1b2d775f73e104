"""No request is lost while versions change; without time to drain, some are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.shop import Shop
from tests.integration.kubernetes.support import namespace
from tests.integration.kubernetes.toys import Toys
from tests.testbed.kubenode.cluster import Cluster

LOAD = Path(__file__).parents[2] / "testbed" / "kubenode" / "load.py"
REQUESTS = 5000
ROUNDS = 3
RATE = 150
KEPT = 50


@contextmanager
def under_load(
    toys: Toys, requests: int, *, address: str = "", path: str = "/"
) -> Iterator[dict[str, Any]]:
    """Load all the while; afterwards its counts, once as many requests were made.

    address  of a Service; "": that of the toy"""
    node = toys.cluster.node
    address = address or toys.get("service", "app")["spec"]["clusterIP"]
    stop, name = toys.folder / "stop", f"load-{toys.own}"
    log = node.folder / "logs" / f"{name}.log"
    stop.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    node.start(name, "python3", str(LOAD), address, str(RATE), str(KEPT), str(stop), path)
    told: dict[str, Any] = {}
    try:
        yield told
        node.run("sleep", str(requests / RATE), timeout=600)
    finally:
        stop.touch()
        node.wait(name, 60)
    told |= json.loads(log.read_text())


def version(toys: Toys, name: str, drain: str) -> None:
    values = {"VERSION": name, "DRAIN_SECONDS": drain}
    toys.overlay.app["env"] = [{"name": k, "value": v} for k, v in values.items()]
    toys.overlay.deployment["spec"]["replicas"] = 2
    toys.overlay.deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 15
    toys.overlay.write()


@pytest.fixture
def toys(cluster: Cluster, tmp_path: Path) -> Iterator[Toys]:
    with namespace(cluster, "load") as own:
        yield Toys(tmp_path, cluster, own)


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_nothing_is_lost(toys: Toys, strategy: str) -> None:
    toys.kubernetes["strategy"] = strategy
    toys.write()
    version(toys, "0", drain="4")
    toys.rollout()
    for number in range(1, ROUNDS + 1):
        version(toys, str(number), drain="4")
        with under_load(toys, REQUESTS) as told:
            toys.rollout()
        assert told["failed"] == {}, told
        assert told["counts"]["new"] >= REQUESTS, told
        assert set(told["answered"]) == {str(number - 1), str(number)}


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_nothing_is_lost_from_a_deploy_to_its_way_back(shop: Shop, strategy: str) -> None:
    """The whole of `cbctl deploy` with a migration, then an emergency."""
    shop.kubernetes["strategy"] = strategy
    shop.record()
    version(shop, "1", drain="4")
    shop.deploy()
    version(shop, "2", drain="4")
    shop.migration(2, "alter table users add column name text;")
    with under_load(shop, REQUESTS // 2) as told:
        shop.deploy()
        shop.run("rollback --emergency --confirm testing")
    assert told["failed"] == {}, told
    assert told["counts"]["new"] >= REQUESTS // 2, told
    assert told["counts"]["kept"] >= KEPT, told
    assert set(told["answered"]) == {"1", "2"}


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_without_time_to_drain_some_are_lost(toys: Toys) -> None:
    """The control: the load would notice."""
    version(toys, "0", drain="0")
    toys.rollout()
    failed = 0
    for number in range(1, ROUNDS + 1):
        version(toys, str(number), drain="0")
        with under_load(toys, 500) as told:
            toys.rollout()
        failed += sum(told["failed"].values())
    print(f"lost without time to drain: {failed}")
    assert failed > 0
