"""Several operators at work on one environment, with machines, processes and threads of their own.

Everything that can go wrong does, by the seed: processes are killed, stopped and told to stop at
any call, machines sleep, calls are slow or fail, renewals are late or lost, clocks are apart and
jump, locks are broken while their holder lives.
"""

from __future__ import annotations

import random as chance
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import msgspec
from tests.unit.engine.baton import Baton
from tests.unit.engine.world import (
    Crash,
    Disk,
    Done,
    FakeClock,
    Machine,
    MemoryStore,
    Process,
    machine,
)

from cbctl.engine import lock as locks
from cbctl.engine import release
from cbctl.engine.executor import Repeating, Task
from cbctl.engine.job import Ended
from cbctl.engine.journal import Record
from cbctl.engine.lock import TIME_TO_LIVE
from cbctl.engine.store import Fenced, LockRecord, Owner
from cbctl.errors import CbctlError, Exit

T = TypeVar("T")

Act = Callable[[Machine], Ended | None]

BREAKS = "nobody is there"


@dataclass(frozen=True)
class Trouble:
    """How likely it is.

    switch, slow, stop, fault  at a point; switch: that another thread goes on
    kill, cancel, breaks       of a command; breaks: it begins by breaking the lock
    late, lost                 of a renewal
    """

    switch: float
    slow: float
    stop: float
    fault: float
    kill: float
    cancel: float
    breaks: float
    late: float
    lost: float

    @classmethod
    def of(cls, seeded: chance.Random) -> Trouble:
        return cls(
            switch=seeded.choice([0.05, 0.3, 1.0]),
            slow=seeded.choice([0.0, 0.01, 0.05]),
            stop=seeded.choice([0.0, 0.003, 0.01]),
            fault=seeded.choice([0.0, 0.0, 0.003]),
            kill=seeded.choice([0.0, 0.5]),
            cancel=seeded.choice([0.0, 0.2]),
            breaks=seeded.choice([0.0, 0.3]),
            late=seeded.choice([0.0, 0.2]),
            lost=seeded.choice([0.0, 0.3, 1.0]),
        )


@dataclass
class Host:
    """
    ahead  of its monotonic clock, which stands still while the machine sleeps
    wall   how wrong its other clock is
    """

    ahead: float
    wall: float
    processes: list[Operated] = field(default_factory=list)


class Operated(Process):
    """A process among others: at each of its points somebody else may come between."""

    def __init__(self, crowd: Crowd, host: Host, pid: int, crash_at: int) -> None:
        super().__init__(pid, crash_at)
        self.crowd, self.host, self.stopped_until = crowd, host, 0.0
        host.processes.append(self)

    def point(self) -> None:
        super().point()
        self.crowd.happens(self)
        if self.dead:  # killed at a point of another of its threads
            raise Crash

    def seen_from(self, host: Host) -> str:
        if host is not self.host:
            return "unknown"
        if self.dead:
            return "dead"
        return "unknown" if self.stopped_until > self.crowd.baton.now else "alive"


class Crowd:
    """
    truthful  whether a release of these parts may be recorded now
    wrongs    what must not have happened
    """

    def __init__(
        self,
        seed: int,
        seeded: chance.Random,
        disk: Disk,
        truthful: Callable[[dict[str, Any]], bool],
        tell: Callable[[str], None],
    ) -> None:
        self.seeded, self._seed, self._disk = seeded, seed, disk
        self._truthful, self._tell = truthful, tell
        self.trouble = Trouble.of(seeded)
        self.baton = Baton(seeded, self.trouble.switch, disk.monotonic)
        self.wrongs: list[str] = []
        self._hosts = [
            Host(seeded.uniform(0, 1e6), seeded.choice([0.0, -3600.0, 3600.0]))
            for _ in range(seeded.randint(1, 3))
        ]
        self._processes: dict[int, Operated] = {}
        self._renewed_at = 0.0
        disk.appended, disk.swapped = self._appended, self._swapped

    def run(self, operators: Sequence[Act], points: int) -> None:
        """points: about how many a command has"""
        for act in operators:
            idle = self._process(self.seeded.choice(self._hosts), 0)
            self.baton.spawn(idle, partial(self._tries, idle.host, act, points))
        self.baton.run()
        self._disk.monotonic = self.baton.now

    def likely(self, chance: float) -> bool:
        return self.seeded.random() < chance

    # -- operators --------------------------------------------------------------------------

    def _tries(self, host: Host, act: Act, points: int) -> None:
        for _ in range(self.seeded.randint(1, 3)):
            self.baton.sleep(self.seeded.choice([0.0, 0.0, 1.0, 10.0, 30.0]))
            killed = self.likely(self.trouble.kill)
            process = self._process(host, self.seeded.randint(1, 2 * points) if killed else 0)
            self.baton.becomes(process)
            try:
                self._command(process, act)
            except Crash:
                self._tell(f"{process.pid} is killed")
            process.dead = True

    def _process(self, host: Host, crash_at: int) -> Operated:
        process = Operated(self, host, len(self._processes) + 1, crash_at)
        self._processes[process.pid] = process
        return process

    def _command(self, process: Operated, act: Act) -> None:
        threads = Threads(process)
        on = self._machine(process, threads)
        if self.likely(self.trouble.cancel):
            self.baton.spawn(process, lambda: self._ctrl_c(on))
        lock = self._disk.lock
        try:
            if lock and lock.held and self.likely(self.trouble.breaks):
                locks.break_lock(on.store, on.world.clock, on.world.random, on.world.owner, BREAKS)
            ended = act(on)
        except (CbctlError, Fenced, OSError) as error:
            if not self._explained(error):
                raise
            self._tell(f"{process.pid} fails: {error}")
            return
        self._tell(f"{process.pid} ends: {ended.result if ended else 'nothing to do'}")
        if ended and ended.run and threads.busy:
            self.wrongs.append(f"a step of {ended.run} goes on after the run")

    def _machine(self, process: Operated, threads: Threads) -> Machine:
        on = machine(self._disk, self._seed, process=process)

        def state(owner: Owner) -> str:
            return self._processes[owner.pid].seen_from(process.host)

        on.world = replace(
            on.world,
            store=MemoryStore(self._disk, process, state),
            clock=HostClock(self._disk, process, self.seeded),
            executor=threads,
        )
        return on

    def _ctrl_c(self, on: Machine) -> None:
        self.baton.sleep(self.seeded.choice([0.0, 0.5, 5.0, 20.0]))
        on.world.stop.request("SIGINT")

    def _explained(self, error: Exception) -> bool:
        if isinstance(error, CbctlError) and error.exit is not Exit.FAILED:
            return error.exit in (Exit.LOCKED, Exit.REFUSED, Exit.USAGE, Exit.CANCELLED)
        return isinstance(error, Fenced) or self.trouble.fault > 0

    # -- what happens to them ---------------------------------------------------------------

    def happens(self, process: Operated) -> None:
        """At a point of that process."""
        if self.likely(self.trouble.slow):
            self.baton.sleep(self.seeded.choice([0.01, 1.0, 6.0, 20.0]))
        if self.likely(self.trouble.stop):
            self._stop(process, self.seeded.choice([1.0, 8.0, 20.0, 60.0]))
        self.baton.point()
        if self.likely(self.trouble.fault):
            raise OSError(5, "Input/output error")

    def _stop(self, process: Operated, seconds: float) -> None:
        """By SIGSTOP, or because its machine sleeps."""
        stopped = [process]
        if self.likely(0.5):
            stopped = process.host.processes
            process.host.ahead -= seconds
        for each in stopped:
            each.stopped_until = self.baton.now + seconds
        self._tell(f"{process.pid} is stopped for {seconds:g} s")
        self.baton.sleep(0.0)

    # -- what must not happen ---------------------------------------------------------------

    def _appended(self, stream: str, line: bytes) -> None:
        self._tell(f"{stream} {line.decode()}")
        record = msgspec.json.decode(line, type=Record)
        recorded = stream == release.HISTORY and record.type == "release.recorded"
        if recorded and not self._truthful(record.data["parts"]):
            self.wrongs.append(f"release {record.data['id']} is not what is there")

    def _swapped(self, before: LockRecord | None, now: LockRecord) -> None:
        self._tell(f"lock {now.token} of {now.owner.pid}: {now.held} {now.renewals} {now.reason}")
        if before and before.held and before.token != now.token and now.reason != BREAKS:
            silent = self.baton.now - self._renewed_at
            if not self._processes[before.owner.pid].dead and silent < TIME_TO_LIVE:
                self.wrongs.append(f"lock {before.token} was taken from a holder who renews it")
        self._renewed_at = self.baton.now


class HostClock(FakeClock):
    def __init__(self, disk: Disk, process: Operated, jumps: chance.Random) -> None:
        super().__init__(disk, process, jumps)
        self._host, self._baton = process.host, process.crowd.baton
        self.offset = process.host.wall

    def monotonic(self) -> float:
        return self._baton.now + self._host.ahead

    def sleep(self, seconds: float) -> None:
        self.process.point()
        self._baton.sleep(max(seconds, 0.001))


class Threads:
    """An Executor with a thread for every task, and for renewals."""

    def __init__(self, process: Operated) -> None:
        self._process, self._baton = process, process.crowd.baton
        self._tasks: list[Done[Any]] = []

    @property
    def busy(self) -> bool:
        return not all(t.over for t in self._tasks)

    def submit(self, work: Callable[[], T]) -> Task[T]:
        self._process.point()
        task = Done(work)
        self._tasks.append(task)
        self._baton.spawn(self._process, task.run)
        return task

    def wait(self, tasks: Sequence[Task[T]]) -> Sequence[Task[T]]:
        self._process.point()
        mine = [t for t in tasks if isinstance(t, Done)]
        self._baton.until(lambda: self._process.dead or any(t.over for t in mine))
        if self._process.dead:
            raise Crash
        return [t for t in mine if t.over]

    def every(self, seconds: float, work: Callable[[], None]) -> Repeating:
        return _Renewing(self._process, seconds, work)


class _Renewing:
    def __init__(self, process: Operated, seconds: float, work: Callable[[], None]) -> None:
        self._process, self._seconds, self._work = process, seconds, work
        self._cancelled = self._over = False
        process.crowd.baton.spawn(process, self._run)

    def cancel(self) -> None:
        self._cancelled = True
        self._process.crowd.baton.until(lambda: self._over)

    def _run(self) -> None:
        crowd = self._process.crowd
        with suppress(Crash):
            while self._goes_on_after(self._seconds):
                if crowd.likely(crowd.trouble.lost):
                    continue
                if crowd.likely(crowd.trouble.late):
                    self._goes_on_after(1.5 * TIME_TO_LIVE)
                self._work()
        self._over = True

    def _goes_on_after(self, seconds: float) -> bool:
        def ends() -> bool:
            return self._cancelled or self._process.dead

        self._process.crowd.baton.until(ends, seconds)
        return not ends()
