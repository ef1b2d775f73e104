"""A real Kubernetes, one for all tests of the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.testbed.kubenode import cluster as kubenode
from tests.testbed.kubenode.cluster import Cluster

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
