"""An API server that knows the bindings and not yet the roles, as one that has just started."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.kubernetes.identity import ci_kubeconfig
from tests.integration.kubernetes.support import namespace
from tests.testbed.kubenode.cluster import CONTEXT, Cluster

from cbctl.clients.kubernetes.api import Api
from cbctl.clients.kubernetes.failures import Refused
from cbctl.errors import Exit


@pytest.fixture
def without_roles(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The namespace, and the kubeconfig of an account whose roles are gone."""
    with namespace(cluster, "roles") as own:
        kubeconfig = ci_kubeconfig(cluster, own, tmp_path)
        cluster.kubectl("delete", "roles", "--all", "-n", own)
        yield own, kubeconfig


def refused(own: str, kubeconfig: Path) -> Refused:
    api = Api.connect(CONTEXT, own, patience=0.3, environ={"KUBECONFIG": str(kubeconfig)})
    try:
        with pytest.raises(Refused) as caught:
            api.get("v1", "ConfigMap", "any")
    finally:
        api.close()
    return caught.value


def test_roles_that_come_late(
    cluster: Cluster, without_roles: tuple[str, Path], tmp_path: Path
) -> None:
    own, kubeconfig = without_roles
    while not refused(own, kubeconfig).knows_no_roles:  # until that was deleted everywhere
        time.sleep(0.1)
    assert refused(own, kubeconfig).exit is Exit.CREDENTIALS, "without them it ends with that"
    api = Api.connect(CONTEXT, own, patience=60, environ={"KUBECONFIG": str(kubeconfig)})
    later = threading.Timer(1, cluster.kubectl, ("apply", "-k", str(tmp_path / "roles")))
    later.start()
    try:
        assert api.get("v1", "ConfigMap", "any") is None
    finally:
        later.join()
        api.close()
