"""A deploy of a whole platform that is killed, raced, stopped and cut off."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from typing import Any

import pytest
from tests.integration.kubernetes.line import Line
from tests.integration.kubernetes.shop import Shop

STEPS = ("migrate", "program", "initialize", "rollout", "soak")
"""Those that have something to do; the others only look."""


class Going:
    """cbctl at work, seen by its events; gone with the block."""

    def __init__(self, shop: Shop, line: str) -> None:
        self.process = shop.started(f"{line} --yes --events ndjson")
        assert self.process.stdout is not None
        self._lines = self.process.stdout
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Going:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._lines.close()
        self.process.wait()

    def until_it_begins(self, step: str) -> None:
        for line in self._lines:
            self.events.append(event := json.loads(line))
            if event["type"] == "step.started" and event["data"]["step"] == step:
                return
        raise AssertionError(f"{step} never began: {self.events[-1]}")

    def ends(self, *codes: int) -> int:
        """With one of these exit codes."""
        self.events += [json.loads(line) for line in self._lines]
        code = self.process.wait()
        assert code in codes, json.dumps(self.events[-1]["data"]["error"], indent=2)
        return code


def deploying(shop: Shop) -> Going:
    return Going(shop, f"deploy --image {shop.image}")


@pytest.mark.nightly
def test_killed_in_every_step_and_resumed_on_another_machine(shop: Shop) -> None:
    """One deploy, killed again in each of its steps, each time resumed with no state of its own."""
    shop.record()
    shop.greets("hello", 3)
    line = f"deploy --image {shop.image}"
    for number, step in enumerate(STEPS):
        with Going(shop, line) as going:
            going.until_it_begins(step)
        shop.variables["CBCTL_STATE_DIR"] = str(shop.folder / f"machine-{number}")
        line = "resume"
    with Going(shop, line) as going:
        going.ends(0)
    (release,) = shop.releases()
    assert release["state"] == "healthy"
    with shop.parts.postgres.connect(shop.name) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (0,)
    assert shop.json("program buffers list")["buffers"] == []
    assert shop.deploy()["result"] == "unchanged"
    shop.run("audit verify")


@pytest.mark.nightly
def test_deploys_that_race(shop: Shop) -> None:
    """One of them deploys; the others say who does, and change nothing."""
    shop.record()
    shop.deploy()
    shop.greets("raced", 3)
    with ExitStack() as stack:
        racers = [stack.enter_context(deploying(shop)) for _ in range(5)]
        codes = [one.ends(0, 6) for one in racers]
        assert 0 in codes, codes
    assert [one["state"] for one in shop.releases()] == ["healthy", "healthy"]
    assert shop.greeting() == "raced"
    assert shop.json("lock status")["held"] is False
    shop.run("audit verify")


def test_a_deploy_that_stood_still_while_it_was_taken_back(shop: Shop) -> None:
    """Whoever takes over goes back; the one that wakes up changes nothing more."""
    shop.record()
    first = shop.deploy()["release"]
    shop.greets("paused", 8)
    with deploying(shop) as going:
        going.until_it_begins("rollout")
        while shop.greeting() != "paused":  # as soon as it has changed something
            time.sleep(0.1)
        going.process.send_signal(signal.SIGSTOP)
        told = shop.process("rollback --emergency --confirm testing")
        assert told.returncode == 0, told.stderr
        assert first in told.stderr.splitlines()[0]
        assert "took the lock from" in told.stderr
        assert shop.greeting() == "hello"
        before = shop.get("deployment", "app")["metadata"]["generation"]
        going.process.send_signal(signal.SIGCONT)
        going.ends(6)
    assert shop.get("deployment", "app")["metadata"]["generation"] == before
    assert shop.greeting() == "hello"
    assert {one["state"] for one in shop.releases()} == {"healthy"}
    shop.run("audit verify")


@pytest.mark.nightly
@pytest.mark.parametrize("step", ["rollout", "soak"])
def test_the_api_server_restarts_in_the_middle(shop: Shop, step: str) -> None:
    shop.record()
    shop.soak["seconds"] = 15
    shop.whole()
    shop.greets("hello", 5)
    with deploying(shop) as going:
        going.until_it_begins(step)
        time.sleep(1)
        shop.cluster.node.kill("apiserver")
        time.sleep(3)
        shop.cluster.node.api_server()
        going.ends(0)
    assert [one["state"] for one in shop.releases()] == ["healthy"]
    shop.run("audit verify")


@pytest.mark.nightly
def test_the_line_to_the_cluster_is_cut_for_a_moment(shop: Shop) -> None:
    line = Line(shop)
    shop.record()
    shop.greets("hello", 8)
    with deploying(shop) as going:
        going.until_it_begins("rollout")
        time.sleep(1)
        line.cut()
        time.sleep(8)
        line.mend()
        going.ends(0)
    assert [one["state"] for one in shop.releases()] == ["healthy"]


@pytest.mark.nightly
def test_the_line_to_the_cluster_is_cut_for_good(shop: Shop) -> None:
    """What it had begun goes on without it; another machine ends the run."""
    line = Line(shop)
    shop.record()
    shop.greets("hello", 8)
    with deploying(shop) as going:
        going.until_it_begins("rollout")
        time.sleep(1)
        line.cut()
        going.ends(5)
    del shop.variables["KUBECONFIG"]
    shop.variables["CBCTL_STATE_DIR"] = str(shop.folder / "another-machine")
    ended = shop.json("resume --yes")
    assert ended["result"] == "succeeded", ended
    assert [one["state"] for one in shop.releases()] == ["healthy"]
    shop.run("audit verify")
