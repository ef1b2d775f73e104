"""Journals made by the engine itself in a real file store: who ran what, and how it ended."""

from __future__ import annotations

import random as chance
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.unit.engine.steps import Script, Systems, node
from tests.unit.engine.world import (
    Crash,
    Disk,
    Machine,
    Process,
    job,
    machine,
    planned,
)

from cbctl.engine import journal, lock, run
from cbctl.engine.canonical import canonical
from cbctl.engine.event import Event
from cbctl.engine.job import Ended, Job
from cbctl.engine.journal import GENESIS, RUNS
from cbctl.engine.store import LockRecord, Owner
from cbctl.errors import CbctlError
from cbctl.stores.files import FileStore

HOSTILE = "<script>alert('x')</script>\x1b]0;owned\x07\x1b[31mred\u202e & \"quoted\""


class Mortal(FileStore):
    """A process that died writes nothing more."""

    process = Process()
    dies_before = b""  # writing a record that holds this

    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        if self.dies_before and self.dies_before in line:
            self.process.dead = True
        self.process.point()
        super().append(stream, expected, token, line)

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        self.process.point()
        super().swap_lock(expected, new)


@dataclass
class Place:
    """One environment: its folder, its clock and its systems. `scripts` are of the next run.

    events  what the last run told
    """

    folder: Path
    disk: Disk = field(default_factory=lambda: Disk(monotonic=0.0))
    systems: Systems = field(default_factory=Systems)
    dead: set[int] = field(default_factory=set)
    pids: int = 0
    events: list[Event] = field(default_factory=list)

    @property
    def store(self) -> FileStore:
        return FileStore(self.folder, self._state)

    @property
    def runs(self) -> list[str]:
        return [s.removeprefix(RUNS) for s in self.store.streams(RUNS)]

    def lines(self, stream: str) -> list[bytes]:
        return self.store.read(stream)

    def write(self, stream: str, lines: Sequence[bytes]) -> None:
        """As somebody does who owns the files."""
        (self.folder / f"{stream}.ndjson").write_bytes(b"".join(x + b"\n" for x in lines))

    def rewrite(self, stream: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the records of a stream and makes its chain good again."""
        import msgspec

        last, lines = GENESIS, []
        for line in self.lines(stream):
            record = msgspec.json.decode(line)
            change(record)
            record["prev_hash"] = last
            lines.append(canonical(record))
            last = journal._hash(lines[-1])
        self.write(stream, lines)

    def later(self, seconds: float) -> None:
        self.disk.monotonic += seconds

    def machine(self, who: str) -> Machine:
        self.pids += 1
        process = Process(pid=self.pids)
        made = machine(self.disk, 7, process=process)
        store = Mortal(self.folder, self._state)
        store.process = process
        owner = Owner("boot", process.pid, "then", f"{who}-laptop", who)
        made.world = replace(
            made.world, store=store, identify=lambda: owner, random=_Numbered(self.pids), scrub=str
        )
        return made

    def job(self, on: Machine, scripts: Mapping[str, Script], **more: Any) -> Job:
        value = more.pop("value", "new")
        before: tuple[str, ...] = ()
        nodes = []
        for id, script in scripts.items():
            nodes.append(node(id, self.systems, on.process, script, needs=before, value=value))
            before = (id,)
        made = job(*nodes, **more)
        return replace(made, environment="local", reason=f"{made.kind} local")

    def deploy(self, scripts: Mapping[str, Script], who: str = "anna", **more: Any) -> Ended | None:
        """None: it was killed."""
        on = self.machine(who)
        return self._go(on, lambda: self._start(on, self.job(on, scripts, **more)))

    def resume(
        self, scripts: Mapping[str, Script], who: str = "ben", id: str = "", **more: Any
    ) -> Ended | None:
        on = self.machine(who)
        return self._go(on, lambda: self._resume(on, self.job(on, scripts, **more), id))

    def beside(self, scripts: Mapping[str, Script], who: str = "anna", **more: Any) -> str:
        """The id of what was done beside the holder of the lock."""
        on = self.machine(who)
        doing = self.job(on, scripts, **more)
        return run.beside(on.world, doing, planned(on, doing)).run

    def break_lock(self, who: str, reason: str) -> str:
        """As `cbctl lock break` does."""
        world = self.machine(who).world
        return lock.break_lock(world.store, world.clock, world.random, world.owner, reason)

    def _start(self, on: Machine, job: Job) -> Ended:
        since = run.moment(on.world.store)
        return run.start(on.world, job, planned(on, job), since)

    def _resume(self, on: Machine, job: Job, id: str) -> Ended:
        since = run.moment(on.world.store)
        return run.resume(on.world, job, planned(on, job), id or self.runs[-1], since)

    def _go(self, on: Machine, work: Callable[[], Ended]) -> Ended | None:
        self.events = on.events
        with suppress(Crash):
            return work()
        self.dead.add(on.process.pid)
        return None

    def _state(self, owner: Owner) -> str:
        return "dead" if owner.pid in self.dead else "alive"


class _Numbered:
    def __init__(self, pid: int) -> None:
        self._seeded = chance.Random(pid)

    def token(self, size: int) -> str:
        return self._seeded.randbytes(size).hex()


def dies(place: Place) -> Script:
    """Its process is killed in the middle of its work."""

    def die(ctx: Any, inputs: Any) -> Any:
        ctx.sleep(2)
        ctx.world.store.process.dead = True
        raise Crash

    return Script(say={"apply": die})


def fails(error: str, fix: str = "", **evidence: Any) -> Script:
    def fail(ctx: Any, inputs: Any) -> Any:
        ctx.sleep(5)
        raise CbctlError(error, fix=fix, evidence=evidence)

    return Script(say={"verify": fail})


def stops() -> Script:
    """Somebody presses Ctrl-C while it works."""

    def stop(ctx: Any, inputs: Any) -> Any:
        ctx.world.stop.request("SIGINT")
        ctx.sleep(1)

    return Script(say={"apply": stop})


# -- whole stories --------------------------------------------------------------------------


def succeeded(place: Place, **more: Any) -> str:
    steps = {"postgres": Script(seconds=1.5), "api": Script(seconds=3)}
    ended = place.deploy(steps, release=["postgres", "api"], **more)
    assert ended and ended.result == "succeeded"
    return ended.run


def failed(place: Place, undo: bool = False, back: bool = True, error: str = "") -> str:
    steps = {
        "postgres": Script(seconds=1.5, back=back),
        "api": fails(
            error or "it does not answer on port 3000",
            "see what has the port",
            log=["starting", "bind: address already in use"],
            status=error or "exited",
        ),
        "verify": Script(),
    }
    ended = place.deploy(steps, undo=undo)
    assert ended and ended.result in ("not undone", "undone"), ended
    return ended.run


def interrupted(place: Place) -> str:
    steps = {"postgres": Script(seconds=1.5), "api": dies(place), "verify": Script()}
    assert place.deploy(steps, release=["postgres"]) is None
    return place.runs[-1]


def resumed(place: Place) -> str:
    id = interrupted(place)
    place.later(3600)
    steps = {"postgres": Script(), "api": Script(seconds=4), "verify": Script(seconds=0.5)}
    ended = place.resume(steps, release=["postgres"])
    assert ended and ended.result == "succeeded"
    return id


def cancelled(place: Place) -> str:
    ended = place.deploy({"postgres": Script(), "api": stops(), "verify": Script()})
    assert ended and ended.result == "cancelled"
    return ended.run


def waiting(place: Place) -> str:
    steps = {"postgres": Script(), "program": Script(waits=1, seconds=2), "api": Script()}
    ended = place.deploy(steps)
    assert ended and ended.result == "waiting"
    return ended.run


def deploy_hostile(place: Place) -> str:
    """Every text that can come from outside is meant to do harm."""
    bad = fails(HOSTILE, HOSTILE, **{HOSTILE: [HOSTILE]})
    ended = place.deploy({HOSTILE: bad}, who=HOSTILE, value=HOSTILE, undo=True)
    assert ended and ended.result == "undone"
    return ended.run
