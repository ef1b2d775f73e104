"""The store in a folder of this machine.

    lock.json            state of the lock, changed under a short flock of lock.guard
    runs/ID.ndjson       journal of a run
    releases/*.ndjson    history of releases
    blobs/SHA256         anything large

A record is on disk (file and folder synced) when `append` returns. A line without its newline was
cut by a crash before it counted; it is removed by the next append and never read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner
from cbctl.errors import CbctlError, Exit

_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._-]*")


class FileStore:
    """A Store. Safe between processes and threads of one machine, not on a network file system."""

    def __init__(self, folder: Path, owner_state: Any) -> None:
        """owner_state: Callable[[Owner], str], "dead" | "alive" | "unknown"."""
        self._folder = folder
        self._owner_state = owner_state

    # -- streams ----------------------------------------------------------------------------

    def append(self, stream: str, expected: int, token: int, line: bytes) -> None:
        if b"\n" in line:
            raise ValueError("a record is one line")
        with self._guard():
            lock = self.read_lock()
            if lock is None or not lock.held or lock.token != token:
                raise Fenced(f"token {token} is not the lock's ({lock.token if lock else 'none'})")
            path = self._path(stream)
            new = not path.exists()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                whole = _complete(_read(fd))
                count = whole.count(b"\n")
                if count != expected:
                    raise Conflict(f"{stream} has {count} records, not {expected}")
                os.ftruncate(fd, len(whole))
                _write(fd, line + b"\n", len(whole))
                os.fsync(fd)
            finally:
                os.close(fd)
            if new:
                _sync_folder(path.parent)

    def read(self, stream: str) -> list[bytes]:
        try:
            data = self._path(stream).read_bytes()
        except FileNotFoundError:
            return []
        return _complete(data).splitlines()

    def streams(self, prefix: str) -> list[str]:
        folder = self._folder / prefix
        if not folder.is_dir():
            return []
        return sorted(f"{prefix}{p.stem}" for p in folder.iterdir() if p.suffix == ".ndjson")

    # -- blobs ------------------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self._folder / "blobs" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _replace(path, data)
        return name

    def get_blob(self, sha256: str) -> bytes:
        try:
            data = (self._folder / "blobs" / sha256).read_bytes()
        except FileNotFoundError:
            raise CbctlError(f"blob {sha256} is not in the store", where="store") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CbctlError(
                f"blob {sha256} was changed after it was written",
                exit=Exit.DIFFERS,
                where="store",
            )
        return data

    # -- lock -------------------------------------------------------------------------------

    def read_lock(self) -> LockRecord | None:
        try:
            data = (self._folder / "lock.json").read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(data, type=LockRecord)
        except msgspec.MsgspecError:
            raise CbctlError(
                "cannot be read",
                exit=Exit.REFUSED,
                where=str(self._folder / "lock.json"),
                fix="if no cbctl is running here, remove the file",
            ) from None

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        with self._guard():
            if self.read_lock() != expected:
                raise Conflict("the lock changed meanwhile")
            _replace(self._folder / "lock.json", msgspec.json.encode(asdict(new)))

    def owner_state(self, owner: Owner) -> str:
        return str(self._owner_state(owner))

    # -- details ----------------------------------------------------------------------------

    def _path(self, stream: str) -> Path:
        if not _NAME.fullmatch(stream):
            raise CbctlError(f"{stream!r} is not a name of a run or stream", exit=Exit.USAGE)
        return self._folder / f"{stream}.ndjson"

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Holds the folder for the few milliseconds of one change."""
        fd = os.open(self._folder / "lock.guard", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _complete(data: bytes) -> bytes:
    """Without a last line that was torn."""
    return data[: data.rfind(b"\n") + 1]


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _write(fd: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(fd, data, at)
        data, at = data[written:], at + written


def _replace(path: Path, data: bytes) -> None:
    """All or nothing, also through a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write(fd, data, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
