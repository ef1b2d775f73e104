"""A world in which every call may be the last: one thread, its own clock, everything by a seed.

`Disk` and `Systems` outlive a crash. `Process` is one run of cbctl: it dies at its n-th call of the
store, of the clock or of a step, and from then on every call of it dies too. Each store call has
two points: before it did anything, and after it is durable but before its caller knows.
"""

from __future__ import annotations

import hashlib
import random as chance
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cbctl.config.types import Secret
from cbctl.engine import journal, plan, run
from cbctl.engine.event import Event
from cbctl.engine.executor import Repeating, Task
from cbctl.engine.job import Ended, Job
from cbctl.engine.journal import RUNS, Record
from cbctl.engine.plan import Node, Plan
from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner
from cbctl.engine.world import World

T = TypeVar("T")

START = 1_795_000_000.0


class Crash(BaseException):
    """The process is gone. In real life nobody sees this one."""


@dataclass
class Disk:
    """
    token_log  (token, stream) of each append
    appended   told of each record; swapped: of each change of the lock
    """

    streams: dict[str, list[bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    lock: LockRecord | None = None
    token_log: list[tuple[int, str]] = field(default_factory=list)
    monotonic: float = 1000.0
    appended: Callable[[str, bytes], None] = lambda stream, line: None
    swapped: Callable[[LockRecord | None, LockRecord], None] = lambda before, now: None

    def records(self, run: str) -> list[Record]:
        return list(journal.check(run, self.streams.get(RUNS + run, [])))

    def runs(self) -> list[str]:
        return sorted(s.removeprefix(RUNS) for s in self.streams if s.startswith(RUNS))

    def types(self, run: str) -> list[str]:
        return [r.type for r in self.records(run)]


@dataclass
class Process:
    """
    crash_at   number of the point at which it dies; 0: never
    intrude    called once, at the point `intrude_at`: somebody else acts meanwhile
    faults     what a point raises instead, once each: number of the point → exception
    """

    pid: int = 1
    crash_at: int = 0
    intrude_at: int = 0
    intrude: Callable[[], None] = lambda: None
    faults: dict[int, Exception] = field(default_factory=dict)
    points: int = 0
    dead: bool = False

    def point(self) -> None:
        self.points += 1
        if self.dead or self.points == self.crash_at:
            self.dead = True
            raise Crash
        if self.points == self.intrude_at:
            self.intrude()
        if self.points in self.faults:
            raise self.faults.pop(self.points)


class MemoryStore:
    def __init__(self, disk: Disk, process: Process, owner_state: Callable[[Owner], str]) -> None:
        self.disk, self.process, self._owner_state = disk, process, owner_state
        self.fail: dict[str, Exception] = {}

    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        self._before("append")
        lock = self.disk.lock
        if token is not None and (lock is None or not lock.held or lock.token != token):
            raise Fenced(token, lock)
        lines = self.disk.streams.get(stream, [])
        if len(lines) != expected:
            raise Conflict(stream)
        self.disk.streams[stream] = [*lines, line]
        if token is not None:
            self.disk.token_log.append((token, stream))
        self.disk.appended(stream, line)
        self.process.point()

    def read(self, stream: str) -> list[bytes]:
        self._before("read")
        return list(self.disk.streams.get(stream, []))

    def streams(self, prefix: str) -> list[str]:
        self._before("streams")
        return sorted(s for s in self.disk.streams if s.startswith(prefix))

    def put_blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.disk.blobs[name] = data
        return name

    def get_blob(self, sha256: str) -> bytes:
        return self.disk.blobs[sha256]

    def read_lock(self) -> LockRecord | None:
        self._before("read_lock")
        return self.disk.lock

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        self._before("swap_lock")
        if self.disk.lock != expected:
            raise Conflict("lock")
        self.disk.lock = new
        self.disk.swapped(expected, new)
        self.process.point()

    def owner_state(self, owner: Owner) -> str:
        return self._owner_state(owner)

    def _before(self, call: str) -> None:
        self.process.point()
        if call in self.fail:
            raise self.fail[call]


class FakeClock:
    """All processes share the monotonic time of their machine; the wall clock jumps as told."""

    def __init__(self, disk: Disk, process: Process, jumps: chance.Random | None = None) -> None:
        self.disk, self.process, self.jumps, self.offset = disk, process, jumps, 0.0

    def wall(self) -> float:
        if self.jumps and self.jumps.random() < 0.1:
            self.offset += self.jumps.choice([-3600.0, 3600.0, -86400.0, 1.0])
        return START + self.monotonic() + self.offset

    def monotonic(self) -> float:
        return self.disk.monotonic

    def sleep(self, seconds: float) -> None:
        self.process.point()
        self.disk.monotonic += max(seconds, 0.001)


class Tokens:
    def __init__(self, seeded: chance.Random) -> None:
        self._seeded = seeded

    def token(self, size: int) -> str:
        return self._seeded.randbytes(size).hex()


class Done(Task[T]):
    over = False

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work

    def run(self) -> None:
        try:
            self._value: T | None = self._work()
            self._error: BaseException | None = None
        except BaseException as error:
            self._error = error
        self.over = True

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # a T, once it ran


class OneThread:
    """An Executor that runs one of the waiting tasks at a time, chosen by the seed."""

    def __init__(self, process: Process, seeded: chance.Random) -> None:
        self._process, self._seeded = process, seeded
        self._repeating: dict[int, Callable[[], None]] = {}
        self.most_active = 0

    def submit(self, work: Callable[[], T]) -> Task[T]:
        self._process.point()
        return Done(work)

    def wait(self, tasks: Sequence[Task[T]]) -> Sequence[Task[T]]:
        self._process.point()
        self.most_active = max(self.most_active, len(tasks))
        for work in self._repeating.values():
            if self._seeded.random() < 0.3:  # else this renewal comes late
                work()
        chosen = self._seeded.choice(list(tasks))
        assert isinstance(chosen, Done)
        chosen.run()
        if self._process.dead:
            raise Crash
        return [chosen]

    def every(self, seconds: float, work: Callable[[], None]) -> Repeating:
        number = len(self._repeating)
        self._repeating[number] = work
        return _Cancel(self._repeating, number)


@dataclass
class _Cancel:
    repeating: dict[int, Callable[[], None]]
    number: int

    def cancel(self) -> None:
        self.repeating.pop(self.number, None)


@dataclass
class Machine:
    """One process of cbctl and what it saw."""

    disk: Disk
    process: Process
    world: World
    events: list[Event]

    @property
    def store(self) -> MemoryStore:
        assert isinstance(self.world.store, MemoryStore)
        return self.world.store

    def told(self, type: str) -> list[dict[str, Any]]:
        return [dict(e.data) for e in self.events if e.type == type]


def machine(
    disk: Disk | None = None,
    seed: int = 0,
    *,
    process: Process | None = None,
    states: dict[int, str] | None = None,
    jumps: bool = False,
) -> Machine:
    """states: what is known of the owner with that pid, else "alive" """
    disk, process = disk or Disk(), process or Process()
    seeded = chance.Random(f"{seed}/{process.pid}")
    events: list[Event] = []
    world = World(
        store=MemoryStore(disk, process, lambda owner: (states or {}).get(owner.pid, "alive")),
        clock=FakeClock(disk, process, seeded if jumps else None),
        random=Tokens(seeded),
        executor=OneThread(process, seeded),
        sink=events.append,
        identify=lambda: Owner(
            "boot", process.pid, f"start-{process.pid}", "host", f"user{process.pid}"
        ),
        reveal=lambda reference: Secret(f"value of {reference}"),
        scrub=lambda text: text.replace("hunter22", "***"),
    )
    return Machine(disk, process, world, events)


# -- what the command line does, without it -------------------------------------------------


def job(
    *nodes: Node,
    release: Sequence[str] = (),
    undo: bool = False,
    left_out: Sequence[str] = (),
    replaces: str | None = None,
    identity: str = "one",
) -> Job:
    """release: ids of the steps whose outcomes make a release."""

    def parts(outcomes: plan.Outcomes) -> dict[str, Any]:
        return {id: outcomes[id].value for id in release}

    return Job(
        kind="deploy",
        environment="test",
        reason="deploy test",
        nodes=nodes,
        identity={"runbook": identity},
        selection={"only": [], "skip": list(left_out)},
        left_out=frozenset(left_out),
        parts=parts if release else None,
        undo=undo,
        replaces=replaces,
    )


def planned(on: Machine, job: Job) -> Plan:
    return plan.make(on.world, job.nodes, job.planned_from, left_out=job.left_out)


def deploy(on: Machine, job: Job, since: run.Moment | None = None) -> Ended:
    since = since or run.moment(on.store)
    made = planned(on, job)
    if made.blocked:
        return run.refuse(on.world, made)
    if run.nothing_to_do(on.world, job, made):
        return run.check_only(on.world, job, made)
    return run.start(on.world, job, made, since)


def resume(on: Machine, job: Job, id: str | None = None, since: run.Moment | None = None) -> Ended:
    since = since or run.moment(on.store)
    id = id or on.disk.runs()[-1]
    run.require_resumable(journal.read(on.store, RUNS + id), id, job.pinned)
    return run.resume(on.world, job, planned(on, job), id, since)


def crashes(work: Callable[[], object]) -> bool:
    """Whether the process died meanwhile."""
    try:
        work()
    except Crash:
        return True
    return False


def held_by(pid: int, token: int = 1, **changed: Any) -> LockRecord:
    owner = Owner("boot", pid, f"start-{pid}", "host", f"user{pid}")
    record = LockRecord(token, True, owner, "20200101T000000-000000", "deploy", "then", 0)
    return replace(record, **changed)
