"""The file store on real files: whole records or none, one holder, nothing for other users."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.stores.contract import LOCK, STREAM, Contract

from cbctl.engine.store import Fenced, LockRecord
from cbctl.errors import CbctlError, Exit
from cbctl.stores import files
from cbctl.stores.files import FileStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(folder: Path) -> FileStore:
    made = FileStore(folder, lambda owner: "alive")
    made.swap_lock(None, LOCK)
    return made


@pytest.fixture
def again(folder: Path) -> Callable[[], FileStore]:
    return lambda: FileStore(folder, lambda owner: "alive")


class TestFileStore(Contract):
    pass


def file(folder: Path) -> Path:
    return folder / f"{STREAM}.ndjson"


# -- streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [b"x", b'{"half":', b"\x00" * 4096, b"tw"])
def test_a_torn_last_line_never_counted(store: FileStore, folder: Path, torn: bytes) -> None:
    store.append(STREAM, 0, 1, b"one")
    with file(folder).open("ab") as data:
        data.write(torn)
    assert store.read(STREAM) == [b"one"]
    store.append(STREAM, 1, 1, b"two")
    assert file(folder).read_bytes() == b"one\ntwo\n"


def test_a_stream_whose_first_record_was_torn_is_none(store: FileStore, folder: Path) -> None:
    (folder / "runs").mkdir()
    file(folder).write_bytes(b'{"schema":')
    (folder / "runs" / "empty.ndjson").touch()
    (folder / "runs" / "no name!.ndjson").write_bytes(b"x\n")
    (folder / "runs" / "other.txt").write_bytes(b"x\n")
    assert store.streams("runs/") == []
    store.append(STREAM, 0, 1, b"one")
    assert store.streams("runs/") == [STREAM]
    assert store.streams("nothing/") == []


@pytest.mark.parametrize(
    "now", [replace(LOCK, token=2), replace(LOCK, held=False)], ids=["taken", "released"]
)
def test_who_lost_the_lock_writes_nothing(store: FileStore, folder: Path, now: LockRecord) -> None:
    store.append(STREAM, 0, 1, b"one")
    store.swap_lock(LOCK, now)
    why = "the lock was taken by me on host" if now.held else "the lock was released"
    with pytest.raises(Fenced, match=why):
        store.append(STREAM, 1, 1, b"two")
    with pytest.raises(Fenced):
        store.append("runs/other", 0, 1, b"two")
    assert store.read(STREAM) == [b"one"] and not (folder / "runs/other.ndjson").exists()


def full(*arguments: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_full_disk_loses_and_corrupts_nothing(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store.append(STREAM, 0, 1, b"one")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(CbctlError, match="No space left") as caught:
            store.append(STREAM, 1, 1, b"two")
        assert caught.value.fix == "make room on this disk"
        with pytest.raises(CbctlError):
            store.swap_lock(LOCK, replace(LOCK, renewals=1))
    assert store.read(STREAM) == [b"one"] and store.read_lock() == LOCK
    store.append(STREAM, 1, 1, b"two")
    assert file(folder).read_bytes() == b"one\ntwo\n"


def test_half_a_write_is_taken_back(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def half(fd: int, data: bytes, at: int) -> int:
        if data == b"two\n":
            return real(fd, data[:2], at)
        return full()

    store.append(STREAM, 0, 1, b"one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half)
        with pytest.raises(CbctlError):
            store.append(STREAM, 1, 1, b"two")
    assert file(folder).read_bytes() == b"one\n"


def test_a_record_and_the_folders_that_lead_to_it_are_synced(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(fd: int) -> None:
        real(fd)
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))

    monkeypatch.setattr(os, "fsync", watch)
    store.append(STREAM, 0, 1, b"one")
    assert synced == [str(folder), str(file(folder)), str(folder / "runs")]
    synced.clear()
    store.swap_lock(LOCK, replace(LOCK, renewals=1))
    assert synced == [str(folder / ".lock.json.new"), str(folder)], "the content before the name"


# -- the lock ---------------------------------------------------------------------------------


def test_a_process_that_is_stopped_in_the_middle_of_a_change_is_told(
    store: FileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    with (folder / "lock.guard").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CbctlError, match=r"has kept this for 0\.05 s") as caught:
            store.append(STREAM, 0, 1, b"x")
        assert caught.value.exit is Exit.LOCKED
        if sys.platform == "linux":
            assert f"process {os.getpid()} has kept" in caught.value.what
    store.append(STREAM, 0, 1, b"x")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"token":"x"}', b"\xff\xfe", LOCK.run.encode()]
)
def test_a_corrupted_lock_stops_everybody_and_says_what_to_do(
    store: FileStore, folder: Path, content: bytes
) -> None:
    (folder / "lock.json").write_bytes(content)
    for work in (
        store.read_lock,
        lambda: store.append(STREAM, 0, 1, b"x"),
        lambda: store.swap_lock(LOCK, LOCK),
    ):
        with pytest.raises(CbctlError, match="cannot be read") as caught:
            work()
        assert caught.value.exit is Exit.REFUSED and "remove the file" in caught.value.fix
    assert not file(folder).exists()


def test_what_the_system_forbids_is_a_matter_of_permission(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(CbctlError, match="Permission denied") as caught:
        store.read_lock()
    assert caught.value.exit is Exit.CREDENTIALS


# -- blobs ------------------------------------------------------------------------------------


def test_a_blob_that_was_changed_is_refused_and_healed_by_putting_it_again(
    store: FileStore, folder: Path
) -> None:
    name = store.put_blob(b"data")
    assert store.get_blob(name) == b"data"
    path = folder / "blobs" / name
    for wrong in (b"dato", b"", b"data+"):
        path.write_bytes(wrong)
        with pytest.raises(CbctlError, match="was changed after it was written") as caught:
            store.get_blob(name)
        assert caught.value.exit is Exit.DIFFERS
    assert store.put_blob(b"data") == name and store.get_blob(name) == b"data"


# -- others on this machine -------------------------------------------------------------------


def test_nothing_is_for_other_users(store: FileStore, folder: Path) -> None:
    before = os.umask(0)
    try:
        store.append(STREAM, 0, 1, b"one")
        store.put_blob(b"data")
        store.swap_lock(LOCK, replace(LOCK, renewals=1))
    finally:
        os.umask(before)
    modes = {
        str(p.relative_to(folder)): stat.S_IMODE(p.stat().st_mode)
        for p in folder.rglob("*")
        if p.name != "lock.guard"
    }
    assert {m for p, m in modes.items() if (folder / p).is_dir()} == {0o700}
    assert {m for p, m in modes.items() if (folder / p).is_file()} == {0o600}
    assert stat.S_IMODE((folder / "lock.guard").stat().st_mode) == 0o600
