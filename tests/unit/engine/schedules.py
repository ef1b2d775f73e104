"""Seeded schedules: whatever dies wherever, and whoever comes between, the end is the same.

`python -m tests.unit.engine.schedules NAME SEED` replays one exactly and shows what happened.
"""

from __future__ import annotations

import random as chance
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tests.unit.engine.crowd import Crowd
from tests.unit.engine.steps import Kind, Script, Systems, node
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

from cbctl.engine import past, release, run
from cbctl.engine.job import Ended, Job
from cbctl.errors import CbctlError, Exit
from cbctl.report import audit_check
from cbctl.report.audit_copy import copy

Tell = Callable[[str], None]


# -- what there is to do --------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A step of a scenario and what it comes after."""

    id: str
    script: Script
    needs: tuple[str, ...]
    refers: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """fatal: its last step always fails, and the run is undone."""

    entries: tuple[Entry, ...]
    fatal: bool

    def job(self, systems: Systems, process: Process, value: str = "new") -> Job:
        nodes = [
            node(e.id, systems, process, e.script, needs=e.needs, refers=e.refers, value=value)
            for e in self.entries
        ]
        return job(*nodes, undo=self.fatal, release=[n.id for n in nodes], identity=value)

    def troubled(self, seeded: chance.Random) -> Scenario:
        """The same with steps that are slow, fail or lie a few times."""

        def some(script: Script) -> Script:
            def times(most: int) -> int:
                return seeded.choice([0, 0, 0, seeded.randint(1, most)])

            return replace(
                script,
                fails=script.fails or times(2),
                skips=times(1),
                breaks=times(1),
                waits=times(2) if script.kind == "visible" else 0,
                lies=times(2),
                blind=times(1),
                seconds=seeded.choice([0.0, 0.3, 3.0, 20.0]),
            )

        return replace(self, entries=tuple(replace(e, script=some(e.script)) for e in self.entries))

    def shown(self, systems: Systems, parts: dict[str, Any]) -> bool:
        """Whether the systems are what a release of these parts says."""
        return all(
            systems.values.get(f"{e.id}.{i}") == parts[e.id]
            for e in self.entries
            for i in range(e.script.parts)
        )


def scenario(seeded: chance.Random, fatal: bool = False) -> Scenario:
    kinds: list[Kind] = ["visible", "visible", "identified"]
    if not fatal:
        kinds.append("message")  # it has no way back
    ids = [f"s{i}" for i in range(seeded.randint(2, 5))]
    entries = []
    for i, id in enumerate(ids):
        last = fatal and id == ids[-1]
        script = Script(
            kind=seeded.choice(kinds),
            parts=seeded.randint(1, 3),
            seconds=seeded.choice([0.0, 0.0, 0.3]),
            fails=1_000_000 if last else 0,
        )
        before = [b for b in ids[:i] if seeded.random() < 0.4]
        refers = tuple(b for b in before if seeded.random() < 0.5)
        needs = tuple(b for b in before if b not in refers)
        if last:  # it fails when all the others are there
            needs, refers = tuple(ids[:-1]), ()
        entries.append(Entry(id, script, needs, refers))
    return Scenario(tuple(entries), fatal)


# -- who does it ----------------------------------------------------------------------------


def go_on(on: Machine, job: Job) -> Ended | None:
    """What an operator does who finds an environment as a crash left it: resumes what did not end,
    deploys anew what was meant otherwise, and leaves alone what was undone."""
    since = run.moment(on.store)
    unfinished = past.open_run(on.store)
    if unfinished and on.disk.records(unfinished)[0].data["identity"] == job.identity:
        return resume(on, job, unfinished, since)
    if not unfinished and undone(on.disk):
        return None
    return deploy(on, job, since)


def undone(disk: Disk) -> bool:
    """Whether the newest run is over and was undone."""
    last = [disk.records(id)[-1] for id in disk.runs()]
    results = [r.data["result"] for r in last if r.type == "run.ended"]
    return results[-1:] == ["undone"]


def until_settled(
    disk: Disk, job: Callable[[Process], Job], seed: int, crash_at: Callable[[], int] = lambda: 0
) -> None:
    """New processes, one after the other, until one has nothing more to do."""
    for pid in range(1001, 1101):
        process = Process(pid, crash_at=crash_at())
        others = dict.fromkeys(range(pid), "dead")
        on = machine(disk, seed, process=process, states=others, jumps=True)
        with suppress(Crash):
            ended = go_on(on, job(process))
            if ended is None or ended.result == "unchanged":
                return
    raise AssertionError("it never came to its end")


# -- what must be true afterwards -----------------------------------------------------------


def unbroken(made: Scenario, seed: int, value: str = "new") -> tuple[Disk, Systems, int]:
    """What nobody disturbs; and how many points it has."""
    disk, systems, process = Disk(), Systems(), Process()
    ended = deploy(machine(disk, seed, process=process), made.job(systems, process, value))
    assert ended.exit is (Exit.UNDONE if made.fatal else Exit.DONE), ended
    return disk, systems, process.points


def check(disk: Disk, systems: Systems, other_disk: Disk, other: Systems) -> None:
    """Everybody wanted the same: its end is that of the other, which nobody disturbed."""
    assert systems.end == other.end, f"it ended as {systems.end}, not {other.end}"
    doubled = [k for k, n in Counter((s, v) for s, _, v in systems.sent).items() if n > 1]
    assert not doubled, f"effects that were made twice: {doubled}"
    assert parts(disk) == parts(other_disk), f"releases: {parts(disk)}"
    check_order(disk, systems, other)


def check_last(disk: Disk, systems: Systems, other_disk: Disk, other: Systems) -> None:
    """Everybody wanted something else: its end is what the last one wanted."""
    assert systems.values == other.values, f"it ended as {systems.values}, not {other.values}"
    assert parts(disk)[-1] == parts(other_disk)[-1], f"the last release is {parts(disk)[-1]}"
    assert all(a != b for a, b in pairwise(parts(disk))), "a release that is the one before it"
    paid = Counter(str(identity).rpartition("/")[0] for _, identity, _ in systems.sent)
    doubled = [run for run, n in paid.items() if n > 1]
    assert not doubled, f"runs whose effect was made twice: {doubled}"
    check_order(disk, systems, other)


def check_order(disk: Disk, systems: Systems, other: Systems) -> None:
    missing = {step for _, step in other.told} - {step for _, step in systems.told}
    assert not missing, f"messages that were never sent: {missing}"
    tokens = [token for token, _ in systems.changed]
    assert tokens == sorted(tokens), "an effect of somebody who had lost the lock"
    appended = [token for token, _ in disk.token_log]
    assert appended == sorted(appended), "a record of somebody who had lost the lock"
    found = audit_check.verify(copy(machine(disk, process=Process(999)).store, "test")).findings
    assert not found, found


def parts(disk: Disk) -> list[dict[str, Any]]:
    return [r.parts for r in release.history(machine(disk, process=Process(999)).store)]


def ends(disk: Disk) -> list[tuple[str, set[tuple[str, str]]]]:
    """Result and changes of the runs that came to an end."""
    found = []
    for id in disk.runs():
        last = disk.records(id)[-1]
        if last.type == "run.ended" and last.data["changes"]:
            changes = {(c["step"], c["what"]) for c in last.data["changes"]}
            found.append((str(last.data["result"]), changes))
    return found


# -- schedules ------------------------------------------------------------------------------


def told(tell: Tell) -> Disk:
    return Disk(appended=lambda stream, line: tell(f"{stream} {line.decode()}"))


def killed(seed: int, tell: Tell, fatal: bool = False) -> None:
    """Killed at any call, once or several times, and gone on with."""
    seeded = chance.Random(seed)
    made = scenario(seeded, fatal)
    other_disk, other, points = unbroken(made, seed)
    disk, systems = told(tell), Systems()
    process = Process(1, crash_at=seeded.randint(1, points))
    on = machine(disk, seed, process=process, jumps=True)
    crashes(lambda: deploy(on, made.job(systems, process)))

    def again() -> int:
        return seeded.randint(1, points) if seeded.random() < 0.4 else 0

    until_settled(disk, lambda process: made.job(systems, process), seed, again)
    check(disk, systems, other_disk, other)
    assert ends(disk) == ends(other_disk), f"runs ended as {ends(disk)}"


def killed_and_undone(seed: int, tell: Tell) -> None:
    """The same of a run that fails in the end and is undone."""
    killed(seed, tell, fatal=True)


def failing(seed: int, tell: Tell) -> None:
    """Calls of the store, of the executor or of a step raise, before or after their effect (a full
    disk, a lost answer); the engine must not die of it, and the next one goes on."""
    seeded = chance.Random(seed)
    made = scenario(seeded)
    other_disk, other, points = unbroken(made, seed)
    disk, systems = told(tell), Systems()
    faults = {seeded.randint(1, points): OSError(5, "Input/output error") for _ in range(2)}
    process = Process(1, faults=dict(faults))
    on = machine(disk, seed, process=process, jumps=True)
    try:
        ended = deploy(on, made.job(systems, process))
        assert on.told("run.ended")[-1]["exit"] == ended.exit
        assert ended.exit in (Exit.DONE, Exit.FAILED, Exit.NOT_UNDONE)
    except (CbctlError, OSError):
        assert not systems.changed, "it changed something and then died"
    until_settled(disk, lambda process: made.job(systems, process), seed)
    check(disk, systems, other_disk, other)


def crowded(seed: int, tell: Tell) -> None:
    """Two to five operators at once, on steps that are slow, fail and lie; they all want the same,
    or each something else."""
    seeded = chance.Random(seed)
    fatal = seeded.random() < 0.25
    calm = scenario(seeded, fatal)
    made = calm.troubled(seeded)
    count = seeded.randint(2, 5)
    own = not fatal and seeded.random() < 0.3
    values = [f"v{i}" if own else "new" for i in range(count)]
    other_disk, other, points = unbroken(calm, seed, values[-1])
    disk, systems = Disk(), Systems()
    blind = any(e.script.blind for e in made.entries)

    def wanted(value: str) -> Callable[[Process], Job]:
        return lambda process: made.job(systems, process, value)

    def act(value: str) -> Callable[[Machine], Ended | None]:
        return lambda on: go_on(on, wanted(value)(on.process))

    crowd = Crowd(seed, seeded, disk, lambda parts: blind or made.shown(systems, parts), tell)
    crowd.run([act(v) for v in values], points)
    until_settled(disk, wanted(values[-1]), seed)
    assert not crowd.wrongs, crowd.wrongs
    (check_last if own else check)(disk, systems, other_disk, other)


SCHEDULES: dict[str, Callable[[int, Tell], None]] = {
    s.__name__: s for s in (killed, killed_and_undone, failing, crowded)
}


def each(name: str, seeds: Iterable[int]) -> None:
    for seed in seeds:
        try:
            SCHEDULES[name](seed, lambda text: None)
        except BaseException as error:
            error.add_note(f"replay it: python -m tests.unit.engine.schedules {name} {seed}")
            raise


if __name__ == "__main__":
    SCHEDULES[sys.argv[1]](int(sys.argv[2]), print)
