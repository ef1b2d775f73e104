"""A run that was cut off goes on as the same run: what it did counts and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import (
    Disk,
    Machine,
    Process,
    crashes,
    deploy,
    held_by,
    job,
    machine,
    planned,
    resume,
)

from cbctl.engine import lock, past, release, run
from cbctl.engine.job import Job
from cbctl.engine.step import After, Change, Changes
from cbctl.errors import CbctlError, Exit

Steps = Callable[[Systems, Process], Job]


def two(**second: Any) -> Steps:
    """`a`, then `b`, whose script is given."""

    def made(systems: Systems, process: Process) -> Job:
        return job(
            node("a", systems, process),
            node("b", systems, process, Script(**second), refers=("a",)),
            release=["a", "b"],
            undo=second.get("lies", 0) > 1 or second.get("fails", 0) > 1,
        )

    return made


def cut_after(type: str, steps: Steps, nth: int = 1) -> tuple[Disk, Systems]:
    """A run killed as soon as its n-th record of this type is on the disk."""
    for at in range(1, 1000):
        disk, systems, process = Disk(), Systems(), Process(1, crash_at=at)
        on = machine(disk, process=process)
        assert crashes(lambda on=on, s=systems, p=process: deploy(on, steps(s, p))), (  # type: ignore[misc]
            f"the run never wrote {type}"
        )
        found = [
            line for s in disk.streams.values() for line in s if f'"type":"{type}"' in line.decode()
        ]
        if len(found) == nth:
            return disk, systems
    raise AssertionError(type)


def again(disk: Disk, pid: int = 2) -> tuple[Machine, Process]:
    process = Process(pid)
    return machine(disk, pid, process=process, states=dict.fromkeys(range(pid), "dead")), process


def changes(ended: Any) -> list[tuple[str, str]]:
    return [(c["step"], c["what"]) for c in ended.changes]


@pytest.mark.parametrize(
    "type", ["step.intent", "step.outcome", "step.verified", "release.recorded"]
)
def test_a_resumed_run_reports_all_its_changes(type: str) -> None:
    disk, systems = cut_after(type, two(parts=2))
    on, process = again(disk)
    ended = resume(on, two(parts=2)(systems, process))
    assert (ended.result, ended.release) == ("succeeded", "r1")
    assert changes(ended) == [("a", "part 0"), ("b", "part 0"), ("b", "part 1")]
    assert disk.records(ended.run)[-1].data["changes"] == ended.changes
    done = {e["step"]: e["changed"] for e in on.told("step.done")}
    assert done == {"a": True, "b": True}
    assert len(release.history(on.store)) == 1


def test_killed_between_the_history_and_the_run_s_record() -> None:
    """The first release.recorded on the disk is that of the history; the run does not know yet."""
    disk, systems = cut_after("release.recorded", two())
    id = disk.runs()[0]
    assert "release.recorded" not in disk.types(id)
    on, process = again(disk)
    assert resume(on, two()(systems, process)).release == "r1"
    assert disk.types(id).count("release.recorded") == 1
    assert len(disk.streams["releases/history"]) == 1


def test_killed_after_the_release_but_before_the_end() -> None:
    disk, systems = cut_after("release.recorded", two(), nth=2)
    on, process = again(disk)
    ended = resume(on, two()(systems, process))
    assert (ended.result, ended.release) == ("succeeded", "r1")
    assert disk.types(ended.run).count("release.recorded") == 1


@pytest.mark.parametrize("nth", [2, 3])
def test_a_rollback_killed_at_its_release_still_marks_the_bad_one(nth: int) -> None:
    disk, systems, process = Disk(), Systems(), Process(1)
    first = job(node("a", systems, process, value="bad"), release=["a"])
    deploy(machine(disk, process=process), first)

    def back(on: Process) -> Job:
        return job(node("a", systems, on, value="good"), release=["a"], replaces="r1")

    for at in range(1, 1000):
        process = Process(2, crash_at=at)
        copy = Disk(dict(disk.streams), {}, disk.lock)
        systems.values = {"a.0": "bad"}
        crashes(lambda p=process, c=copy: deploy(machine(c, process=p), back(p)))  # type: ignore[misc]
        lines = [x for s in copy.streams.values() for x in s if b'"release.recorded"' in x]
        if len(lines) == nth + 1:
            break
    on, process = again(copy, 3)
    if copy.types(copy.runs()[-1])[-1] != "run.ended":
        assert resume(on, back(process)).release == "r2"
    states = {r.id: r.state for r in release.history(on.store)}
    assert states == {"r1": "bad", "r2": "healthy"}


def test_undo_after_resume_covers_what_the_first_part_applied() -> None:
    disk, systems = cut_after("step.verified", two(lies=99))
    systems.values["z"] = "not ours"
    on, process = again(disk)
    ended = resume(on, two(lies=99)(systems, process))
    assert (ended.result, ended.exit) == ("undone", Exit.UNDONE)
    assert systems.values == {"z": "not ours"}
    assert [e["step"] for e in on.told("step.undone")] == ["b", "a"]


def test_undo_brings_back_what_was_before_the_first_try() -> None:
    """Not what the resumed run found half done."""
    steps = two(parts=3, lies=99)
    for at in range(1, 1000):
        disk, systems, process = Disk(), Systems(), Process(1, crash_at=at)
        systems.values = {f"b.{i}": "old" for i in range(3)}
        assert crashes(
            lambda d=disk, s=systems, p=process: deploy(machine(d, process=p), steps(s, p))  # type: ignore[misc]
        )
        if systems.values.get("b.1") == "new+new":
            break
    on, process = again(disk)
    assert resume(on, steps(systems, process)).result == "undone"
    assert systems.values == {f"b.{i}": "old" for i in range(3)}


@pytest.mark.parametrize(
    ("type", "nth"), [("run.undoing", 1), ("step.undone", 1), ("step.undone", 2)]
)
def test_a_run_killed_while_it_is_undone_goes_on_being_undone(type: str, nth: int) -> None:
    disk, systems = cut_after(type, two(lies=2), nth)
    on, process = again(disk)
    ended = resume(on, two(lies=2)(systems, process))
    assert (ended.result, ended.exit) == ("undone", Exit.UNDONE)
    assert systems.values == {}
    assert sorted(changes(ended)) == [("a", "part 0"), ("b", "part 0")]
    assert ended.error is not None and ended.error.what == "it is not there"
    assert systems.tries["b", "apply"] == 1, "it went forward instead"


def test_what_was_undone_is_begun_anew_with_a_new_identity() -> None:
    """Else the new try would find the effect that was taken back, and believe it is there."""

    def steps(systems: Systems, process: Process) -> Job:
        return job(
            node("a", systems, process, Script(back=False)),
            node("b", systems, process, Script(kind="identified", lies=1), needs=("a",)),
            undo=True,
        )

    disk, systems, process = Disk(), Systems(), Process(1)
    ended = deploy(machine(disk, process=process), steps(systems, process))
    assert ended.result == "not undone" and systems.sent == []
    first = [r.data["identity"] for r in disk.records(ended.run) if r.type == "step.intent"][-1]
    on, process = again(disk)
    assert resume(on, steps(systems, process)).result == "succeeded"
    assert [identity for _, identity, _ in systems.sent] != [first]
    assert len(systems.sent) == 1


def test_a_failed_run_goes_on_from_the_failure() -> None:
    disk, systems, process = Disk(), Systems(), Process(1)

    def steps(process: Process) -> Job:
        return job(
            node("a", systems, process),
            node("b", systems, process, Script(kind="identified", breaks=1), needs=("a",)),
        )

    assert deploy(machine(disk, process=process), steps(process)).exit is Exit.NOT_UNDONE
    on, process = again(disk)
    ended = resume(on, steps(process))
    assert ended.result == "succeeded" and len(systems.sent) == 1
    assert systems.tries["a", "apply"] == 1
    assert changes(ended) == [("a", "part 0"), ("b", "part 0")]


def test_more_to_change_than_before_is_journalled_before_it_is_done() -> None:
    disk, systems = cut_after("step.intent", two(parts=1))
    on, process = again(disk)

    def more(_: Any, inputs: Any) -> Changes:
        return Changes((Change("part 0", None, "new"), Change("fee", None, 5)))

    made = job(node("a", systems, process, Script(say={"plan": more})), node("b", systems, process))
    ended = resume(on, made)
    intents = [r.data for r in disk.records(ended.run) if r.type == "step.intent"]
    of_a = [i for i in intents if i["step"] == "a"]
    assert [[c["what"] for c in i["changes"]] for i in of_a] == [["part 0"], ["fee"]]
    assert len({str(i["identity"]) for i in of_a}) == 1
    assert ("a", "fee") in changes(ended)


@pytest.mark.parametrize("now", [Changes((Change("x"), Change("y"))), After(("a",), ())])
def test_a_step_not_begun_may_not_change_more_than_was_agreed_to(now: Any) -> None:
    """Also when its new plan cannot say what it will change."""
    disk, systems = cut_after("run.started", two())
    shown = iter([now, Changes((Change("x"), Change("y")))])
    on, process = again(disk)
    script = Script(say={"plan": lambda _, inputs: next(shown)})
    made = job(node("a", systems, process), node("b", systems, process, script, needs=("a",)))
    try:
        ended = resume(on, made)
        assert ended.error is not None
        error = ended.error
    except CbctlError as refused:
        error = refused
    assert "more than the plan showed" in error.what
    assert ("b.0" in systems.values) is False


# -- which runs may go on ---------------------------------------------------------------------


def test_an_ended_run_is_not_resumed() -> None:
    disk, systems, process = Disk(), Systems(), Process(1)
    deploy(machine(disk, process=process), two()(systems, process))
    on, process = again(disk)
    with pytest.raises(CbctlError, match="already ended") as caught:
        resume(on, two()(systems, process))
    assert caught.value.exit is Exit.USAGE


def test_a_run_from_another_runbook_is_refused_and_the_difference_shown() -> None:
    disk, systems = cut_after("step.intent", two())
    on, process = again(disk)
    with pytest.raises(CbctlError, match="runbook: then one, now two") as caught:
        resume(on, job(node("a", systems, process), identity="two"))
    assert caught.value.exit is Exit.REFUSED


def test_another_minor_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, systems = cut_after("step.intent", two())
    monkeypatch.setattr(past, "SCHEMA", "1.1")
    on, process = again(disk)
    with pytest.raises(CbctlError, match=r"written with schema 1\.0, this cbctl has 1\.1"):
        resume(on, two()(systems, process))


def test_an_old_run_is_refused_once_a_newer_one_changed_something() -> None:
    disk, systems = cut_after("step.intent", two())
    old = disk.runs()[0]
    on, process = again(disk)
    newer = deploy(on, two()(systems, process))
    assert newer.result == "succeeded"
    on, process = again(disk, 3)
    with pytest.raises(CbctlError, match=f"run {newer.run} changed things after run {old}") as c:
        resume(on, two()(systems, process), old)
    assert c.value.exit is Exit.REFUSED


def test_two_processes_resume_the_same_run_and_one_does_it() -> None:
    disk, systems = cut_after("step.intent", two())
    id = disk.runs()[0]
    slow, process = again(disk)
    since, made = run.moment(slow.store), two()(systems, process)
    plan = planned(slow, made)
    quick, other = again(disk, 3)
    assert resume(quick, two()(systems, other)).result == "succeeded"
    before = len(disk.records(id))
    with pytest.raises(CbctlError, match="already ended"):
        run.resume(slow.world, made, plan, id, since)
    assert len(disk.records(id)) == before


def test_a_run_resumed_by_another_between_plan_and_lock_is_left_alone() -> None:
    disk, systems = cut_after("step.intent", two())
    id = disk.runs()[0]
    slow, process = again(disk)
    since, made = run.moment(slow.store), two()(systems, process)
    plan = planned(slow, made)

    def quick() -> None:
        on, other = again(disk, 3)
        resume(on, two()(systems, other))

    # after the first look at the journal, before the lock
    process.intrude_at, process.intrude = process.points + 4, quick
    ended = run.resume(slow.world, made, plan, id, since)
    assert (ended.result, ended.exit) == ("refused", Exit.REFUSED)
    assert disk.types(id)[-1] == "run.ended"


def test_what_a_silent_holder_did_after_the_plan_was_made_is_not_done_again() -> None:
    disk, systems = cut_after("step.intent", two())
    process = Process(2)
    on = machine(disk, 2, process=process, states={1: "unknown"})
    since, made = run.moment(on.store), two()(systems, process)
    plan = planned(on, made)
    systems.values["a.0"] = "new"
    ended = run.resume(on.world, made, plan, disk.runs()[0], since)
    assert ended.result == "succeeded"
    assert [step for _, step in systems.changed] == ["b"]


def test_a_lock_that_was_broken_does_not_stop_a_resume() -> None:
    disk, systems = cut_after("step.intent", two())
    run_id = disk.runs()[0]
    world = again(disk, 3)[0].world
    disk.lock = held_by(1, token=9)
    lock.break_lock(world.store, world.clock, world.random, world.owner, "gone")
    on, process = again(disk)
    assert resume(on, two()(systems, process), run_id).result == "succeeded"
