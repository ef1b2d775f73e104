"""Supervisor, Postgres, Redis, localnet and API killed one by one and together: they heal as
designed, nothing is lost, and `health` says the truth meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.e2e.support import Platform, wait_until
from tests.testbed.memory import memory_folder

SERVICES = ("postgres", "redis", "localnet", "api")
NEEDS = {"api": {"postgres", "redis", "localnet"}, "program": {"localnet"}, "verify": {"localnet"}}
"""What `health` cannot ask without."""


READY = {"postgres": (503, "unhealthy"), "redis": (200, "degraded"), "localnet": (200, "degraded")}
"""What the API itself says without them."""


@pytest.fixture(scope="module")
def running() -> Iterator[Platform]:
    """Heals after each test, so that one serves all."""
    home = Path(tempfile.mkdtemp(prefix="cbctl-services-", dir=memory_folder()))
    platform = Platform.make(home)
    platform.deploy()
    platform.sql("CREATE TABLE kept AS SELECT 1 AS one")
    yield platform
    platform.end()
    shutil.rmtree(home)


@dataclass(frozen=True)
class Known:
    """What outlives every service."""

    rows: list[tuple[Any, ...]]
    balance: int
    config: str
    specs: dict[str, str]

    @classmethod
    def of(cls, platform: Platform) -> Known:
        told = json.loads((platform.state / "supervisor.json").read_text())["parts"]
        return cls(
            platform.sql("SELECT * FROM kept"),
            platform.balance(),
            json.loads(platform.get("/v1/program")[1])["data"]["config"],
            {name: part["tag"] for name, part in told.items()},
        )


def supervisor(platform: Platform) -> psutil.Process:
    answer = json.loads((platform.state / "supervisor.json").read_text())
    return psutil.Process(answer["process"]["pid"])


def health(platform: Platform) -> dict[str, str]:
    done = platform.run("health", "local", "--output", "json")
    told = done.json
    states = {p["name"]: p["state"] for p in told["parts"]}
    assert done.ended(0 if told["healthy"] else 10)
    assert told["healthy"] == (set(states.values()) == {"healthy"})
    return states


def require_truth(states: dict[str, str], dead: set[str]) -> None:
    """What is dead is unhealthy, what depends on it is not called healthy, the rest is."""
    for name, state in states.items():
        if name in dead:
            assert state == "unhealthy", (name, states)
        elif NEEDS.get(name, set()) & dead or name == "verify":
            assert state != "healthy", (name, states)
        else:
            assert state == "healthy", (name, states)


@contextmanager
def paused(process: psutil.Process) -> Iterator[None]:
    """It does not see what happens, as in the moment before it does."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@pytest.mark.parametrize("name", SERVICES)
def test_the_supervisor_starts_again_what_was_killed(running: Platform, name: str) -> None:
    before, pids = Known.of(running), running.pids()
    with paused(supervisor(running)):
        os.killpg(pids[name], signal.SIGKILL)
        require_truth(health(running), {name})
        if name in READY:
            status, body = running.get("/ready")
            assert (status, json.loads(body)["status"]) == READY[name]
    wait_until(lambda: running.pids().get(name) not in (None, pids[name]), f"another {name}")
    wait_until(lambda: running.run("health", "local").exit == 0, "health")
    assert {n for n, pid in running.pids().items() if pid != pids[n]} == {name}
    assert Known.of(running) == before
    assert running.deploy()["changes"] == []


@pytest.mark.nightly
@pytest.mark.parametrize("also", ["", *SERVICES])
def test_deploy_starts_what_is_down_without_a_supervisor(running: Platform, also: str) -> None:
    before, pids = Known.of(running), running.pids()
    watcher = supervisor(running)
    watcher.kill()
    watcher.wait()
    if also:
        os.killpg(pids[also], signal.SIGKILL)
    states = health(running)
    assert {states[name] for name in SERVICES} <= {"unhealthy", "unknown"}, states
    assert states["elf"] == "healthy"
    if also:
        assert running.status()[also]["state"] == "stopped"
    result = running.deploy()
    assert result["release"] == "r1"
    assert {c["step"] for c in result["changes"]} <= set(SERVICES)
    assert {n for n, pid in running.pids().items() if pid != pids[n]} == ({also} if also else set())
    assert Known.of(running) == before
    assert running.deploy()["changes"] == []


def test_all_are_killed_at_once(running: Platform) -> None:
    before, pids = Known.of(running), running.pids()
    watcher = supervisor(running)
    for pid in (watcher.pid, *pids.values()):
        os.kill(pid, signal.SIGKILL)
    states = health(running)
    assert {states[name] for name in SERVICES} <= {"unhealthy", "unknown"}, states
    assert {p["state"] for n, p in running.status().items() if n in SERVICES} == {"stopped"}
    result = running.deploy()
    assert {c["after"] for c in result["changes"]} == {"running"}
    assert set(running.pids()) == set(pids) and not set(running.pids().values()) & set(
        pids.values()
    )
    assert Known.of(running) == before
    running.run("health", "local").ended(0)
    assert running.deploy()["changes"] == []


@contextmanager
def stranger(folder: Path) -> Iterator[psutil.Process]:
    """Somebody's process that works in a folder of ours."""
    process = subprocess.Popen(["sleep", "600"], cwd=folder)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("rebooted", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_pids_that_are_somebody_else_s_now(running: Platform, rebooted: bool) -> None:
    """After a reboot, or after so many processes that the numbers came round, every pid that was
    written down is that of a living stranger: it is neither adopted nor killed nor waited for."""
    before = Known.of(running)
    lock = json.loads((running.state / "lock.json").read_text())
    watcher = json.loads((running.state / "supervisor.json").read_text())
    postmaster = (running.state / "postgres" / "data" / "postmaster.pid").read_text()
    running.kill_everything()
    with stranger(running.state / "postgres" / "data") as other:

        def now_the_stranger_s(process: dict[str, Any]) -> dict[str, Any]:
            boot = "another" if rebooted else process["boot"]
            return {**process, "boot": boot, "pid": other.pid}

        for part in (watcher, *watcher["parts"].values()):
            part["process"] = now_the_stranger_s(part["process"])
        (running.state / "supervisor.json").write_text(json.dumps(watcher))
        for name, part in watcher["parts"].items():
            (running.state / "records" / f"{name}.json").write_text(json.dumps(part))
        lock |= {"held": True, "owner": now_the_stranger_s(lock["owner"])}
        (running.state / "lock.json").write_text(json.dumps(lock))
        _, *rest = postmaster.splitlines(keepends=True)
        (running.state / "postgres/data/postmaster.pid").write_text(
            "".join([f"{other.pid}\n", *rest])
        )

        states = health(running)
        assert {states[name] for name in SERVICES} <= {"unhealthy", "unknown"}, states
        assert {p["state"] for n, p in running.status().items() if n in SERVICES} == {"stopped"}
        running.run("lock", "status", "local").ended(0)
        result = running.deploy()
        assert {c["after"] for c in result["changes"]} == {"running"}
        assert other.pid not in running.pids().values()
        assert running.run("local", "down").ended(0).out.startswith("stopped: ")
        running.deploy()
        assert other.status() == psutil.STATUS_SLEEPING, "the stranger was touched"
    assert Known.of(running) == before
    running.run("health", "local").ended(0)
