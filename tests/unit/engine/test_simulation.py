"""Seeded schedules: whatever dies wherever, and whoever comes between, the end is the same.

A schedule that fails prints its seed; `killed(seed, …)` or `raced(seed)` replays it exactly.
"""

from __future__ import annotations

import itertools
import random as chance
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import (
    Crash,
    Disk,
    Machine,
    Process,
    crashes,
    deploy,
    job,
    machine,
    resume,
)

from cbctl.engine import journal, lock, release
from cbctl.engine.job import Ended, Job
from cbctl.errors import CbctlError, Exit

BLOCKS, BLOCK = 6, 50


def seeds(block: int) -> range:
    return range(block * BLOCK, (block + 1) * BLOCK)


@dataclass(frozen=True)
class Scenario:
    """Steps with what they come after. fatal: one of them always fails, and the run is undone."""

    scripts: tuple[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]], ...]
    fatal: bool

    def job(self, systems: Systems, process: Process) -> Job:
        nodes = [
            node(id, systems, process, Script(**script), needs=needs, refers=refers)
            for id, script, needs, refers in self.scripts
        ]
        return job(*nodes, undo=self.fatal, release=[n.id for n in nodes])


def scenario(seeded: chance.Random, fatal: bool = False) -> Scenario:
    ids = [f"s{i}" for i in range(seeded.randint(2, 5))]
    scripts = []
    for i, id in enumerate(ids):
        script: dict[str, Any] = {
            "kind": seeded.choice(["visible", "visible", "identified", "message"]),
            "parts": seeded.randint(1, 3),
            "seconds": seeded.choice([0.0, 0.0, 0.3]),
        }
        if fatal:
            script["kind"] = seeded.choice(["visible", "identified"])  # a message has no way back
            if id == ids[-1]:
                script["fails"] = 1_000_000
        before = [b for b in ids[:i] if seeded.random() < 0.4]
        refers = tuple(b for b in before if seeded.random() < 0.5)
        scripts.append((id, script, tuple(b for b in before if b not in refers), refers))
    if fatal:  # it fails when all the others are there
        last, script, _, _ = scripts[-1]
        scripts[-1] = (last, script, tuple(ids[:-1]), ())
    return Scenario(tuple(scripts), fatal)


def each(seeds: Iterable[int], schedule: Callable[[int], None]) -> None:
    for seed in seeds:
        try:
            schedule(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


def go_on(on: Machine, job: Job) -> Ended | None:
    """What an operator does who finds an environment as a crash left it."""
    runs = on.disk.runs()
    if runs:
        last = on.disk.records(runs[-1])[-1]
        if last.type != "run.ended" or last.data["result"] not in ("succeeded", "undone"):
            return resume(on, job)
        if last.data["result"] == "undone":
            return None
    return deploy(on, job)


def until_done(
    disk: Disk, systems: Systems, made: Scenario, seed: int, dead: int, crash_at: Callable[[], int]
) -> Ended | None:
    """New processes, one after the other, until one is not killed."""
    for pid in range(dead + 1, dead + 12):
        process = Process(pid, crash_at=crash_at())
        on = machine(
            disk, seed, process=process, states=dict.fromkeys(range(pid), "dead"), jumps=True
        )
        with suppress(Crash):
            return go_on(on, made.job(systems, process))
    raise AssertionError("every process was killed")


def check(disk: Disk, systems: Systems, unbroken: tuple[Disk, Systems], made: Scenario) -> None:
    other_disk, other = unbroken
    assert systems.end == other.end
    doubled = [k for k, n in Counter((s, v) for s, _, v in systems.sent).items() if n > 1]
    assert not doubled, f"effects that were made twice: {doubled}"
    told, told_once = dict.fromkeys(s for _, s in systems.told), [s for _, s in other.told]
    assert set(told) == set(told_once)
    tokens = [token for token, _ in systems.changed]
    assert tokens == sorted(tokens), "an effect of somebody who had lost the lock"
    appended = [token for token, _ in disk.token_log]
    assert appended == sorted(appended), "a record of somebody who had lost the lock"
    for run in disk.runs():
        assert disk.records(run)
    on = machine(disk, process=Process(99))
    parts = [r.parts for r in release.history(on.store)]
    assert parts == [r.parts for r in release.history(machine(other_disk).store)]


def ends(disk: Disk) -> list[tuple[str, set[tuple[str, str]]]]:
    """Result and changes of the runs that came to an end."""
    found = []
    for run in disk.runs():
        last = disk.records(run)[-1]
        if last.type == "run.ended" and last.data["changes"]:
            changes = {(c["step"], c["what"]) for c in last.data["changes"]}
            found.append((str(last.data["result"]), changes))
    return found


def unbroken(made: Scenario, seed: int) -> tuple[Disk, Systems, int]:
    disk, systems, process = Disk(), Systems(), Process()
    ended = deploy(machine(disk, seed, process=process), made.job(systems, process))
    assert ended.exit is (Exit.UNDONE if made.fatal else Exit.DONE), ended
    return disk, systems, process.points


def killed(seed: int, fatal: bool) -> None:
    """Killed at any call, once or several times, and gone on with."""
    seeded = chance.Random(seed)
    made = scenario(seeded, fatal)
    disk_of, systems_of, points = unbroken(made, seed)
    disk, systems = Disk(), Systems()
    process = Process(1, crash_at=seeded.randint(1, points))
    on = machine(disk, seed, process=process, jumps=True)
    crashes(lambda: deploy(on, made.job(systems, process)))

    def again() -> int:
        return seeded.randint(1, points) if seeded.random() < 0.4 else 0

    until_done(disk, systems, made, seed, 1, again)
    check(disk, systems, (disk_of, systems_of), made)
    assert ends(disk) == ends(disk_of)
    if not fatal:
        last = Process(50)
        ended = deploy(machine(disk, seed, process=last), made.job(systems, last))
        assert ended.result == "unchanged"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_killed_at_any_call_and_resumed(block: int) -> None:
    each(seeds(block), lambda seed: killed(seed, fatal=False))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_killed_at_any_call_of_a_run_that_is_undone(block: int) -> None:
    each(seeds(block), lambda seed: killed(seed, fatal=True))


def raced(seed: int) -> None:
    """A second operator, who takes the lock at any call of the first, and ends before that one
    goes on; either of them may be killed as well."""
    seeded = chance.Random(seed)
    made = scenario(seeded)
    disk_of, systems_of, points = unbroken(made, seed)
    disk, systems = Disk(), Systems()
    second = Process(2, crash_at=seeded.randint(1, points) if seeded.random() < 0.3 else 0)
    breaks, outcome = seeded.random() < 0.5, []

    def intrude() -> None:
        on = machine(disk, seed, process=second, states={1: "unknown"}, jumps=True)

        def act() -> None:
            if breaks:
                lock.break_lock(on.store, on.world.clock, on.world.owner, "b", "gone").release()
            outcome.append(go_on(on, made.job(systems, second)))

        try:
            crashes(act)
        except CbctlError as refused:
            assert refused.exit in (Exit.LOCKED, Exit.REFUSED, Exit.USAGE), refused

    first = Process(1, intrude_at=seeded.randint(1, points), intrude=intrude)
    if seeded.random() < 0.3:
        first.crash_at = seeded.randint(first.intrude_at, points)
    on = machine(disk, seed, process=first, states={2: "dead"}, jumps=True)
    try:
        crashes(lambda: deploy(on, made.job(systems, first)))
    except CbctlError as refused:
        assert refused.exit in (Exit.LOCKED, Exit.REFUSED), refused
    until_done(disk, systems, made, seed, 2, lambda: 0)
    check(disk, systems, (disk_of, systems_of), made)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_second_operator_comes_between(block: int) -> None:
    each(seeds(block), raced)


def failing(seed: int) -> None:
    """Calls of the store, of the executor or of a step raise, before or after their effect (a full
    disk, a lost answer); the engine must not die of it, and the next one goes on."""
    seeded = chance.Random(seed)
    made = scenario(seeded)
    disk_of, systems_of, points = unbroken(made, seed)
    disk, systems = Disk(), Systems()
    faults = {seeded.randint(1, points): OSError(5, "Input/output error") for _ in range(2)}
    process = Process(1, faults=dict(faults))
    on = machine(disk, seed, process=process, jumps=True)
    try:
        ended = deploy(on, made.job(systems, process))
        assert on.told("run.ended")[-1]["exit"] == ended.exit
        assert ended.exit in (Exit.DONE, Exit.FAILED, Exit.NOT_UNDONE)
    except (CbctlError, OSError):
        assert not systems.changed, "it changed something and then died"
    until_done(disk, systems, made, seed, 1, lambda: 0)
    check(disk, systems, (disk_of, systems_of), made)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_calls_that_fail(block: int) -> None:
    each(seeds(block), failing)


def test_a_schedule_replays_exactly() -> None:
    def lines() -> dict[str, list[bytes]]:
        seeded = chance.Random(7)
        made, disk, systems = scenario(seeded), Disk(), Systems()
        process = Process(1, crash_at=40)
        on = machine(disk, 7, process=process, jumps=True)
        assert crashes(lambda: deploy(on, made.job(systems, process)))
        until_done(disk, systems, made, 7, 1, lambda: 0)
        return disk.streams

    assert lines() == lines()


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
