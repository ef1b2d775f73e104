"""No room on the disk of the state folder: told as such, nothing lost, and it goes on with room."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import psycopg
import pytest
from tests.e2e.small_disk import SmallDisk
from tests.e2e.support import wait_until
from tests.testbed.beds import need

FULL = ("No space left on device", "make room on this disk")
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], SmallDisk]]:
    """Makes a platform on a disk of so many megabytes."""
    need("small-disk")
    made: list[SmallDisk] = []
    keepers: list[subprocess.Popen[bytes]] = []

    def make(megabytes: int) -> SmallDisk:
        platform = SmallDisk.make(tmp_path)
        made.append(platform)
        keepers.append(platform.mount(megabytes))
        return platform

    yield make
    try:
        for platform in made:
            platform.end()
    finally:
        for keeper in keepers:
            keeper.kill()
            keeper.communicate()


def test_full_from_the_start(disk: Callable[[int], SmallDisk]) -> None:
    platform = disk(1)
    platform.fill()
    for command in (
        ("deploy", "local"),
        ("deploy", "local", "--plan"),
        ("local", "reset", "--yes"),
    ):
        platform.run(*command).refused(1, *FULL, str(platform.root))
    told = platform.run("deploy", "local", "--output", "json").ended(1).json
    assert (told["result"], told["error"]["what"]) == ("failed", FULL[0])
    assert platform.processes() == []
    platform.free()
    platform.run("deploy", "local", "--plan").ended(2)


def test_full_while_the_database_is_made_and_while_the_journal_is_written(
    disk: Callable[[int], SmallDisk],
) -> None:
    platform = disk(24)
    done = platform.run("deploy", "local").refused(5, "initdb failed", *FULL, "cbctl resume")
    assert str(platform.root) in done.err
    assert [p.name for p in (platform.state / "postgres").iterdir()] == ["choice.json"]
    (run,) = platform.run("runs", "list", "--env", "local", "-o", "json").ended(0).json
    assert run["result"] == "not undone"
    platform.remember_secrets()

    # Then it is full from a moment on at which all is done but the words about it.
    platform.resize(120)
    with platform.at("full:step.outcome:api"):
        platform.run("resume", "local").refused(5, *FULL, f"cbctl resume {run['run']}")
    platform.check_journals()
    assert platform.releases() == []
    platform.run("resume", "local").refused(1, *FULL, "lock.json")
    platform.run("lock", "status", "local").ended(0)

    platform.free()
    resumed = platform.run("resume", "local", "--output", "json").ended(0).json
    assert (resumed["run"], resumed["release"]) == (run["run"], "r1")
    platform.check_journals()
    platform.run("audit", "verify", "--env", "local").ended(0)
    assert platform.deploy()["changes"] == []
    platform.run("health", "local").ended(0)


@pytest.mark.nightly
def test_full_while_the_services_work(disk: Callable[[int], SmallDisk]) -> None:
    """What has no room waits or ends and is started again; with room all of it works."""
    platform = disk(120)
    platform.deploy()
    platform.sql("CREATE TABLE kept AS SELECT generate_series(1, 5) AS n")
    balance, pids = platform.balance(), platform.pids()
    platform.fill()
    with pytest.raises((OSError, HTTPException)):
        for number in range(40):  # its log has room for some in the last block
            platform.rpc("requestAirdrop", "11111111111111111111111111111111", number)
    with pytest.raises(psycopg.errors.DiskFull):
        platform.sql("INSERT INTO kept SELECT generate_series(6, 100000)")
    os.killpg(pids["redis"], signal.SIGKILL)
    wait_until(lambda: platform.run("health", "local").exit == 0, "health without a word written")
    now = platform.status()
    assert {now[name]["state"] for name in pids} == {"running"}
    platform.free()
    wait_until(lambda: platform.pids()["redis"] != pids["redis"], "the supervisor's word")
    assert {n for n, pid in platform.pids().items() if pid != pids[n]} == {"redis", "localnet"}
    assert platform.deploy()["changes"] == []
    assert platform.balance() == balance
    assert platform.sql("SELECT count(*) FROM kept") == [(5,)]


def programs_and_buffers(platform: SmallDisk) -> list[str]:
    config = {"encoding": "base64", "dataSlice": {"offset": 0, "length": 0}}
    return sorted(one["pubkey"] for one in platform.rpc("getProgramAccounts", LOADER, config))


@pytest.mark.nightly
def test_full_when_the_program_is_on_chain_and_the_journal_is_to_say_so(
    disk: Callable[[int], SmallDisk],
) -> None:
    """With room again it is found there: nothing is sent a second time."""
    platform = disk(120)
    with platform.at("full:step.outcome:program"):
        platform.run("deploy", "local").refused(5, *FULL, "cbctl resume")
    platform.remember_secrets()
    platform.free()
    wait_until(lambda: platform.rpc("getHealth") == "ok", "the chain")
    there = programs_and_buffers(platform)
    sent = platform.rpc("getTransactionCount")
    platform.run("resume", "local").ended(0)
    assert programs_and_buffers(platform) == there
    assert platform.rpc("getTransactionCount") <= sent + 1  # the first configuration
    platform.check_journals()
    assert platform.deploy()["changes"] == []
