"""The store in a real cluster: what every store promises, and what only this one can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kubernetes.identity import ci_kubeconfig
from tests.integration.kubernetes.support import connected
from tests.testbed.kubenode.cluster import CONTEXT, Cluster
from tests.unit.stores.contract import LOCK, ME, STREAM, Contract

from cbctl.clients.kubernetes.api import Api
from cbctl.engine.store import Fenced
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster.objects import FULL, Objects
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


def named(api: Api, prefix: str) -> list[Any]:
    kept = api.list("v1", "ConfigMap", labelSelector="app.kubernetes.io/managed-by=cbctl")
    return sorted(
        (one for one in kept if one["metadata"]["name"].startswith(prefix)),
        key=lambda one: str(one["metadata"]["name"]),
    )


def size(one: Any) -> int:
    return sum(len(line.encode()) for line in (one.get("data") or {}).values())


def test_a_long_stream_is_rolled_before_an_object_is_full(
    api: Api, store: ClusterStore, again: Callable[[], ClusterStore]
) -> None:
    line = "\N{SNOWMAN}".encode() * 10_000
    for number in range(60):
        store.append(STREAM, number, 1, line)
    store.append("runs/large", 0, 1, b"x" * 600_000)
    parts = named(api, "cbctl-")
    assert len(parts) > 4 and all(size(one) <= FULL for one in parts if size(one) != 600_000)
    assert store.read(STREAM) == again().read(STREAM) == [line] * 60
    store.swap_lock(LOCK, replace(LOCK, held=False))
    (log,) = named(api, "cbctl-log")
    assert size(log) == 0, "nothing is left in a log that nobody adds to"
    assert again().read(STREAM) == [line] * 60
    assert again().read("runs/large") == [b"x" * 600_000]


def test_a_record_that_no_object_can_hold_is_refused(store: ClusterStore) -> None:
    with pytest.raises(CbctlError, match=r"(?i)too long|too large"):
        store.append(STREAM, 0, 1, b"x" * 1_200_000)
    store.append(STREAM, 0, 1, b"y")
    assert store.read(STREAM) == [b"y"]


def test_kubectl_shows_who_is_at_work_and_what_was_written(
    cluster: Cluster, api: Api, store: ClusterStore
) -> None:
    store.append(STREAM, 0, 1, b'{"type":"run.started"}')
    shown = cluster.kubectl("get", "lease", "cbctl-lock", "-n", api.namespace)
    assert "me on host: deploy" in shown
    store.swap_lock(LOCK, replace(LOCK, held=False))
    shown = cluster.kubectl("get", "lease", "cbctl-lock", "-n", api.namespace)
    assert "me on host" not in shown
    words = ("get", "configmap", "-l", "cbctl/stream=runs.20261122T193348-9f3a1c")
    path = r"-o=jsonpath={.items[0].data['000001']}"
    shown = cluster.kubectl(*words, path, "-n", api.namespace)
    assert shown == '{"type":"run.started"}'


@pytest.mark.parametrize("written", ["", "{", "[]", '{"token":"x"}'])
def test_a_lock_that_was_changed_by_hand_stops_everybody_and_says_what_to_do(
    api: Api, store: ClusterStore, written: str
) -> None:
    change = {"metadata": {"annotations": {"cbctl/lock": written}}}
    api.merge("coordination.k8s.io/v1", "Lease", "cbctl-lock", change)
    for work in (store.read_lock, lambda: store.swap_lock(LOCK, replace(LOCK, token=2))):
        with pytest.raises(CbctlError, match="cannot be read") as caught:
            work()
        assert caught.value.exit is Exit.REFUSED and "delete lease" in caught.value.fix


def test_a_lock_that_was_removed_by_hand_does_not_let_its_holder_write_on(
    api: Api, store: ClusterStore, again: Callable[[], ClusterStore]
) -> None:
    """Although the next one has the same token: nothing tells it that there was one before."""
    api.delete("coordination.k8s.io/v1", "Lease", "cbctl-lock")
    other = again()
    other.swap_lock(None, replace(LOCK, owner=replace(ME, pid=2)))
    with pytest.raises(Fenced):
        store.append(STREAM, 0, 1, b"mine")
    other.append(STREAM, 0, 1, b"another's")
    assert store.read(STREAM) == [b"another's"]


def test_a_log_that_was_changed_by_hand_is_refused(api: Api, store: ClusterStore) -> None:
    api.merge("v1", "ConfigMap", "cbctl-log", {"data": {"note": "mine"}})
    with pytest.raises(CbctlError, match="did not write") as caught:
        store.read(STREAM)
    assert caught.value.exit is Exit.DIFFERS and "cbctl-log" in caught.value.where


def test_a_log_that_was_removed_by_hand_ends_the_holder(api: Api, store: ClusterStore) -> None:
    store.append(STREAM, 0, 1, b"one")
    api.delete("v1", "ConfigMap", "cbctl-log")
    with pytest.raises(Fenced):
        store.append(STREAM, 1, 1, b"two")


def test_a_blob_that_was_changed_is_refused_and_healed_by_putting_it_again(
    api: Api, store: ClusterStore
) -> None:
    name = store.put_blob(b"data")
    (kept,) = named(api, "cbctl-blob-")
    api.delete("v1", "ConfigMap", kept["metadata"]["name"])
    metadata = {k: kept["metadata"][k] for k in ("name", "labels", "annotations")}
    api.create({**kept, "metadata": metadata, "binaryData": {"part.gz": "aGVsbG8="}})
    with pytest.raises(CbctlError, match="was changed after it was written") as caught:
        store.get_blob(name)
    assert caught.value.exit is Exit.DIFFERS
    assert store.put_blob(b"data") == name and store.get_blob(name) == b"data"


def test_who_may_not_is_told_which_right_is_missing(
    cluster: Cluster, api: Api, store: ClusterStore, tmp_path: Path
) -> None:
    store.append(STREAM, 0, 1, b"one")
    path = ci_kubeconfig(cluster, api.namespace, tmp_path)
    cluster.kubectl("delete", "rolebinding", "--all", "-n", api.namespace)
    environ = {"KUBECONFIG": str(path)}
    nobody = Api.connect(CONTEXT, api.namespace, environ=environ)
    other = ClusterStore(Objects(lambda: nobody), lambda owner: "alive")
    works: list[tuple[Callable[[], object], str]] = [
        (other.read_lock, 'get resource "leases"'),
        (lambda: other.read(STREAM), 'get resource "configmaps"'),
        (lambda: other.swap_lock(None, LOCK), 'create resource "leases"'),
    ]
    with closing(nobody):
        for work, right in works:
            with pytest.raises(CbctlError, match=f"cannot {right}") as caught:
                work()
            assert caught.value.exit is Exit.CREDENTIALS


def test_a_namespace_that_is_not_there_is_said(cluster: Cluster) -> None:
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    nowhere = Api.connect(CONTEXT, "not-there", environ=environ)
    store = ClusterStore(Objects(lambda: nowhere), lambda owner: "alive")
    with closing(nowhere):
        assert store.read_lock() is None and store.read(STREAM) == []
        with pytest.raises(CbctlError, match="namespace is not there") as caught:
            store.swap_lock(None, LOCK)
        assert caught.value.exit is Exit.REFUSED


def test_old_runs_are_packed_and_read_as_before(
    cluster: Cluster, api: Api, store: ClusterStore, tmp_path: Path
) -> None:
    """By who may remove what was packed; whoever only restarts and scales writes all the same."""
    names = [f"runs/20261122T{n:06}-9f3a1c" for n in range(110)]
    for name in names[:-1]:
        store.append(name, 0, 1, f"first of {name}".encode())
        store.append(name, 1, 1, f"second of {name}".encode())
    store.swap_lock(LOCK, replace(LOCK, held=False))
    loose = {one["metadata"]["name"] for one in named(api, "cbctl-runs-")}

    environ = {"KUBECONFIG": str(ci_kubeconfig(cluster, api.namespace, tmp_path))}
    deployer = ("rolebinding", "crypto-bet-deployer", "-n", api.namespace)
    cluster.kubectl("delete", *deployer)
    with closing(Api.connect(CONTEXT, api.namespace, environ=environ)) as operator:
        theirs = ClusterStore(Objects(lambda: operator), lambda owner: "alive")
        theirs.swap_lock(replace(LOCK, held=False), replace(LOCK, token=2))
        theirs.append(names[-1], 0, 2, f"first of {names[-1]}".encode())
        theirs.append(names[-1], 1, 2, f"second of {names[-1]}".encode())
        theirs.swap_lock(replace(LOCK, token=2), replace(LOCK, token=2, held=False))
        theirs.tidy()
        assert loose < {one["metadata"]["name"] for one in named(api, "cbctl-")}
        assert not named(api, "cbctl-archive-")
        theirs_too = theirs.streams("runs/")

    store.tidy()
    assert len(named(api, "cbctl-runs-")) == 50 and len(named(api, "cbctl-archive-")) == 2
    for reader in (store, ClusterStore(Objects(lambda: api), lambda owner: "alive")):
        assert reader.streams("runs/") == names == theirs_too
        for name in names:
            assert reader.read(name) == [f"first of {name}".encode(), f"second of {name}".encode()]
    # A run that was packed goes on: its number follows.
    store.swap_lock(replace(LOCK, token=2, held=False), replace(LOCK, token=3))
    store.append(names[0], 2, 3, b"third")
    assert store.read(names[0])[-1] == b"third"
    store.swap_lock(replace(LOCK, token=3), replace(LOCK, token=3, held=False))
    assert len(store.read(names[0])) == 3
