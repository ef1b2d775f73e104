"""Processes that share a store in a cluster: they race, stand still, die, and lose the server."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.engine.racers import DIED, REFUSED, WON
from tests.integration.kubernetes.support import connected
from tests.testbed.kubenode.cluster import Cluster

from cbctl.clients.kubernetes.api import Api
from cbctl.engine import journal
from cbctl.engine.lock import Held, acquire
from cbctl.machine import SystemClock, owner, owner_state
from cbctl.report.audit_check import verify
from cbctl.report.audit_copy import copy
from cbctl.stores.cluster.objects import Objects
from cbctl.stores.cluster.store import ClusterStore

ENGINE = Path(__file__).parents[1] / "engine"
PATIENCE = 120.0
FAST = ("--speed", "30")
"""The time to live of a lease passes in half a second."""


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    with connected(cluster, "holders") as made:
        yield made


@pytest.fixture
def store(api: Api) -> ClusterStore:
    return ClusterStore(Objects(lambda: api), owner_state)


@contextmanager
def started(
    cluster: Cluster, script: str, folder: Path, *words: str
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(ENGINE / script), str(folder), *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out or "{}")


def toy(cluster: Cluster, api: Api, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    with started(cluster, "toy.py", folder, *words, "--namespace", api.namespace) as process:
        return ended(process)


def everything(cluster: Cluster, api: Api, folder: Path) -> Any:
    kept = cluster.get("configmaps,leases", "-n", api.namespace)["items"]
    files = {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return [(one["kind"], one["metadata"]["name"], one) for one in kept], files


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.01)


def payments(folder: Path) -> list[str]:
    return sorted(p.name.split("-")[0] for p in (folder / "payments").iterdir())


POINTS = ("run.started:1", "step.intent:3", "c:1", "step.outcome:3", "release.recorded:1")


@pytest.mark.parametrize(
    "stop", ["c:1", *(pytest.param(p, marks=pytest.mark.nightly) for p in POINTS if p != "c:1")]
)
def test_a_holder_that_stood_still_changes_nothing_more(
    cluster: Cluster, api: Api, store: ClusterStore, tmp_path: Path, stop: str
) -> None:
    words = ("deploy", "--stop", stop, "--namespace", api.namespace)
    with started(cluster, "toy.py", tmp_path, *words) as holder:
        process = psutil.Process(holder.pid)
        until(lambda: process.status() == psutil.STATUS_STOPPED)
        code, taken = toy(cluster, api, tmp_path, "resume", *FAST)
        assert (code, taken["result"], taken["release"]) == (0, "succeeded", "r1")
        before = everything(cluster, api, tmp_path)
        holder.send_signal(signal.SIGCONT)
        code, lost = ended(holder)
    assert code == 6
    assert "the lock was lost, so nothing more was changed" in lost["error"]["what"]
    assert everything(cluster, api, tmp_path) == before
    assert payments(tmp_path) == ["a", "b", "c", "d"], "a payment was made twice"
    assert verify(copy(store, "test")).findings == ()


@pytest.mark.parametrize(
    "kill", ["b:1", *(pytest.param(p, marks=pytest.mark.nightly) for p in POINTS)]
)
def test_who_was_killed_is_followed_by_anybody_who_reaches_the_cluster(
    cluster: Cluster, api: Api, store: ClusterStore, tmp_path: Path, kill: str
) -> None:
    code, _ = toy(cluster, api, tmp_path, "deploy", "--kill", kill)
    assert code == -signal.SIGKILL
    code, done = toy(cluster, api, tmp_path, "resume")
    assert (code, done["result"], done["release"]) == (0, "succeeded", "r1")
    assert not (tmp_path / "state").exists(), "something was kept on this machine"
    checked = verify(copy(store, "test"))
    assert (checked.runs, checked.findings) == (1, ())


def test_pairs_of_processes_never_hold_the_lock_together(
    cluster: Cluster, api: Api, store: ClusterStore, tmp_path: Path
) -> None:
    with started(cluster, "racers.py", tmp_path, "20", api.namespace) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    pairs = [[int(code) for code in line.split()] for line in out.splitlines()]
    codes = list(itertools.chain.from_iterable(pairs))
    assert len(pairs) == 20 and set(codes) <= {WON, DIED, REFUSED}
    assert all({WON, DIED} & set(pair) for pair in pairs), "neither of a pair got the lock"
    records = [r for s in store.streams("races/") for r in journal.read(store, s)]
    intervals = [
        (token, [r.type for r in group])
        for token, group in itertools.groupby(records, lambda r: r.token)
    ]
    tokens = [token for token, _ in intervals]
    assert tokens == sorted(set(tokens)), "an interval inside another one"
    assert [types for _, types in intervals].count(["in", "out"]) == codes.count(WON)


def held(store: ClusterStore) -> Held:
    return acquire(store, SystemClock(), owner(), "r", "a test")


def test_the_server_is_away_for_a_while(cluster: Cluster, store: ClusterStore) -> None:
    """Each record is there once, and none is missing, whichever answers were lost."""
    mine = held(store)
    log = journal.Journal(store, SystemClock(), "races/away", mine.token)
    over = threading.Event()

    def write() -> None:
        for number in range(100_000):
            log.write("note", number=number)
            if over.is_set():
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            time.sleep(1)
            cluster.node.kill("apiserver")
            cluster.node.api_server()
        time.sleep(1)
    finally:
        over.set()
        writer.join(PATIENCE)
    mine.release()
    records = journal.read(store, "races/away")
    assert len(records) == log.head.count > 100
    assert [r.data["number"] for r in records] == list(range(len(records)))
