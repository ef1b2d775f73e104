"""A real Kubernetes, one for all tests of the session."""

from __future__ import annotations

import pytest
from tests.testbed.kubenode import cluster as kubenode
from tests.testbed.kubenode.cluster import Cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return kubenode.running()
