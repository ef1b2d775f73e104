"""Thousands of seeded schedules, and that they are what they say: varied, and replayed exactly."""

from __future__ import annotations

import itertools
import os
import random as chance
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.engine.baton import Baton
from tests.unit.engine.schedules import SCHEDULES, each
from tests.unit.engine.steps import Systems, node
from tests.unit.engine.world import Disk, Process, deploy, job, machine

from cbctl.engine import journal
from cbctl.errors import Exit

BLOCK = 50
SAMPLE = {"killed": 4, "killed_and_undone": 4, "failing": 4, "crowded": 8}
FULL = {"killed": 40, "killed_and_undone": 30, "failing": 30, "crowded": 160}
"""Blocks of each kind in `make test` (1,000 schedules) and in `make nightly` (13,000)."""


def blocks() -> Iterator[object]:
    for name in SCHEDULES:
        for block in range(FULL[name]):
            marks = () if block < SAMPLE[name] else (pytest.mark.nightly,)
            yield pytest.param(name, block, marks=marks)


@pytest.mark.parametrize(("name", "block"), list(blocks()))
def test_schedules(name: str, block: int) -> None:
    each(name, range(block * BLOCK, (block + 1) * BLOCK))


def test_a_schedule_replays_exactly() -> None:
    """By the command that a failure names, in processes whose sets have another order."""

    def replayed(hashes: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "tests.unit.engine.schedules", "crowded", "583"],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    first = replayed("1")
    assert first.count("\n") > 50 and first == replayed("2")


def test_a_failure_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(seed: int, tell: object) -> None:
        assert seed != 3

    monkeypatch.setitem(SCHEDULES, "killed", fails)
    with pytest.raises(AssertionError) as failed:
        each("killed", range(5))
    assert failed.value.__notes__ == ["replay it: python -m tests.unit.engine.schedules killed 3"]


def test_crowds_meet_everything() -> None:
    """What never happens in a simulation is not tested by it."""
    lines: list[str] = []
    for seed in range(60):
        SCHEDULES["crowded"](seed, lines.append)
    told = "\n".join(lines)
    for word in (
        *("is killed", "is stopped", "nobody is there", "Input/output error", "SIGINT"),
        *("the lock is held by", "ends: succeeded", "ends: failed", "ends: not undone"),
        *("ends: undone", "ends: refused", "ends: cancelled", "ends: unchanged", "ends: waiting"),
        *('"type":"run.resumed"', '"type":"step.undone"', '"id":"r2"', "broke after its effect"),
    ):
        assert word in told, f"not once in 60 schedules: {word}"
    assert taken(lines) > 5, "no lock was taken from a silent holder"


def taken(lines: list[str]) -> int:
    """Locks that changed hands while they were held, and were not broken."""
    locks = [line.split(" ", 6) for line in lines if line.startswith("lock ")]
    return sum(
        before[4] == "True" and before[1] != now[1] and now[6] != "nobody is there"
        for before, now in itertools.pairwise(locks)
    )


def test_threads_that_wait_for_each_other_fail() -> None:
    baton = Baton(chance.Random(0), 1.0, 0.0)
    baton.spawn(Operation(), lambda: baton.until(lambda: False))
    with pytest.raises(AssertionError, match="all threads wait for each other"):
        baton.run()


class Operation:
    stopped_until = 0.0


def test_the_chain_of_runs_names_each_parent() -> None:
    """A run that was removed leaves a gap that is found."""
    disk, systems = Disk(), Systems()
    for number in range(3):
        process = Process(number + 1)
        made = job(node("a", systems, process, value=str(number)))
        assert deploy(machine(disk, process=process), made).exit is Exit.DONE
    runs = disk.runs()
    for before, run in itertools.pairwise(runs):
        parent = disk.records(run)[0].data["parent"]
        end = journal.head(machine(disk).store, journal.RUNS + before)
        assert parent == {"stream": end.stream, "count": end.count, "hash": end.hash}
