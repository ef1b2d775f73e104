"""Files in the state folder that are damaged: what a person reads, and that the advice helps."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
from tests.e2e.support import Done, Platform

pytestmark = pytest.mark.nightly  # the steps themselves are tried in tests/integration/local


def control(platform: Platform) -> None:
    path = platform.state / "postgres" / "data" / "global" / "pg_control"
    before = path.read_bytes()
    path.write_bytes(before[:100] + b"\xff" * 64 + before[164:])


def append_only_file(platform: Platform) -> None:
    (path,) = (platform.state / "redis" / "data" / "appendonlydir").glob("*incr.aof")
    path.write_bytes(b"not a command\r\n" * 9)


def follow_the_advice(done: Done) -> None:
    """Runs the command that the last screen names, word for word."""
    found = re.search(r"next: .*?(mv .+), then deploy again", done.err)
    assert found, done
    subprocess.run(["sh", "-c", found[1]], check=True)


@pytest.mark.parametrize(
    ("server", "spoil", "words"),
    [
        ("postgres", control, ("incorrect checksum in control file", "an empty database")),
        ("redis", append_only_file, ("Bad file format", "an empty cache")),
    ],
)
def test_a_server_does_not_start(
    deployed: Platform, server: str, spoil: Callable[[Platform], None], words: tuple[str, ...]
) -> None:
    balance = deployed.balance()
    deployed.run("local", "down").ended(0)
    spoil(deployed)
    done = deployed.run("deploy", "local").refused(4, *words)
    assert re.search(f"{server} (did not start|does not run)", done.err), done
    assert f"cbctl local logs {server}" in done.err and "bring back a copy" in done.err
    assert deployed.run("health", "local").ended(10).out.count("unhealthy") >= 3
    assert words[0] in deployed.run("local", "logs", server).ended(0).out
    follow_the_advice(done)
    result = deployed.deploy()
    assert (result["release"], deployed.balance()) == ("r1", balance)
    deployed.run("health", "local").ended(0)
    assert deployed.deploy()["changes"] == []


def test_the_database_s_folder_tells_another_version_or_none(deployed: Platform) -> None:
    deployed.run("local", "down").ended(0)
    version = deployed.state / "postgres" / "data" / "PG_VERSION"
    before = version.read_bytes()
    for spoil in (version.unlink, lambda: version.write_bytes(b"\xff")):
        spoil()
        for command in (("deploy", "local"), ("deploy", "local", "--plan")):
            done = deployed.run(*command).refused(7, "PG_VERSION is missing or", "mv ")
            assert str(version.parent) in done.err
    version.write_bytes(b"12\n")
    deployed.run("deploy", "local").refused(7, "made by Postgres 12", "install Postgres 12", "mv ")
    version.write_bytes(b"\xff")
    told = deployed.run("health", "local", "--output", "json").ended(10).json
    (postgres,) = (p for p in told["parts"] if p["name"] == "postgres")
    assert "PG_VERSION" in postgres["detail"]
    version.write_bytes(before)
    assert deployed.deploy()["release"] == "r1"
