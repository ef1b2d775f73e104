"""What is done beside the holder of the lock, and what takes no run's place."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import (
    Disk,
    Process,
    crashes,
    deploy,
    job,
    machine,
    planned,
    resume,
)

from cbctl.engine import journal, lock, past, run
from cbctl.engine.job import Job
from cbctl.engine.journal import BESIDE, RUNS
from cbctl.errors import CbctlError, Exit

Steps = Callable[[Systems, Process], Job]


def deployed(systems: Systems, process: Process) -> Job:
    return job(node("a", systems, process), node("b", systems, process, needs=("a",)))


def aside(systems: Systems, process: Process, script: Script | None = None) -> Job:
    return job(node("aside", systems, process, script or Script()))


def refuses(*_: object) -> None:
    raise CbctlError("not now", exit=Exit.FAILED, fix="later")


def cut_off() -> tuple[Disk, Systems, str]:
    """A run that was killed after it changed something."""
    for at in range(1, 1000):
        disk, systems, process = Disk(), Systems(), Process(1, crash_at=at)
        on = machine(disk, process=process)
        assert crashes(lambda on=on, s=systems, p=process: deploy(on, deployed(s, p)))  # type: ignore[misc]
        if any(r.type == "step.outcome" for id in disk.runs() for r in disk.records(id)):
            return disk, systems, disk.runs()[-1]
    raise AssertionError("it never came so far")


def test_beside_a_run_that_holds_the_lock_and_goes_on() -> None:
    disk, systems = Disk(), Systems()
    holder = machine(disk, process=Process(1))
    held = lock.acquire(holder.store, holder.world.clock, holder.world.owner, lock.NO_RUN, "deploy")
    log = journal.Journal(
        holder.store, holder.world.clock, RUNS + "20200101T000000-aaaaaa", held.token
    )
    process = Process(2)
    on = machine(disk, process=process)
    doing = aside(systems, process)
    ended = run.beside(on.world, doing, planned(on, doing))
    assert (ended.result, ended.exit) == ("succeeded", Exit.DONE)
    assert systems.values["aside.0"] == "new"
    (stream,) = on.store.streams(BESIDE)
    records = journal.read(on.store, stream)
    assert [r.type for r in records] == [
        "run.started",
        "step.intent",
        "step.outcome",
        "step.verified",
        "run.ended",
    ]
    assert {r.token for r in records} == {held.token}, "written while that one held the lock"
    held.fence()  # its holder noticed nothing
    log.write("lock.broken", reason="x", who="me", host="here", holder=None)
    again = run.beside(on.world, doing, planned(on, doing))
    assert again.run > ended.run
    first, end = journal.read(on.store, BESIDE + again.run)[0], journal.head(on.store, stream).hash
    assert first.data["parent"] == {"stream": stream, "count": 5, "hash": end}


def test_what_fails_beside_names_no_resume() -> None:
    disk, systems, process = Disk(), Systems(), Process(1)
    on = machine(disk, process=process)
    doing = aside(systems, process, Script(say={"apply": refuses}))
    ended = run.beside(on.world, doing, planned(on, doing))
    assert ended.result == "not undone" and ended.error is not None
    assert ended.error.fix == "later"


def test_it_takes_no_interrupted_runs_place() -> None:
    disk, systems, id = cut_off()
    process = Process(2)
    on = machine(disk, process=process, states={1: "dead"})
    doing = aside(systems, process)
    assert run.beside(on.world, doing, planned(on, doing)).result == "succeeded"
    assert past.open_run(on.store) == id
    assert resume(on, deployed(systems, process), id).result == "succeeded"


def test_a_run_that_changed_nothing_takes_no_place_either() -> None:
    disk, systems, id = cut_off()
    process = Process(2)
    on = machine(disk, process=process, states={1: "dead"})

    ended = deploy(on, aside(systems, process, Script(say={"identify": refuses})))
    assert ended.result == "failed" and not ended.changes
    assert past.open_run(on.store) == id
    assert resume(on, deployed(systems, process), id).result == "succeeded"


def test_a_run_that_leaves_all_as_it_is_takes_no_place() -> None:
    disk, systems, id = cut_off()
    process = Process(2)
    on = machine(disk, process=process, states={1: "dead"})
    doing = aside(systems, process)
    doing.nodes[0].step.replaces_runs = False  # type: ignore[misc]
    assert deploy(on, doing).result == "succeeded"
    assert past.open_run(on.store) == id
    assert resume(on, deployed(systems, process), id).result == "succeeded"


def test_of_runs_that_changed_nothing_the_newest_is_open() -> None:
    disk, systems, process = Disk(), Systems(), Process(1)
    on = machine(disk, process=process)

    for _ in range(2):
        last = deploy(on, aside(systems, process, Script(say={"identify": refuses})))
    assert past.open_run(on.store) == last.run
