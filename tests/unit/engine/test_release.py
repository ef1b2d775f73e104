"""The history of what was deployed and verified."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tests.unit.engine.world import Disk, Machine, held_by, machine

from cbctl.engine import release
from cbctl.engine.canonical import canonical
from cbctl.engine.journal import Head, Journal, Record
from cbctl.engine.store import SCHEMA
from cbctl.errors import CbctlError, Exit


def recorded(on: Machine, run: str, **parts: Any) -> str:
    return release.record(
        on.store,
        on.world.clock,
        1,
        run=run,
        who="me",
        state="healthy",
        parts=parts,
        identity={"cbctl": "1"},
        head=Head(f"runs/{run}", 3, "ab"),
    )


@pytest.fixture
def on() -> Machine:
    return machine(Disk(lock=held_by(1)))


def test_releases_are_numbered_and_the_last_is_what_runs(on: Machine) -> None:
    assert [recorded(on, run, elf=run) for run in ("x", "y", "z")] == ["r1", "r2", "r3"]
    known = release.history(on.store)
    assert [r.parts for r in known] == [{"elf": "x"}, {"elf": "y"}, {"elf": "z"}]
    assert release.current(known) == known[-1]
    assert known[0].journal == {"stream": "runs/x", "count": 3, "hash": "ab"}
    assert release.current([]) is None


def test_a_run_records_one_release_however_often_it_is_resumed(on: Machine) -> None:
    assert recorded(on, "x", elf=1) == "r1"
    recorded(on, "y", elf=2)
    assert recorded(on, "x", elf=1) == "r1"
    assert len(on.disk.streams[release.HISTORY]) == 2


def test_marks_are_kept_beside_what_was_recorded(on: Machine) -> None:
    recorded(on, "x")
    for _ in range(2):
        release.mark(on.store, on.world.clock, 1, "r1", "bad", "me", "it crashed")
    assert [(r.state, r.reason) for r in release.history(on.store)] == [("bad", "it crashed")]
    assert len(on.disk.streams[release.HISTORY]) == 2


def test_differs_from_what_runs(on: Machine) -> None:
    assert release.differs(on.store, {"elf": 1})
    recorded(on, "x", elf=1)
    assert not release.differs(on.store, {"elf": 1})
    assert release.differs(on.store, {"elf": 2})
    release.mark(on.store, on.world.clock, 1, "r1", "bad", "me", "")
    assert release.differs(on.store, {"elf": 1}), "a bad one is deployed again as a new one"


def test_an_unknown_release_is_named_with_those_that_are_known(on: Machine) -> None:
    recorded(on, "x")
    with pytest.raises(CbctlError, match="there is no release r9") as caught:
        release.mark(on.store, on.world.clock, 1, "r9", "bad", "me", "")
    assert (caught.value.exit, caught.value.fix) == (Exit.USAGE, "known: r1")


def test_what_a_newer_minor_version_adds_is_passed_over(on: Machine) -> None:
    recorded(on, "x")
    log = Journal(on.store, on.world.clock, release.HISTORY, 1)
    first = release.history(on.store)[0]
    data = {f: getattr(first, f) for f in ("run", "who", "state", "parts", "identity", "journal")}
    log.write("release.recorded", **{**data, "id": "r2", "soak": 600})
    log.write("release.signed", id="r2")
    assert [r.id for r in release.history(on.store)] == ["r1", "r2"]


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("release.marked", {"id": "r7", "state": "bad", "reason": ""}),
        ("release.recorded", {"id": "r2"}),
        ("release.recorded", {"run": "x"}),
    ],
)
def test_a_record_that_makes_no_sense_is_named(on: Machine, type: str, data: Any) -> None:
    recorded(on, "x")
    (before,) = on.store.read(release.HISTORY)
    hash = hashlib.sha256(before).hexdigest()
    by_hand = Record(SCHEMA, 2, hash, "2026-11-20T00:00:00Z", 1, type, data)
    on.store.append(release.HISTORY, 1, 1, canonical(by_hand))
    with pytest.raises(CbctlError, match=r"record 2 is no release"):
        release.history(on.store)
