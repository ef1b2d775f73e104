"""The wall clock of the machine is wrong, and jumps: the order of runs, the lock, the releases and
the audit do not depend on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.rigged import Rigged
from tests.e2e.support import wait_until
from tests.e2e.test_change_and_back import change_api

DAY = 86_400


@pytest.mark.nightly
def test_the_clock_goes_back_from_run_to_run(tmp_path: Path) -> None:
    platform = Rigged.make(tmp_path)
    try:
        _from_run_to_run(platform)
    finally:
        platform.end()


def _from_run_to_run(platform: Rigged) -> None:
    platform.dies("after:step.outcome:postgres", "deploy", "local")
    with platform.at(f"clock:{-DAY}"):  # yesterday somebody goes on with what began today
        assert platform.run("resume", "local", "-o", "json").ended(0).json["release"] == "r1"
        assert platform.deploy()["changes"] == []
    change_api(platform, "2.0.0")
    with platform.at(f"clock:{-2 * DAY}"):
        running = platform.start("deploy", "local")
    wait_until(lambda: len(list((platform.state / "runs").glob("*.ndjson"))) == 2, "the second run")
    # Its lease is judged by nobody's wall clock.
    with platform.at(f"clock:{DAY}"):
        assert platform.run("deploy", "local").exit in (0, 6, 7)
    running.end().ended(0)
    platform.run("rollback", "local").ended(0)

    runs = platform.run("runs", "list", "--env", "local", "-o", "json").ended(0).json
    assert [r["kind"] for r in runs] == ["deploy", "deploy", "rollback"]
    ids = [r["run"] for r in runs]
    assert ids == sorted(ids)
    releases = platform.releases()
    assert [(r["id"], r["state"]) for r in releases] == [
        ("r1", "healthy"),
        ("r2", "bad"),
        ("r3", "healthy"),
    ]
    assert [r["run"] for r in releases] == ids
    platform.check_journals()
    for wrong in (0, -3 * DAY):
        with platform.at(f"clock:{wrong}"):
            for id in ids:
                assert "succeeded" in platform.run("why", id, "--env", "local").ended(0).out
            platform.run("audit", "verify", "--env", "local").ended(0)
            platform.run("health", "local").ended(0)
