"""The power goes at any call of the file store: nothing that was reported durable is lost, nothing
half written counts, and the next process goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit.engine.steps import Script
from tests.unit.report import place as stories
from tests.unit.report.place import Place
from tests.unit.stores.disk import LUCK, Disk, Luck, PowerCut

from cbctl.engine import journal, release
from cbctl.engine.store import LockRecord, Owner
from cbctl.local.state import State
from cbctl.report.audit_check import verify
from cbctl.report.audit_copy import copy
from cbctl.stores.files import FileStore

ME = Owner("boot", 1, "start", "host", "me")
RUN, HISTORY = "runs/20261122T193348-9f3a1c", "releases/history"
BLOB = b"manifest" * 1000


@dataclass
class Work:
    """What a run does with its store, and what was reported as done.

    began  what was going on when the power went
    """

    store: FileStore
    lock: LockRecord | None = None
    records: dict[str, list[bytes]] = field(default_factory=lambda: {RUN: [], HISTORY: []})
    blobs: set[str] = field(default_factory=set)
    began: str = ""

    def swap(self, new: LockRecord) -> None:
        self.began = "lock"
        self.store.swap_lock(self.lock, new)
        self.lock = new

    def append(self, stream: str, token: int = 1) -> None:
        self.began = stream
        line = f'{{"record":{len(self.records[stream])}}}'.encode() * 5
        self.store.append(stream, len(self.records[stream]), token, line)
        self.records[stream].append(line)

    def blob(self) -> None:
        self.began = "blob"
        self.blobs.add(self.store.put_blob(BLOB))

    def all(self) -> None:
        taken = LockRecord(1, True, ME, "run", "deploy", "now", 0)
        self.swap(taken)
        self.append(RUN)
        self.append(RUN)
        self.swap(replace(taken, renewals=1))
        self.blob()
        self.append(RUN)
        self.append(HISTORY)
        self.append(RUN)
        self.swap(replace(taken, renewals=1, held=False))
        self.began = ""


def store(folder: Path) -> FileStore:
    return FileStore(folder, lambda owner: "dead")


def played(root: Path, dies_at: int, patch: pytest.MonkeyPatch) -> tuple[Disk, Work]:
    root.mkdir()
    disk, work = Disk(root, dies_at), Work(store(root))
    with patch.context() as watched:
        disk.watch(watched)
        try:
            work.all()
        except PowerCut:
            return disk, work
    assert not dies_at
    return disk, work


def check(work: Work, folder: Path) -> None:
    """What is left holds all that was reported, and at most the change that was going on."""
    after = store(folder)
    for stream, lines in work.records.items():
        found = after.read(stream)
        assert found[: len(lines)] == lines, f"a record of {stream} is lost"
        assert len(found) <= len(lines) + (work.began == stream)
        assert (stream in after.streams(stream.split("/")[0] + "/")) == bool(found)
    lock = after.read_lock()
    assert lock == work.lock or work.began == "lock"
    for name in work.blobs:
        assert after.get_blob(name) == BLOB
    # The next process goes on as after any other end, in the same folder.
    token = (lock.token if lock else 0) + 1
    held = LockRecord(token, True, ME, "next", "resume", "later", 0)
    after.swap_lock(lock, held)
    for stream in work.records:
        before = after.read(stream)
        after.append(stream, len(before), token, b"on")
        assert after.read(stream) == [*before, b"on"]
    assert after.get_blob(after.put_blob(BLOB)) == BLOB
    assert after.read_lock() == held


@pytest.mark.parametrize("luck", LUCK)
def test_the_power_goes_at_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, luck: Luck
) -> None:
    whole, work = played(tmp_path / "0", 0, monkeypatch)
    assert whole.calls > 40
    for number in range(1, whole.calls + 1):
        disk, work = played(tmp_path / f"{number}", number, monkeypatch)
        disk.cut(luck, tmp_path / f"{number}-after")
        disk.close()
        check(work, tmp_path / f"{number}-after")
    whole.cut(luck, tmp_path / "0-after")
    whole.close()
    check(work, tmp_path / "0-after")


SAMPLE = ("synced", "names")


@pytest.mark.parametrize(
    "luck", [x if x in SAMPLE else pytest.param(x, marks=pytest.mark.nightly) for x in LUCK]
)
def test_the_power_goes_while_the_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, luck: Luck
) -> None:
    """Whoever makes it next gets one that works; and a journal in it is not lost with it."""

    def made(number: int) -> tuple[Disk, State | None]:
        (tmp_path / f"{number}").mkdir(mode=0o700)
        disk = Disk(tmp_path / f"{number}", number)
        with monkeypatch.context() as watched:
            disk.watch(watched)
            try:
                state = State.open("plat", "local", root=disk.root / "state")
                state.write_secret("password", "kept")
                Work(store(state.path)).all()
            except PowerCut:
                return disk, None
        return disk, state

    whole, _ = made(0)
    for number in range(1, whole.calls + 1):
        disk, _ = made(number)
        disk.cut(luck, tmp_path / f"{number}-after")
        disk.close()
        again = State.open("plat", "local", root=tmp_path / f"{number}-after" / "state")
        assert len(again.key) == 32
        assert again.generate_secret("password")
        again.remove_unfinished()
        left = [p for p in again.path.rglob(".*") if p.parent.name in ("secrets", "services")]
        assert left == []
    whole.cut(luck, tmp_path / "0-after")
    whole.close()
    state = State.open("plat", "local", root=tmp_path / "0-after" / "state")
    assert state.secret("password") == "kept"
    assert len(store(state.path).read(RUN)) == 4


@pytest.mark.parametrize(
    ("story", "steps", "parts"),
    [
        (stories.interrupted, ("postgres", "api", "verify"), ("postgres",)),  # an intent
        (stories.succeeded, ("postgres", "api"), ("postgres", "api")),  # the end of the run
    ],
)
def test_a_last_record_that_is_torn_at_any_byte_was_never_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Place], str],
    steps: tuple[str, ...],
    parts: tuple[str, ...],
) -> None:
    """The journal is read and audited without it, and the run goes on to its end."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    before = Place(tmp_path / "place")
    before.folder.mkdir()
    stream = journal.RUNS + story(before)
    *whole, last = before.lines(stream)
    for size in range(len(last) + 1):
        place = replace(before, folder=tmp_path / f"{size}", systems=deepcopy(before.systems))
        shutil.copytree(before.folder, place.folder)
        torn = b"".join(line + b"\n" for line in whole) + last[:size]
        (place.folder / f"{stream}.ndjson").write_bytes(torn)
        assert place.lines(stream) == whole
        checked = verify(copy(place.store, "local"))
        assert (checked.findings, checked.records) == ((), len(whole) + checked.releases)
        ended = place.resume({step: Script() for step in steps}, release=parts)
        assert ended and (ended.result, ended.release) == ("succeeded", "r1")
        assert place.lines(stream)[: len(whole)] == whole
        assert [r.run for r in release.history(place.store)] == [ended.run]
        assert verify(copy(place.store, "local")).findings == ()
        shutil.rmtree(place.folder)
