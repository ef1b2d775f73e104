"""Holders of a lock in a cluster that take it from each other, stand still and die at any request:
what one of them wrote is there, what a former one tries is not, and nobody sees half of it.

The server is made up, and as strict as the real one: a change needs the version that it was seen
in. Answers are lost; what the client does then (it asks again, and is told of a conflict) is here.
"""

from __future__ import annotations

import copy
import random as chance
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import pytest
from tests.unit.engine.baton import Baton

from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner
from cbctl.stores.cluster import objects, streams
from cbctl.stores.cluster.objects import Changed, Kind, Objects
from cbctl.stores.cluster.store import ClusterStore

T = TypeVar("T")
Object = dict[str, Any]
STREAMS = ("runs/one", "runs/two", "runs/wan", "releases/history")
SEEDS = 300
BLOCKS = 20
"""Of so many seeds, in `make nightly`; one of them in `make test`."""
BESIDE = "beside/one"
FULL = 10_000


class Dead(Exception):
    """The process was killed."""


@dataclass
class Server:
    """What the cluster holds.

    strict  a change of another version than the present one is refused"""

    baton: Baton
    seeded: chance.Random
    strict: bool = True
    kept: dict[tuple[Kind, str], Object] = field(default_factory=dict)
    version: int = 0

    def put(self, kind: Kind, name: str, wanted: Object) -> Object:
        self.version += 1
        made = copy.deepcopy(wanted)
        made["metadata"] |= {"name": name, "resourceVersion": str(self.version)}
        self.kept[kind, name] = made
        return copy.deepcopy(made)


@dataclass
class Process:
    stopped_until: float = 0.0
    calls_left: int = 1_000_000


class Made(Objects):
    """Requests of one process; before and after each of them others come between."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server, self._process = server, process
        self.holding = False

    @property
    def where(self) -> str:
        return "made up"

    def get(self, kind: Kind, name: str) -> Object | None:
        return self._asked(lambda: copy.deepcopy(self._server.kept.get((kind, name))))

    def selected(self, labels: str) -> list[Object]:
        return self._asked(lambda: copy.deepcopy(list(self._matching(labels))))

    def metadata(self, labels: str) -> list[Object]:
        return self._asked(lambda: [one["metadata"] for one in self._matching(labels)])

    def may_delete(self, name: str) -> bool:
        return True

    def delete(self, name: str) -> None:
        self._asked(lambda: self._server.kept.pop((objects.CONFIG_MAP, name), None))

    def create(self, kind: Kind, wanted: Object) -> Object:
        name = wanted["metadata"]["name"]

        def change() -> Object:
            if (kind, name) in self._server.kept:
                raise Changed
            return self._server.put(kind, name, wanted)

        return self._changed(change)

    def replace(self, kind: Kind, version: str, wanted: Object) -> Object:
        name = wanted["metadata"]["name"]

        def change() -> Object:
            self._seen(kind, name, version)
            return self._server.put(kind, name, wanted)

        return self._changed(change)

    def add(self, name: str, version: str, data: dict[str, str]) -> str:
        def change() -> str:
            there = self._seen(objects.CONFIG_MAP, name, version)
            data_now = {**(there.get("data") or {}), **data}
            made = self._server.put(objects.CONFIG_MAP, name, {**there, "data": data_now})
            return str(made["metadata"]["resourceVersion"])

        return self._changed(change)

    def _seen(self, kind: Kind, name: str, version: str) -> Object:
        there = self._server.kept.get((kind, name))
        if there is None:
            raise Changed
        if self._server.strict and there["metadata"]["resourceVersion"] != version:
            raise Changed
        assert not there.get("immutable")
        return there

    def _matching(self, labels: str) -> list[Object]:
        maps = [one for (kind, _), one in self._server.kept.items() if kind == objects.CONFIG_MAP]
        return [one for one in maps if selects(labels, one["metadata"]["labels"])]

    def _changed(self, change: Callable[[], T]) -> T:
        made = self._asked(change)
        if self._server.seeded.random() < 0.1:  # the answer was lost, and the second try refused
            raise Changed
        return made

    def _asked(self, call: Callable[[], T]) -> T:
        self._point()
        answer = call()
        self._point()
        return answer

    def _point(self) -> None:
        server, process = self._server, self._process
        process.calls_left -= 1
        if process.calls_left == 0:
            raise Dead
        if server.seeded.random() < 0.03:
            process.stopped_until = server.baton.now + server.seeded.choice([1.0, 5.0])
        server.baton.point()


def selects(labels: str, those: dict[str, str]) -> bool:
    """`a=b,c`, or `a in (b,c)`."""
    name, among, values = labels.partition(" in ")
    if among:
        return those.get(name) in values.strip("()").split(",")
    wanted = [one.partition("=") for one in labels.split(",")]
    return all(name in those and value in ("", those[name]) for name, _, value in wanted)


@dataclass
class World:
    """
    token    the newest one that counts: its `swap_lock` has returned
    written  what was told to be written, by stream
    """

    server: Server
    token: int = 0
    written: dict[str, list[bytes]] = field(default_factory=dict)
    fenced: int = 0
    deaths: int = 0
    packed: bool = False


def hold(world: World, number: int) -> None:
    """Takes the lock from whoever has it, and writes until it is lost."""
    seeded = world.server.seeded
    process = Process()
    if seeded.random() < 0.4:
        process.calls_left = seeded.randrange(1, 60)
    world.server.baton.becomes(process)
    owner = Owner("boot", number, "then", "host", f"user {number}")
    store = ClusterStore(Made(world.server, process), lambda owner: "unknown")
    try:
        for _ in range(seeded.randrange(1, 4)):
            try:
                term(world, store, owner)
            except (Conflict, Fenced):
                world.fenced += 1
    except Dead:
        world.deaths += 1


def term(world: World, store: ClusterStore, owner: Owner) -> None:
    seeded = world.server.seeded
    before = store.read_lock()
    token = before.token + 1 if before else 1
    record = LockRecord(token, True, owner, "run", "why", "now", 0)
    store.swap_lock(before, record)
    world.token = max(world.token, token)
    counts = {name: len(store.read(name)) for name in STREAMS}
    for number in range(seeded.randrange(6)):
        name = seeded.choice(STREAMS)
        line = f"{token} {owner.pid} {number} ".encode().ljust(seeded.choice([8, 3000]))
        late = world.token > token
        store.append(name, counts[name], token, line)
        assert not late, "somebody wrote after another one had taken the lock"
        counts[name] += 1
        world.written.setdefault(name, []).append(line)
        there = store.read(name)
        assert there[: counts[name]][-1] == line, "what was written is not read"
    if seeded.random() < 0.5:
        store.swap_lock(record, replace(record, held=False))


def aside(world: World) -> None:
    """Writes a stream of its own beside whoever holds the lock, or nobody."""
    seeded = world.server.seeded
    store = ClusterStore(Made(world.server, Process()), lambda owner: "unknown")
    for number in range(seeded.randrange(6)):
        line = f"aside {number} ".encode().ljust(seeded.choice([8, 3000]))
        store.append(BESIDE, number, None, line)
        world.written.setdefault(BESIDE, []).append(line)


def look(world: World) -> None:
    """A reader: each stream only grows, whatever is moved meanwhile."""
    store = ClusterStore(Made(world.server, Process()), lambda owner: "unknown")
    seen: dict[str, list[bytes]] = {name: [] for name in STREAMS}
    for _ in range(20):
        for name in STREAMS:
            now = store.read(name)
            assert now[: len(seen[name])] == seen[name], "a record vanished or changed"
            seen[name] = now


def pack(world: World) -> None:
    """Somebody who makes room, whenever it is."""
    store = ClusterStore(Made(world.server, Process()), lambda owner: "unknown")
    for token in range(2, 7):
        world.server.baton.until(lambda: world.token >= token, 20.0)  # noqa: B023
        store.tidy()
        world.packed |= any("archive" in name for _, name in world.server.kept)


def play(seed: int, *, strict: bool = True) -> World:
    seeded = chance.Random(seed)
    baton = Baton(seeded, seeded.choice([0.1, 0.5, 1.0]), 0.0)
    world = World(Server(baton, seeded, strict))
    for number in range(seeded.randrange(2, 5)):
        baton.spawn(Process(), partial(hold, world, number))
    baton.spawn(Process(), lambda: look(world))
    baton.spawn(Process(), lambda: aside(world))
    baton.spawn(Process(), lambda: pack(world))
    baton.run()
    return world


def check(world: World) -> None:
    """When all is over."""
    quiet = Baton(chance.Random(0), 0.0, 0.0)
    server = Server(quiet, chance.Random(0), kept=world.server.kept)
    store = ClusterStore(Made(server, Process()), lambda owner: "unknown")
    for name in STREAMS:
        found = store.read(name)
        # beside these there may be some whose writers died, or lost the lock, before they knew
        assert set(world.written.get(name, [])) <= set(found), "a record was lost"
        assert len(set(found)) == len(found), "a record stands there twice"
        tokens = [int(line.split()[0]) for line in found]
        assert tokens == sorted(tokens), "a former holder wrote after a later one"
    assert store.read(BESIDE) == world.written.get(BESIDE, [])
    there = [name for name in STREAMS[:3] if store.read(name)]
    assert store.streams("runs/") == there


@pytest.fixture(autouse=True)
def small_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("store", "streams"):
        monkeypatch.setattr(f"cbctl.stores.cluster.{module}.FULL", FULL)
    monkeypatch.setattr(streams, "LOOSE", 1)
    monkeypatch.setattr(streams, "BATCH", 1)


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, BLOCKS))]
)
def test_holders_that_take_the_lock_from_each_other(block: int) -> None:
    worlds = []
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        try:
            worlds.append(play(seed))
            check(worlds[-1])
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    assert sum(len(lines) for w in worlds for lines in w.written.values()) > SEEDS
    assert sum(w.packed for w in worlds) > SEEDS / 8
    assert sum(w.fenced for w in worlds) > SEEDS / 2 and sum(w.deaths for w in worlds) > SEEDS / 4


def test_a_server_that_looks_at_no_version_is_caught() -> None:
    for seed in range(SEEDS):
        try:
            check(play(seed, strict=False))
        except AssertionError:
            return
    raise AssertionError("nobody noticed")
