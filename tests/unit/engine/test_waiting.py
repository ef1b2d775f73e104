"""A step that did its part and waits for somebody else: the run stops, keeps what was done, lets
the lock go, and a resume goes on as soon as the others have done theirs."""

from __future__ import annotations

from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import Disk, Machine, Process, deploy, job, machine, resume

from cbctl.engine import past
from cbctl.engine.job import Job
from cbctl.errors import Exit
from cbctl.report.why import explain


def steps(systems: Systems, process: Process, waits: int = 1) -> Job:
    return job(
        node("a", systems, process),
        node("b", systems, process, Script(waits=waits), needs=("a",)),
        node("c", systems, process, needs=("b",)),
        release=["a", "b", "c"],
        undo=True,
    )


def stopped(waits: int = 1) -> tuple[Disk, Systems, Machine, str]:
    disk, systems, process = Disk(), Systems(), Process(1)
    on = machine(disk, process=process)
    ended = deploy(on, steps(systems, process, waits))
    assert (ended.result, ended.exit) == ("waiting", Exit.NOT_UNDONE)
    assert ended.error is not None and ended.error.what == "somebody has to sign"
    again = f"cbctl resume {ended.run} --env test goes on from there"
    assert ended.error.fix == f"ask for it; {again}"
    return disk, systems, on, ended.run


def test_it_stops_the_run_and_undoes_nothing() -> None:
    disk, systems, on, id = stopped()
    assert systems.values["a.0"] == "new" and "c.0" not in systems.values
    assert systems.tries["a", "undo"] == systems.tries["b", "undo"] == 0
    assert systems.tries["b", "verify"] == systems.tries["c", "apply"] == 0
    types = [r.type for r in disk.records(id)]
    assert types[-2:] == ["step.waiting", "run.ended"] and "release.recorded" not in types
    told = {"step": "b", "what": "somebody has to sign", "fix": "ask for it"}
    assert on.told("step.waiting") == [{**told, "evidence": {"sign": "this"}}]
    assert disk.lock is not None and not disk.lock.held
    assert past.open_run(on.store) == id


def test_a_resume_goes_on_when_the_others_have_done_theirs() -> None:
    disk, systems, _, id = stopped()
    process = Process(2)
    on = machine(disk, process=process)
    ended = resume(on, steps(systems, process), id)
    assert (ended.result, ended.run, ended.release) == ("succeeded", id, "r1")
    assert systems.tries["b", "apply"] == 1 and systems.tries["b", "verify"] == 1
    assert {c["step"] for c in ended.changes if isinstance(c, dict)} == {"a", "b", "c"}


def test_a_resume_too_early_waits_again() -> None:
    disk, systems, _, id = stopped(waits=3)
    for pid, result in ((2, "waiting"), (3, "waiting"), (4, "succeeded")):
        process = Process(pid)
        ended = resume(machine(disk, process=process), steps(systems, process, 3), id)
        assert ended.result == result
    assert systems.tries["a", "apply"] == 1


def test_what_fails_meanwhile_counts_more() -> None:
    disk, systems, process = Disk(), Systems(), Process(1)
    made = job(
        node("a", systems, process, Script(waits=1)),
        node("b", systems, process, Script(fails=1)),
    )
    ended = deploy(machine(disk, process=process), made)
    assert ended.result == "not undone" and "does not want to" in str(ended.error)


def test_its_story_is_told() -> None:
    _, _, on, id = stopped()
    why = explain(on.store, id, "test")
    assert why.result == "waiting" and why.cause is not None
    assert (why.cause.kind, why.cause.step) == ("waiting", "b")
    assert why.cause.evidence == {"sign": "this"}
    assert {s.id: s.state for s in why.steps} == {"a": "changed", "b": "waits", "c": "not reached"}
    assert why.next == ("ask for it", f"cbctl resume {id} --env test")
