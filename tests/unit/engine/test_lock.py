"""The lease: one holder, judged by renewals that were seen and never by a clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.engine.steps import Systems, node
from tests.unit.engine.world import (
    Disk,
    Machine,
    Process,
    crashes,
    deploy,
    held_by,
    job,
    machine,
)

from cbctl.engine import lock
from cbctl.engine.journal import Journal
from cbctl.engine.store import Fenced, LockRecord
from cbctl.errors import CbctlError, Exit
from cbctl.report.audit_check import verify
from cbctl.report.audit_copy import copy


def taken(on: Machine, **more: Any) -> lock.Held:
    world = on.world
    return lock.acquire(world.store, world.clock, world.owner, "run", "deploy", **more)


def operator(disk: Disk, pid: int, others: str = "unknown") -> Machine:
    states = {p: others for p in range(1, 9) if p != pid}
    return machine(disk, pid, process=Process(pid), states=states)


def test_tokens_only_grow() -> None:
    disk, tokens = Disk(), []
    for pid in (1, 2, 3):
        held = taken(operator(disk, pid))
        tokens.append(held.token)
        held.fence()
        held.release()
    assert tokens == [1, 2, 3]
    assert disk.lock is not None and (disk.lock.token, disk.lock.held) == (3, False)


def test_a_living_holder_is_respected_at_once() -> None:
    disk = Disk()
    taken(operator(disk, 1))
    before = disk.monotonic
    with pytest.raises(CbctlError, match="held by user1 on host") as caught:
        taken(operator(disk, 2, "alive"), environment="staging")
    assert caught.value.exit is Exit.LOCKED and disk.monotonic == before
    assert "cbctl lock break staging --reason WHY" in caught.value.fix


def test_a_dead_holder_is_replaced_at_once() -> None:
    disk = Disk()
    old, before = taken(operator(disk, 1)), disk.monotonic
    assert taken(operator(disk, 2, "dead")).token == 2 and disk.monotonic == before
    with pytest.raises(Fenced, match="taken by user2"):
        old.fence()


def test_a_silent_holder_is_replaced_after_the_time_to_live() -> None:
    disk, told = Disk(), list[LockRecord]()
    taken(operator(disk, 1))
    before = disk.monotonic
    assert taken(operator(disk, 2), waiting=told.append).token == 2
    assert lock.TIME_TO_LIVE <= disk.monotonic - before < lock.TIME_TO_LIVE + 1
    assert [t.owner.pid for t in told] == [1]


def _sleeping(on: Machine, at: float, do: Callable[[], object]) -> None:
    """Lets `do` happen when the waiting one has slept that long."""
    sleep, begun = on.world.clock.sleep, on.disk.monotonic
    done: list[object] = []

    def slept(seconds: float) -> None:
        sleep(seconds)
        if not done and on.disk.monotonic - begun >= at:
            done.append(do())

    on.world.clock.sleep = slept  # type: ignore[method-assign]


@pytest.mark.parametrize("at", [0.2, 5.0, 14.0])
def test_one_renewal_seen_is_enough(at: float) -> None:
    disk = Disk()
    holder, waiter = taken(operator(disk, 1)), operator(disk, 2)
    _sleeping(waiter, at, holder.renew)
    with pytest.raises(CbctlError) as caught:
        taken(waiter)
    assert caught.value.exit is Exit.LOCKED
    holder.fence()


def test_a_new_holder_is_watched_from_its_beginning() -> None:
    disk = Disk()
    taken(operator(disk, 1))
    waiter, third = operator(disk, 2), operator(disk, 3, "dead")
    begun = disk.monotonic
    _sleeping(waiter, 10.0, lambda: taken(third))
    assert taken(waiter).token == 3
    assert disk.monotonic - begun >= 10.0 + lock.TIME_TO_LIVE


def test_waiting_for_a_renewal_can_be_stopped() -> None:
    disk = Disk()
    taken(operator(disk, 1))
    waiter = operator(disk, 2)
    _sleeping(waiter, 3.0, lambda: waiter.world.stop.request("SIGINT"))
    with pytest.raises(Exception, match="SIGINT"):
        taken(waiter, check=waiter.world.stop.check)
    assert disk.lock is not None and disk.lock.owner.pid == 1


def test_a_broken_lock_fences_its_holder_and_its_journal() -> None:
    disk = Disk()
    first, second = operator(disk, 1), operator(disk, 2)
    held = taken(first)
    log = Journal(first.store, first.world.clock, "runs/x", held.token)
    log.write("lock.broken", reason="", who="", host="", holder=None)
    world = second.world
    broken = lock.break_lock(world.store, world.clock, world.random, world.owner, "gone")
    with pytest.raises(Fenced):
        held.fence()
    with pytest.raises(Fenced):
        log.write("step.verified", step="x")
    assert len(disk.streams["runs/x"]) == 1
    (record,) = disk.records(broken)
    assert (record.data["reason"], record.data["who"]) == ("gone", "user2")
    assert record.data["holder"]["owner"]["who"] == "user1" and record.data["holder"]["held"]
    assert record.data["parent"]["stream"] == "runs/x" and record.token == 2
    now = taken(second)
    held.renew()
    held.release()  # neither touches the other's lock
    now.fence()
    assert disk.lock is not None and disk.lock.renewals == 0


@pytest.mark.parametrize("at", range(1, 10))
def test_a_break_names_the_run_that_came_before_it_whenever_that_was(at: int) -> None:
    """Somebody else takes the lock of a dead holder, and dies too, at any call of the break."""
    disk, systems = Disk(), Systems()
    taken(operator(disk, 1))

    def another() -> None:
        process = Process(3, crash_at=30)
        on = machine(disk, 3, process=process, states={1: "dead", 2: "dead"})
        assert crashes(lambda: deploy(on, job(node("a", systems, process))))

    process = Process(2, intrude_at=at, intrude=another)
    world = machine(disk, 2, process=process).world
    try:
        lock.break_lock(world.store, world.clock, world.random, world.owner, "gone")
    except CbctlError as error:
        assert error.exit is Exit.LOCKED and "before this reason was recorded" in error.what
    assert verify(copy(machine(disk, 4, process=Process(4)).store, "test")).findings == ()


def test_there_must_be_a_holder_to_take_the_lock_from() -> None:
    disk = Disk()
    world = operator(disk, 1).world
    for _ in range(2):
        with pytest.raises(CbctlError, match="nobody holds the lock") as caught:
            lock.break_lock(world.store, world.clock, world.random, world.owner, "gone")
        assert caught.value.exit is Exit.USAGE
        taken(operator(disk, 2)).release()


@pytest.mark.parametrize("stream", ["runs/x", "releases/history", "policy/history"])
def test_a_token_does_not_come_back_when_the_record_is_removed(stream: str) -> None:
    disk = Disk()
    first = operator(disk, 1)
    held = taken(first)
    log = Journal(first.store, first.world.clock, stream, held.token)
    log.write("lock.broken", reason="", who="", host="", holder=None)
    disk.lock = None
    with pytest.raises(Fenced, match="gone"):
        held.fence()
    assert lock.last_token(first.store, None) == 1
    assert taken(operator(disk, 2)).token == 2


def test_the_same_token_of_another_owner_is_not_ours() -> None:
    disk = Disk()
    held = taken(operator(disk, 1))
    disk.lock = held_by(2, token=1)
    with pytest.raises(Fenced):
        held.fence()
    held.release()
    assert disk.lock.held


@pytest.mark.parametrize("call", ["read_lock", "swap_lock"])
def test_a_store_that_does_not_answer_stops_neither_renewal_nor_release(call: str) -> None:
    disk = Disk()
    on = operator(disk, 1)
    held = taken(on)
    on.store.fail[call] = OSError(28, "No space left on device")
    held.renew()
    held.release()
    on.store.fail.clear()
    held.renew()
    assert disk.lock is not None and disk.lock.renewals == 1


def test_a_release_that_meets_its_own_renewal_is_tried_again() -> None:
    disk = Disk()
    on = operator(disk, 1)
    held = taken(on)
    swap, first = on.store.swap_lock, True

    def slow(expected: LockRecord | None, new: LockRecord) -> None:
        nonlocal first
        if first:
            first = False
            assert disk.lock is not None
            disk.lock = replace(disk.lock, renewals=disk.lock.renewals + 1)
        swap(expected, new)

    on.store.swap_lock = slow  # type: ignore[method-assign]
    held.release()
    assert disk.lock is not None and not disk.lock.held


def test_what_to_do_about_a_holder() -> None:
    run = lock.held_by(held_by(2, run="20261122T193348-9f3a1c"), "local")
    assert run.fix == (
        "watch that run to its end: cbctl runs attach 20261122T193348-9f3a1c --env local; "
        "or: cbctl lock break local --reason WHY"
    )
    other = lock.held_by(held_by(2, run=lock.NO_RUN, reason="restart of services"), "local")
    assert other.what.endswith(" for restart of services")
    assert other.fix == "wait until that is done; or: cbctl lock break local --reason WHY"
