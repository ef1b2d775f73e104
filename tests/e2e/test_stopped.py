"""Runs that are stopped, killed or left by their terminal, and how they go on."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.end_state import End
from tests.e2e.support import PATIENCE, Platform, Running, wait_until
from tests.testbed.terminal import Session
from tests.unit.render.support import Tty

SLOW = "CREATE TABLE slow (id bigint PRIMARY KEY);\nSELECT pg_sleep(2);\n"

Journal = list[dict[str, Any]]


@pytest.fixture(scope="module")
def slow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unbroken")


def add_slow_migration(platform: Platform) -> None:
    """The second migration takes two seconds."""
    (platform.migrations / "0002_slow.up.sql").write_text(SLOW)
    (platform.migrations / "0002_slow.down.sql").write_text("DROP TABLE slow;\n")
    path = platform.source / "schema.json"
    path.write_text(path.read_text().replace('"max": 1', '"max": 2'))


@pytest.fixture(scope="module")
def unbroken(slow_home: Path) -> End:
    platform = Platform.make(slow_home)
    try:
        add_slow_migration(platform)
        platform.deploy()
        return End.of(platform)
    finally:
        platform.end()


@pytest.fixture
def fresh(platform: Platform) -> Platform:
    add_slow_migration(platform)
    return platform


def ids(journal: Journal, type: str) -> set[str]:
    return {r["data"]["step"] for r in journal if r["type"] == type}


def started(journal: Journal, step: str) -> bool:
    return step in ids(journal, "step.intent") - ids(journal, "step.outcome")


def first_intent(platform: Platform) -> bool:
    return bool(ids(platform.journal(), "step.intent"))


def in_postgres(platform: Platform) -> bool:
    return started(platform.journal(), "postgres") and any(
        (platform.state / "postgres").rglob("PG_VERSION")
    )


def program_writes(platform: Platform) -> bool:
    ledger = platform.state / "chain" / "ledger"
    size = sum(p.stat().st_size for p in ledger.rglob("*") if p.is_file())
    size = size or (ledger.stat().st_size if ledger.is_file() else 0)
    return started(platform.journal(), "program") and size > 6_000


def in_migrate(platform: Platform) -> bool:
    return started(platform.journal(), "migrate") and (
        platform.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(2)%' AND pid <>"
                     " pg_backend_pid()") != []
    )  # fmt: skip


def before_release(platform: Platform) -> bool:
    return "api" in ids(platform.journal(), "step.outcome")


POINTS: dict[str, Callable[[Platform], bool]] = {
    "first-intent": first_intent,
    "in-postgres": in_postgres,
    "program-writes": program_writes,
    "in-migrate": in_migrate,
    "before-release": before_release,
}


def reach(platform: Platform, running: Running, point: Callable[[Platform], bool]) -> None:
    """Returns at the point; as fast as the journal can be read."""
    until = time.monotonic() + PATIENCE
    while not point(platform):
        assert running.process.poll() is None, running.end()
        assert time.monotonic() < until


# The kills of `make test` are in test_killed.py; here they come from outside, at any moment.
@pytest.mark.nightly
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_resumed(fresh: Platform, unbroken: End, point: str) -> None:
    running = fresh.start("deploy", "local")
    reach(fresh, running, POINTS[point])
    running.kill()
    fresh.remember_secrets()
    journal = fresh.journal()
    assert journal[-1]["type"] != "run.ended", "the run was over before it could be killed"
    (run,) = fresh.run("runs", "list", "--env", "local", "-o", "json").ended(0).json
    assert run["result"] == "interrupted"
    fresh.run("runs", "show", run["run"], "--env", "local").ended(0)

    resumed = fresh.run("resume", "--env", "local", "--output", "json").ended(0).json
    assert (resumed["run"], resumed["result"], resumed["release"]) == (
        run["run"],
        "succeeded",
        "r1",
    )
    unbroken.require(End.of(fresh))
    fresh.check_journals()
    fresh.run("runs", "show", run["run"], "--env", "local").ended(0)
    fresh.run("resume", "--env", "local").refused(64, "no interrupted run")
    assert fresh.deploy()["changes"] == []
    fresh.run("health", "local").ended(0)


@pytest.mark.nightly
@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
def test_killed_again_and_again(fresh: Platform, unbroken: End, seconds: float) -> None:
    """The resumed run is killed as well, each time a little later."""
    running = fresh.start("deploy", "local")
    for attempt in range(20):
        try:
            running.process.wait(seconds * (1 + attempt / 4))
            break
        except subprocess.TimeoutExpired:
            running.kill()
            again = "resume" if fresh.journal() else "deploy"
            running = fresh.start(again, "--env", "local") if again == "resume" else fresh.start(
                "deploy", "local"
            )  # fmt: skip
    assert running.end().exit in (0, 64)
    fresh.deploy()
    unbroken.require(End.of(fresh))
    fresh.check_journals()


def test_a_deploy_instead_of_a_resume_ends_the_same(fresh: Platform, unbroken: End) -> None:
    running = fresh.start("deploy", "local")
    reach(fresh, running, program_writes)
    running.kill()
    fresh.deploy()
    unbroken.require(End.of(fresh))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)]
)
def test_stopped_once(fresh: Platform, unbroken: End, number: signal.Signals) -> None:
    running = fresh.start("deploy", "local")
    reach(fresh, running, in_migrate)
    running.signal(number)
    done = running.end().refused(8, number.name, "cbctl resume")
    last = fresh.journal()[-1]
    assert (last["type"], last["data"]["result"]) == ("run.ended", "cancelled")
    assert "stopping at the next safe point" in done.err
    fresh.remember_secrets()
    fresh.run("lock", "status", "local").ended(0)
    assert fresh.releases() == []
    _pasted(fresh, done.err)
    unbroken.require(End.of(fresh))


def _pasted(platform: Platform, told: str) -> None:
    """Runs the command that the message names, word for word."""
    line = next(line for line in told.splitlines() if line.startswith("next:"))
    command = line.removeprefix("next:").split()
    assert command[:2] == ["cbctl", "resume"], line
    platform.run(*command[1:]).ended(0)


def test_stopped_twice(fresh: Platform, unbroken: End) -> None:
    running = fresh.start("deploy", "local")
    reach(fresh, running, in_migrate)
    running.signal(signal.SIGINT)
    wait_until(lambda: _told(running), "the answer to the first Ctrl-C")
    running.signal(signal.SIGINT)
    assert running.end().exit == 8
    assert fresh.journal()[-1]["type"] != "run.ended"
    fresh.run("resume", "--env", "local").ended(0)
    unbroken.require(End.of(fresh))


def _told(running: Running) -> bool:
    stderr = running.process.stderr
    assert stderr is not None
    line = stderr.readline()
    assert line, "it ended"
    return "stopping at the next safe point" in line


def test_a_hangup_does_not_stop_it(fresh: Platform) -> None:
    running = fresh.start("deploy", "local")
    reach(fresh, running, in_migrate)
    running.signal(signal.SIGHUP)
    running.end().ended(0)
    assert fresh.journal()[-1]["data"]["result"] == "succeeded"


def test_the_terminal_goes_away_and_another_one_takes_over(platform: Platform) -> None:
    """A real terminal, closed in the middle: the run goes on, and is seen from a second one."""
    first = _on_a_terminal(platform, "deploy", "local")
    first.read("redis")

    def turn() -> bool:
        first.drain()
        return "program" in ids(platform.journal(), "step.intent")

    wait_until(turn, "the program's turn")
    first.hang_up()
    second = _on_a_terminal(platform, "runs", "attach", "--env", "local")
    third = platform.start("runs", "attach", "--env", "local", "--events", "ndjson")
    written = second.read()
    assert (second.wait(), first.wait()) == (0, 0)
    platform.remember_secrets()
    platform.transcript.append(written)
    tty = Tty()
    tty.feed(written)
    shown = "\n".join(tty.seen)
    run = platform.run("runs", "list", "--env", "local", "-o", "json").ended(0).json[-1]["run"]
    assert platform.journal()[-1]["data"]["result"] == "succeeded"
    assert "deploy succeeded" in shown and "release  r1" in shown and run in shown
    told = third.end().ended(0).events
    assert [e["type"] for e in told[:1] + told[-1:]] == ["plan.started", "run.ended"]
    assert told[-1]["data"]["release"] == "r1"
    again = platform.run("runs", "attach", run, "--env", "local", "-o", "json").ended(0)
    assert again.json == told[-1]["data"]
    log = (platform.state / "logs" / "runs" / f"{run}.log").read_text()
    assert "program: done in " in log and "verify: already right" in log
    assert "\ndeploy succeeded in " in log and "\x1b" not in log
    assert platform.deploy()["changes"] == []
    assert len(list((platform.state / "logs" / "runs").iterdir())) == 2, "no run, no log"


def _on_a_terminal(platform: Platform, *command: str) -> Session:
    return Session([*platform.launcher, *command], platform.environment(), folder=platform.folder)
