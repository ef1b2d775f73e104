"""The store in a folder of this machine.

    lock.json            state of the lock
    runs/ID.ndjson       journal of a run
    releases/*.ndjson    history of releases
    blobs/SHA256         anything large

Every change is made under a short flock of lock.guard. A record is on disk (file and folder synced)
when `append` returns. A line without its newline was cut by a crash before it counted; it is
removed by the next append and never read.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import msgspec

from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner
from cbctl.errors import CbctlError, Exit, refusal

_NAME = re.compile(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
PATIENCE = 10.0
"""Seconds to wait for a change of another process, which takes milliseconds."""


class FileStore:
    """A Store. Safe between processes and threads of one machine, not on a network file system."""

    def __init__(self, folder: Path, owner_state: Callable[[Owner], str]) -> None:
        """owner_state: "dead" | "alive" | "unknown"."""
        self._folder = folder
        self._owner_state = owner_state

    # -- streams ----------------------------------------------------------------------------

    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        if b"\n" in line:
            raise ValueError("a record is one line")
        path = self._path(stream)
        with self._guard():
            lock = self.read_lock() if token is not None else None
            if token is not None and (lock is None or not lock.held or lock.token != token):
                raise Fenced(token, lock)
            with _told(path):
                self._make(path.parent)
                self._add(path, stream, expected, line + b"\n")

    def read(self, stream: str) -> list[bytes]:
        path = self._path(stream)
        with _told(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return []
        return _complete(data).split(b"\n")[:-1]

    def streams(self, prefix: str) -> list[str]:
        folder = self._folder / prefix
        with _told(folder):
            if not folder.is_dir():
                return []
            found = [p for p in folder.iterdir() if p.suffix == ".ndjson"]
            names = [f"{prefix}{p.stem}" for p in found if _has_record(p)]
        return sorted(n for n in names if _NAME.fullmatch(n))

    # -- blobs ------------------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self._folder / "blobs" / name
        with self._guard(), _told(path):
            self._make(path.parent)
            if not path.is_file() or path.read_bytes() != data:
                _replace(path, data)
        return name

    def get_blob(self, sha256: str) -> bytes:
        if not _SHA256.fullmatch(sha256):
            raise CbctlError(f"{sha256!r} is no sha256", exit=Exit.USAGE, where="store")
        path = self._folder / "blobs" / sha256
        with _told(path):
            try:
                data = path.read_bytes()
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
        path = self._folder / "lock.json"
        with _told(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        try:
            return msgspec.json.decode(data, type=LockRecord)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise CbctlError(
                "cannot be read",
                exit=Exit.REFUSED,
                where=str(path),
                fix="if no cbctl is running here, remove the file",
            ) from None

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        path = self._folder / "lock.json"
        with self._guard():
            if self.read_lock() != expected:
                raise Conflict("the lock changed meanwhile")
            with _told(path):
                _replace(path, msgspec.json.encode(asdict(new)))

    def owner_state(self, owner: Owner) -> str:
        return self._owner_state(owner)

    # -- details ----------------------------------------------------------------------------

    def _path(self, stream: str) -> Path:
        if not _NAME.fullmatch(stream):
            raise CbctlError(f"{stream!r} is not a name of a run or stream", exit=Exit.USAGE)
        return self._folder / f"{stream}.ndjson"

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            _sync_folder(self._folder)

    def _add(self, path: Path, stream: str, expected: int, line: bytes) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            whole = _complete(_read(fd))
            count = whole.count(b"\n")
            if count != expected:
                raise Conflict(f"{stream} has {count} records, not {expected}")
            try:
                os.ftruncate(fd, len(whole))
                _write(fd, line, len(whole))
                os.fsync(fd)
            except BaseException:
                # what may not be on disk must not be read either
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, len(whole))
                raise
        finally:
            os.close(fd)
        # each time: who made the file may have been killed before this
        _sync_folder(path.parent)

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Holds the folder for the few milliseconds of one change."""
        path = self._folder / "lock.guard"
        with _told(path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(fd, path)
            yield
        finally:
            os.close(fd)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what the system refuses into words."""
    try:
        yield
    except OSError as error:
        what = os.strerror(error.errno) if error.errno else str(error)
        raise refusal(error, str(path)) or CbctlError(what, where=str(path)) from error


def _lock(fd: int, path: Path) -> None:
    """Waits its turn, but not for ever: a process that was stopped in its own keeps it."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise CbctlError(
                    f"{_keeper(fd)} has kept this for {PATIENCE:g} s",
                    exit=Exit.LOCKED,
                    where=str(path),
                    fix="it was stopped (state T in ps): continue it with kill -CONT, or kill it",
                ) from None
            time.sleep(0.002)


def _keeper(fd: int) -> str:
    """Who has the flock of a file, as far as the system tells."""
    file = os.fstat(fd)
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, where, *_ = line.split()
            if (kind, where) == ("FLOCK", place):
                return f"process {pid}"
    return "another process"


def _complete(data: bytes) -> bytes:
    """Without a last line that was torn."""
    return data[: data.rfind(b"\n") + 1]


def _has_record(path: Path) -> bool:
    """False for a file whose first record was torn: it never counted."""
    with path.open("rb") as file:
        return file.readline().endswith(b"\n")


def _read(fd: int) -> bytes:
    parts, at = [], 0
    while part := os.pread(fd, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _write(fd: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(fd, data, at)
        data, at = data[written:], at + written


def _replace(path: Path, data: bytes) -> None:
    """All or nothing, also through a power cut. Under the guard: the name of the temporary file
    is always the same, so that a killed process leaves one at most."""
    temporary = path.with_name(f".{path.name}.new")
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
