"""Several operators and one environment: whole deploys that race, and a lock that is taken away."""

from __future__ import annotations

import signal
import time

import pytest
from tests.e2e.support import Platform, wait_until

AIRDROP = 100_000_000_000  # lamports, as deploy.yaml asks for


def begun(platform: Platform, step: str) -> bool:
    return any(r["type"] == "step.intent" and r["data"]["step"] == step for r in platform.journal())


def all_is_there_once(platform: Platform) -> None:
    platform.remember_secrets()
    assert [r["id"] for r in platform.releases()] == ["r1"]
    assert 0.99 * AIRDROP < platform.balance() <= AIRDROP, "not one airdrop"
    platform.check_journals()
    platform.run("audit", "verify", "--env", "local").ended(0)
    platform.run("health", "local").ended(0)
    assert platform.deploy()["changes"] == []


# The others are part of the nightly run.
@pytest.mark.parametrize(
    ("operators", "apart"),
    [
        (3, 0.0),
        *(
            pytest.param(*race, marks=pytest.mark.nightly)
            for race in ((2, 0.0), (2, 0.5), (4, 0.1), (5, 0.0))
        ),
    ],
)
def test_whole_deploys_that_race(platform: Platform, operators: int, apart: float) -> None:
    running = []
    for _ in range(operators):
        running.append(platform.start("deploy", "local"))
        time.sleep(apart)
    done = [one.end() for one in running]
    codes = sorted(one.exit for one in done)
    assert codes[0] == 0 and set(codes) <= {0, 6, 7}, [str(one) for one in done]
    for one in done:
        if one.exit == 6:
            one.refused(6, "the lock is held by", "cbctl lock break local --reason")
        elif one.exit == 7:
            one.refused(7, "another run changed things after this plan was made")
        else:
            one.ended(0)
        assert "did not end" not in one.err, "a run that goes on was taken for one that was left"
    (run,) = platform.run("runs", "list", "--env", "local", "-o", "json").ended(0).json
    assert run["result"] == "succeeded"
    all_is_there_once(platform)


def test_a_lock_that_is_broken_stops_its_living_holder(platform: Platform) -> None:
    (platform.migrations / "0002_slow.up.sql").write_text("SELECT pg_sleep(8);\n")
    (platform.migrations / "0002_slow.down.sql").write_text("SELECT 1;\n")
    holder = platform.start("deploy", "local")
    wait_until(lambda: begun(platform, "migrate"), "the migration to begin")
    run = platform.runs()[-1]
    broken = platform.run("lock", "break", "local", "--reason", "she left", "--yes", "-o", "json")
    record = platform.runs()[-1]
    assert broken.ended(0).json == {"environment": "local", "run": record}
    before = platform.journal(run)

    holder.end().refused(6, "the lock was lost, so nothing more was changed", "she left", "resume")
    assert platform.journal(run) == before
    platform.remember_secrets()
    assert platform.releases() == [] and "api" not in platform.pids()
    (why,) = platform.journal(record)
    assert (why["type"], why["data"]["reason"]) == ("lock.broken", "she left")
    assert why["data"]["holder"]["run"] == run
    assert "she left" in platform.run("audit", "list", "--env", "local").ended(0).out

    platform.run("resume", "--env", "local").ended(0)
    all_is_there_once(platform)


@pytest.mark.nightly
def test_a_holder_that_stood_still_for_longer_than_its_lease(platform: Platform) -> None:
    """Stopped while it waits for the API, which is slow to start."""
    main = platform.source / "__main__.py"
    future = "from __future__ import annotations\n"
    slow = main.read_text().replace(future, f"{future}import time\ntime.sleep(8)\n")
    main.write_text(slow)
    holder = platform.start("deploy", "local")
    wait_until(lambda: begun(platform, "api"), "the api step")
    time.sleep(1)  # not in the middle of writing this record
    holder.signal(signal.SIGSTOP)
    resumed = platform.run("resume", "--env", "local")
    resumed.ended(0)
    assert "waiting" in resumed.err
    before = {p: p.read_bytes() for p in platform.state.glob("r*/*.ndjson")}
    lock = (platform.state / "lock.json").read_bytes()
    holder.signal(signal.SIGCONT)
    holder.end().refused(6, "the lock was lost, so nothing more was changed", "lock status")
    assert {p: p.read_bytes() for p in platform.state.glob("r*/*.ndjson")} == before
    assert (platform.state / "lock.json").read_bytes() == lock
    all_is_there_once(platform)


@pytest.mark.nightly
@pytest.mark.parametrize("after", [0.0, 0.3, 0.6, 1.0])
def test_a_reset_and_a_deploy_that_race(deployed: Platform, after: float) -> None:
    """Either of them comes first; nothing is left running for a folder that is gone."""
    reset = deployed.start("local", "reset", "--yes")
    time.sleep(after)
    deploy = deployed.start("deploy", "local")
    codes = (reset.end(), deploy.end())
    for done in codes:
        assert done.exit in (0, 6, 7), codes
        done.ended(done.exit)
    deployed.run("deploy", "local").ended(0)
    all_is_there_once(deployed)
