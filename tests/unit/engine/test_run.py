"""A run from plan to last record: what it promises when steps fail, lie or hang on."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.engine.steps import Outcome, Script, Systems, node
from tests.unit.engine.world import Machine, Process, deploy, held_by, job, machine, planned

from cbctl.engine import lock, run
from cbctl.engine import plan as plans
from cbctl.engine.journal import RUNS
from cbctl.engine.step import Blocked, Change, Changes, NotVerified
from cbctl.errors import CbctlError, Exit


class World:
    """A machine, its systems and a shorthand for steps."""

    def __init__(self, pid: int = 1, on: World | None = None) -> None:
        self.process = Process(pid)
        self.on: Machine = machine(on.on.disk if on else None, process=self.process)
        self.systems: Systems = on.systems if on else Systems()

    def step(self, id: str, script: Script | None = None, **more: Any) -> Any:
        return node(id, self.systems, self.process, script, **more)

    def journal(self) -> list[str]:
        return self.on.disk.types(self.on.disk.runs()[-1])


def says(**methods: Any) -> Script:
    return Script(say=methods)


def raising(error: BaseException) -> Any:
    def work(ctx: Any, inputs: Any) -> Any:
        raise error

    return work


def test_a_run_journals_each_effect_before_and_after() -> None:
    w = World()
    ended = deploy(w.on, job(w.step("a"), release=["a"]))
    assert (ended.result, ended.exit, ended.release) == ("succeeded", Exit.DONE, "r1")
    assert ended.changes == [{"step": "a", "what": "part 0", "before": None, "after": "new"}]
    assert w.journal() == [
        "run.started",
        "step.intent",
        "step.outcome",
        "step.verified",
        "release.recorded",
        "run.ended",
    ]
    assert [e.type for e in w.on.events][-1] == "run.ended"
    assert w.on.disk.lock is not None and not w.on.disk.lock.held


def test_a_second_run_has_nothing_to_do_and_writes_nothing() -> None:
    w = World()
    deploy(w.on, job(w.step("a"), release=["a"]))
    before = dict(w.on.disk.streams)
    ended = deploy(w.on, job(w.step("a"), release=["a"]))
    assert (ended.result, ended.changes, ended.release) == ("unchanged", [], "r1")
    assert w.on.disk.streams == before


def test_steps_go_side_by_side_and_each_after_what_it_needs_or_refers_to() -> None:
    w = World()
    steps = [
        w.step("a"),
        w.step("b"),
        w.step("c", refers=("a",)),  # not named under needs
        w.step("d", needs=("b", "c")),
    ]
    assert deploy(w.on, job(*steps)).exit is Exit.DONE
    order = [id for _, id in w.systems.changed]
    assert order.index("c") > order.index("a") and order[-1] == "d"
    assert w.systems.values["c.0"] == "new+new"


def test_what_comes_after_a_change_is_looked_at_again() -> None:
    """Also at a distance: `c` was right when it was planned, and is not any more."""
    w = World()
    w.systems.values |= {"a.0": "old", "b.0": "new", "c.0": "new"}

    def spoils(ctx: Any, inputs: Any) -> Outcome:
        w.systems.values |= {"a.0": "new", "c.0": "spoilt"}
        return Outcome("new")

    steps = [w.step("a", says(apply=spoils)), w.step("b", needs=("a",)), w.step("c", needs=("b",))]
    ended = deploy(w.on, job(*steps))
    assert ended.exit is Exit.NOT_UNDONE and ended.error is not None
    assert "more than the plan showed: part 0" in ended.error.what
    assert w.systems.values["c.0"] == "spoilt"


def test_unchanged_steps_are_verified_too() -> None:
    w = World()
    w.systems.values |= {"a.0": "new"}
    ended = deploy(w.on, job(w.step("a", Script(lies=1)), w.step("b")))
    assert ended.error is not None and ended.error.where == "a"
    assert ended.error.what == "it is not there"


def test_blocked_refuses_everything_before_anything() -> None:
    w = World()
    steps = [w.step("a"), w.step("b", says(plan=lambda _, i: Blocked("no room", "make room")))]
    ended = deploy(w.on, job(*steps))
    assert (ended.result, ended.exit) == ("refused", Exit.REFUSED)
    assert w.systems.changed == [] and w.on.disk.streams == {}


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("boom hunter22"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        type("PanicException", (BaseException,), {})("rust panicked: hunter22"),
        RecursionError(),
        CbctlError("hunter22", fix="hunter22", evidence={"log": ["hunter22", b"\xff", object()]}),
        CbctlError("\ud800 lone surrogate", evidence={"big": 1 << 80, "\ud800": float("nan")}),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("method", ["observe", "identify", "apply", "verify"])
def test_whatever_a_step_raises_is_journalled_and_ends_the_run(
    method: str, error: BaseException
) -> None:
    w = World()
    first = True

    def late(ctx: Any, inputs: Any) -> Any:
        nonlocal first
        if method == "observe" and first:  # the plan's own look is not the run's
            first = False
            return None
        raise error

    ended = deploy(w.on, job(w.step("a", says(**{method: late}))))
    begun = method in ("apply", "verify")
    assert ended.exit is (Exit.NOT_UNDONE if begun else Exit.FAILED)
    assert w.journal()[-2:] == ["step.failed", "run.ended"]
    everything = b"".join(b"".join(s) for s in w.on.disk.streams.values())
    assert b"hunter22" not in everything
    assert "hunter22" not in str(w.on.events)
    assert w.on.disk.lock is not None and not w.on.disk.lock.held


@pytest.mark.parametrize("value", [object(), {"a": {1, object()}}, b"bytes", "\ud800"])
@pytest.mark.parametrize("method", ["identify", "apply", "verify", "plan"])
def test_what_cannot_be_recorded_is_a_failure_of_the_step(method: str, value: Any) -> None:
    w = World()
    made = job(w.step("a", says(**{method: lambda ctx, inputs: value})))
    if method == "plan":
        with pytest.raises(CbctlError, match="is no verdict of a plan"):
            deploy(w.on, made)
    else:
        ended = deploy(w.on, made)
        assert ended.error is not None and "unexpected" in ended.error.what
        assert w.journal()[-2:] == ["step.failed", "run.ended"]


def test_a_step_that_says_no_changes_has_nothing_to_do() -> None:
    w = World()
    w.systems.values["a.0"] = "new"
    assert deploy(w.on, job(w.step("a", says(plan=lambda _, i: Changes(()))))).result == "unchanged"


def test_more_than_was_shown_stops_before_it_happens() -> None:
    w = World()
    plans = iter([["x"], ["x", "y"]])

    def grows(_: Any, inputs: Any) -> Changes:
        return Changes(tuple(Change(what) for what in next(plans)))

    ended = deploy(w.on, job(w.step("a", says(plan=grows))))
    assert ended.exit is Exit.REFUSED and w.systems.changed == []


def test_a_failure_lets_what_goes_on_finish_and_begins_nothing_new() -> None:
    for seed in range(6):
        w = World()
        w.on = machine(seed=seed, process=w.process)
        steps = [
            w.step("a", says(apply=raising(RuntimeError("no")))),
            w.step("b", Script(seconds=1)),
            w.step("c", needs=("a", "b")),
        ]
        assert deploy(w.on, job(*steps)).exit is Exit.NOT_UNDONE
        assert "c.0" not in w.systems.values
        types = w.journal()
        assert types.count("step.intent") == types.count("step.verified") + 1


def test_undo_goes_backwards_and_brings_back_what_was() -> None:
    w = World()
    w.systems.values |= {"a.0": "old"}
    steps = [w.step("a"), w.step("b", refers=("a",)), w.step("c", Script(lies=9), needs=("b",))]
    ended = deploy(w.on, job(*steps, undo=True))
    assert (ended.result, ended.exit) == ("undone", Exit.UNDONE)
    assert w.systems.values == {"a.0": "old"}
    assert [e["step"] for e in w.on.told("step.undone")] == ["c", "b", "a"]
    assert w.journal().index("run.undoing") < w.journal().index("step.undone")


@pytest.mark.parametrize(
    "script",
    [Script(back=False), Script(say={})],
    ids=["cannot", "raises"],
)
def test_undo_that_cannot_is_told_and_the_rest_is_undone(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = World()
    stubborn = w.step("b", script, needs=("a",))
    if script.back:
        monkeypatch.setattr(stubborn.step, "undo", lambda *a: raising(ValueError("no"))(0, 0))
    ended = deploy(
        w.on, job(w.step("a"), stubborn, w.step("c", Script(lies=9), needs=("b",)), undo=True)
    )
    assert (ended.result, ended.exit) == ("not undone", Exit.NOT_UNDONE)
    assert ended.error is not None and "cbctl resume" in ended.error.fix
    assert w.systems.values == {"b.0": "new"}
    assert {e["step"]: bool(e["cannot"]) for e in w.on.told("step.undone")} == {
        "a": False,
        "b": True,
        "c": False,
    }


# -- being stopped ----------------------------------------------------------------------------


def test_stopped_before_the_lock_changes_and_writes_nothing() -> None:
    w = World()
    made = job(w.step("a"))
    since, plan = run.moment(w.on.store), planned(w.on, made)
    w.on.world.stop.request("SIGINT")
    ended = run.start(w.on.world, made, plan, since)
    assert (ended.result, ended.exit) == ("cancelled", Exit.CANCELLED)
    assert w.on.disk.streams == {} and not (w.on.disk.lock and w.on.disk.lock.held)


def test_stopped_while_planning_is_cancelled_not_a_defect() -> None:
    w = World()

    def waits(ctx: Any, inputs: Any) -> None:
        w.on.world.stop.request("SIGINT")
        ctx.sleep(5)

    with pytest.raises(CbctlError, match="stopped while looking") as caught:
        deploy(w.on, job(w.step("a", says(observe=waits))))
    assert caught.value.exit is Exit.CANCELLED


def test_stopped_while_an_empty_plan_is_verified() -> None:
    w = World()
    w.systems.values["a.0"] = "new"

    def waits(ctx: Any, inputs: Any) -> None:
        w.on.world.stop.request("SIGINT")
        ctx.sleep(5)

    ended = deploy(w.on, job(w.step("a", says(verify=waits))))
    assert (ended.result, ended.exit) == ("cancelled", Exit.CANCELLED)


@pytest.mark.parametrize("at", range(20, 60, 3))
def test_stopped_anywhere_begins_nothing_more(at: int) -> None:
    w = World()
    done: list[int] = []

    def stop() -> None:
        w.on.world.stop.request("SIGINT")
        done.append(len(w.systems.changed))

    w.process.intrude_at, w.process.intrude = at, stop
    steps = [w.step("a", Script(parts=3)), w.step("b", Script(seconds=0.5), needs=("a",))]
    ended = deploy(w.on, job(*steps))
    assert ended.exit in (Exit.CANCELLED, Exit.DONE)
    if ended.exit is Exit.CANCELLED:
        assert len(w.systems.changed) == done[0], "an effect after the stop"
        assert ended.error is not None
        if ended.run:
            assert f"cbctl resume {ended.run}" in ended.error.fix


def test_an_undo_that_cannot_be_waited_for_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w, tasks = World(), list[Any]()
    executor = w.on.world.executor
    submit, wait, fails = executor.submit, executor.wait, [OSError(5, "Input/output error")]

    def remembered(work: Any) -> Any:
        tasks.append(submit(work))
        return tasks[-1]

    def failing(given: Any) -> Any:
        if fails and w.on.disk.runs() and w.journal()[-1] == "run.undoing":
            raise fails.pop()
        return wait(given)

    monkeypatch.setattr(executor, "submit", remembered)
    monkeypatch.setattr(executor, "wait", failing)
    steps = [w.step("a"), w.step("b", Script(lies=9), needs=("a",))]
    assert deploy(w.on, job(*steps, undo=True)).result == "not undone"
    assert not fails and all(task.over for task in tasks)


def test_a_stop_while_undoing_leaves_the_rest_for_resume() -> None:
    w = World()
    late = w.step("b", Script(lies=9), needs=("a",))
    plain_undo = late.step.undo

    def undo(*arguments: Any) -> Any:
        w.on.world.stop.request("SIGINT")
        return None

    late.step.undo = undo
    assert plain_undo is not undo
    ended = deploy(w.on, job(w.step("a"), late, undo=True))
    assert (ended.result, ended.exit) == ("not undone", Exit.NOT_UNDONE)
    assert w.systems.values["a.0"] == "new"
    assert ended.error is not None and "cbctl resume" in ended.error.fix


def test_an_interrupt_of_the_engine_itself_is_a_wish_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody has made SIGINT a request: Python raises it wherever the engine waits."""
    w = World()
    wait, calls = w.on.world.executor.wait, 0

    def interrupted(tasks: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return wait(tasks)

    monkeypatch.setattr(w.on.world.executor, "wait", interrupted)
    ended = deploy(w.on, job(w.step("a"), w.step("b", needs=("a",))))
    assert (ended.result, ended.exit) == ("cancelled", Exit.CANCELLED)
    assert w.journal()[-1] == "run.ended" and "b.0" not in w.systems.values


@pytest.mark.parametrize("at", [2, 3, 4])
def test_an_interrupt_in_the_middle_of_a_write_is_recorded(
    monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    w = World()
    append, calls = w.on.store.append, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        append(*arguments)

    monkeypatch.setattr(w.on.store, "append", interrupted)
    ended = deploy(w.on, job(w.step("a"), w.step("b", needs=("a",))))
    assert ended.exit is (Exit.FAILED if at == 2 else Exit.NOT_UNDONE)
    assert w.journal()[-1] == "run.ended" and "b.0" not in w.systems.values
    assert w.on.disk.lock is not None and not w.on.disk.lock.held


# -- others, and a store that fails ----------------------------------------------------------


def test_a_plan_that_is_out_of_date_is_refused() -> None:
    first = World()
    made = job(first.step("a"))
    since, plan = run.moment(first.on.store), planned(first.on, made)
    second = World(2, first)
    deploy(second.on, job(second.step("a", value="other")))
    ended = run.start(first.on.world, made, plan, since)
    assert (ended.result, ended.exit) == ("refused", Exit.REFUSED)
    assert first.systems.values == {"a.0": "other"}


def test_a_change_without_a_journal_makes_a_plan_out_of_date_too() -> None:
    """`cbctl local restart` takes the lock and writes no run."""
    w = World()
    made = job(w.step("a"))
    since, plan = run.moment(w.on.store), planned(w.on, made)
    world = w.on.world
    lock.acquire(world.store, world.clock, world.owner, "-", "restart").release()
    assert run.start(world, made, plan, since).exit is Exit.REFUSED


@pytest.mark.parametrize("worked_on", [True, False])
def test_a_holder_that_may_have_worked_on_without_a_record(worked_on: bool) -> None:
    """It had the lock when the plan was made; then it changed something and was cut off."""
    w = World()
    w.on = machine(w.on.disk, process=w.process, states={9: "unknown"})
    w.on.disk.lock = held_by(9)
    made = job(w.step("a"), w.step("b"), release=["a", "b"])
    w.systems.values["a.0"] = "new"
    since, plan = run.moment(w.on.store), planned(w.on, made)
    if worked_on:
        w.systems.values["a.0"] = "old"
    ended = run.start(w.on.world, made, plan, since)
    if worked_on:
        assert (ended.result, ended.exit) == ("refused", Exit.REFUSED)
        assert w.systems.changed == [] and w.on.disk.runs() == []
    else:
        assert ended.result == "succeeded"
    assert w.on.disk.lock is not None and not w.on.disk.lock.held
    assert len(w.on.told("plan.started")) == 1, "it was shown twice"


def test_a_holder_that_was_dead_is_not_looked_after_again() -> None:
    w = World()
    w.on = machine(w.on.disk, process=w.process, states={9: "dead"})
    w.on.disk.lock = held_by(9)
    assert deploy(w.on, job(w.step("a"))).result == "succeeded"
    assert w.systems.tries["a", "observe"] == 2  # for the plan, and before the change


def test_a_lock_lost_in_the_middle_ends_the_run_without_another_change() -> None:
    w = World()

    def breaks(ctx: Any, inputs: Any) -> Outcome:
        other = machine(w.on.disk, process=Process(2))
        world = other.world
        lock.break_lock(world.store, world.clock, world.random, world.owner, "gone")
        ctx.fence()
        raise AssertionError("went on without the lock")

    ended = deploy(w.on, job(w.step("a", says(apply=breaks)), w.step("b", needs=("a",))))
    assert (ended.result, ended.exit) == ("failed", Exit.LOCKED)
    assert ended.error is not None and "user2" in ended.error.what
    first, broken = w.on.disk.runs()
    assert w.on.disk.types(first) == ["run.started", "step.intent"]
    assert w.on.disk.types(broken) == ["lock.broken"]
    assert w.on.disk.lock is not None and w.on.disk.lock.owner.pid == 2


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), CbctlError("disk full")])
def test_a_journal_that_cannot_be_written_ends_the_run_after_what_goes_on(error: Exception) -> None:
    w = World()

    def fills(ctx: Any, inputs: Any) -> Outcome:
        w.on.store.fail["append"] = error
        return Outcome("new")

    def slow(ctx: Any, inputs: Any) -> Outcome:
        assert w.on.disk.lock is not None and w.on.disk.lock.held, "the lock was let go"
        return Outcome("new")

    for seed in range(4):
        w = World()
        w.on = machine(seed=seed, process=w.process)
        steps = [w.step("a", says(apply=fills)), w.step("b", says(apply=slow))]
        ended = deploy(w.on, job(*steps))
        assert (ended.result, ended.exit) == ("not undone", Exit.NOT_UNDONE)
        assert ended.error is not None and f"cbctl resume {ended.run}" in ended.error.fix
        assert [e.type for e in w.on.events][-1] == "run.ended"
        assert w.on.disk.lock is not None and not w.on.disk.lock.held


def test_an_executor_that_fails_ends_the_run_with_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World()
    submit, calls = w.on.world.executor.submit, 0

    def sometimes(work: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise RuntimeError("can't start new thread")
        return submit(work)

    monkeypatch.setattr(w.on.world.executor, "submit", sometimes)
    ended = deploy(w.on, job(w.step("a"), w.step("b", needs=("a",))))
    assert ended.error is not None and "can't start new thread" in ended.error.what
    assert w.journal()[-1] == "run.ended"
    assert w.on.disk.lock is not None and not w.on.disk.lock.held


def test_a_face_that_breaks_stops_nothing() -> None:
    w = World()

    def broken(event: Any) -> None:
        raise BrokenPipeError

    object.__setattr__(w.on.world, "sink", broken)
    assert deploy(w.on, job(w.step("a"))).exit is Exit.DONE


def test_a_broken_history_refuses_before_anything_is_changed() -> None:
    w = World()
    w.on.disk.streams["releases/history"] = [b"{}"]
    with pytest.raises(CbctlError):
        deploy(w.on, job(w.step("a"), release=["a"]))
    assert w.systems.changed == [] and RUNS + "x" not in w.on.disk.streams


def test_left_out_steps_are_only_looked_at_and_no_release_is_recorded() -> None:
    w = World()
    ended = deploy(w.on, job(w.step("a"), w.step("b", needs=("a",)), release=["b"], left_out=["a"]))
    assert (ended.result, ended.release) == ("succeeded", None)
    assert w.systems.values == {"b.0": "new"}


def test_what_waits_for_a_step_that_was_left_out_is_blocked() -> None:
    w = World()
    ended = deploy(w.on, job(w.step("a"), w.step("b", refers=("a",)), left_out=["a"]))
    assert (ended.result, ended.exit) == ("refused", Exit.REFUSED)
    assert ended.error is not None and ended.error.fix == "do not leave out a"


def test_a_left_out_step_that_is_right_still_gives_its_outcome() -> None:
    w = World()
    w.systems.values["a.0"] = "new"
    ended = deploy(w.on, job(w.step("a"), w.step("b", refers=("a",)), left_out=["a"]))
    assert ended.exit is Exit.DONE and w.systems.values["b.0"] == "new+new"


def test_health_tells_of_each_part() -> None:
    w = World()
    w.systems.values |= {"a.0": "new", "b.0": "old", "d.0": "new"}
    steps = [
        w.step("a"),
        w.step("b"),
        w.step("c", refers=("b",)),
        w.step("d", says(verify=lambda *_: NotVerified("it is slow", evidence={"ms": 9}))),
        w.step("e", says(plan=lambda *_: Blocked("no"))),
    ]
    made = job(*steps)
    found = run.health(w.on.world, made, planned(w.on, made))
    assert [(f["name"], f["state"]) for f in found] == [
        ("a", "healthy"),
        ("b", "unhealthy"),
        ("c", "unknown"),
        ("d", "unhealthy"),
        ("e", "unhealthy"),
    ]
    assert [f["detail"] for f in found[1:]] == [
        "part 0: old",
        "not asked, because of b",
        "it is slow",
        "no",
    ]


def test_health_goes_on_where_one_part_cannot_even_be_looked_at() -> None:
    w = World()
    w.systems.values |= {"b.0": "new"}
    broken = w.step("a", says(observe=raising(CbctlError("connection reset"))))
    made = job(broken, w.step("b"), w.step("c", refers=("a",)))
    plan = plans.make(w.on.world, made.nodes, made.identity, tolerant=True)
    found = run.health(w.on.world, made, plan)
    assert [(f["state"], f["detail"]) for f in found] == [
        ("unhealthy", "connection reset"),
        ("healthy", ""),
        ("unknown", "not asked, because of a"),
    ]


def test_a_time_limit_without_a_verdict_has_its_own_exit_code() -> None:
    w = World()
    error = CbctlError("no answer in 5 s", exit=Exit.TIMEOUT)
    assert deploy(w.on, job(w.step("a", says(apply=raising(error))))).exit is Exit.TIMEOUT
