"""The store in a real cluster: what every store promises, and what only this one can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.integration.kubernetes.support import connected
from tests.testbed.kubenode.cluster import Cluster
from tests.unit.stores.contract import LOCK, Contract

from cbctl.clients.kubernetes.api import Api
from cbctl.stores.cluster.objects import Objects
from cbctl.stores.cluster.store import ClusterStore


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    with connected(cluster, "store") as made:
        yield made


@pytest.fixture
def again(api: Api) -> Callable[[], ClusterStore]:
    return lambda: ClusterStore(Objects(lambda: api), lambda owner: "alive")


@pytest.fixture
def store(again: Callable[[], ClusterStore]) -> ClusterStore:
    made = again()
    made.swap_lock(None, LOCK)
    return made


class TestClusterStore(Contract):
    pass
