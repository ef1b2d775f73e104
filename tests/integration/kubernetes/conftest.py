"""A real Kubernetes, one for all tests of the session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.kubernetes.shop import PASSWORD, Parts, Shop
from tests.integration.kubernetes.support import namespace
from tests.testbed.kubenode import cluster as kubenode
from tests.testbed.kubenode.cluster import Cluster
from tests.testbed.localnet import Localnet
from tests.testbed.postgres import ANY, PostgresServer
from tests.testbed.redis import RedisServer
from tests.testbed.waiting import free_port

_HERE = Path(__file__).parent
_SECONDS = 1200
"""Of a test that may have to wait until the node is built."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After all others: until then the node may still be being built."""
    items.sort(key=lambda item: _HERE in item.path.parents)
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return kubenode.running()


@pytest.fixture
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with running_parts(tmp_path_factory.mktemp("parts")) as running:
        yield running


@contextmanager
def running_parts(folder: Path) -> Iterator[Parts]:
    for name in ("postgres", "redis", "localnet"):
        (folder / name).mkdir()
    postgres = PostgresServer(folder / "postgres", user="owner", password=PASSWORD, kind=ANY)
    redis = RedisServer(folder / "redis", password=PASSWORD)
    postgres.start()
    redis.start()
    localnet = Localnet(folder / "localnet", free_port(1), 100)
    yield Parts(postgres, redis, localnet)
    localnet.stop()
    redis.stop()
    postgres.stop()


@pytest.fixture
def shop(cluster: Cluster, parts: Parts, tmp_path: Path) -> Iterator[Shop]:
    with namespace(cluster, "deploy") as own:
        made = Shop(tmp_path, cluster, own)
        made.prepare(parts)
        yield made
