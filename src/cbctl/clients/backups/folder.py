"""Backups in a folder of this machine, or one that is mounted."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from cbctl.clients.backups import manifest as manifests
from cbctl.clients.backups.manifest import File, is_id
from cbctl.clients.backups.place import Pause, Progress
from cbctl.errors import CbctlError, Exit

_MAKING, _GOING = ".making-", ".removed-"
_PIECE = 1024 * 1024


class Folder:
    """`<root>/<id>/`; what is being made or removed has a name that begins with a dot."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = -1

    def __str__(self) -> str:
        return str(self._root)

    def ids(self) -> list[str]:
        try:
            found = sorted(path.name for path in self._root.iterdir() if is_id(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._refused(error) from None
        return [id for id in found if os.path.lexists(self._root / id / manifests.NAME)]

    def read(self, id: str, name: str) -> bytes | None:
        try:
            with _opened(self._root / id / name) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CbctlError(
                f"{name} cannot be read: {error.strerror}",
                exit=Exit.DIFFERS,
                where=str(self._root / id),
                fix="somebody else made it so: look at it",
            ) from None

    def sizes(self, id: str) -> dict[str, int]:
        try:
            found = list(os.scandir(self._root / id / manifests.DUMP))
        except OSError:
            return {}
        return {
            f"{manifests.DUMP}/{one.name}": one.stat(follow_symlinks=False).st_size
            for one in found
            if one.is_file(follow_symlinks=False)
        }

    def has_any(self, id: str) -> bool:
        return (self._root / id).exists()

    def write(self, id: str, name: str, data: bytes) -> None:
        path = self._root / id / name
        beside = path.with_name(f".{name}.new")
        _write(beside, data)
        beside.rename(path)
        _sync(path.parent)

    def fetch(self, id: str, file: File, folder: Path, pause: Pause) -> Path | None:
        target = folder / file.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            source = _opened(self._root / id / file.path)
        except OSError:
            return None
        with source, target.open("wb") as written:
            while piece := source.read(_PIECE):
                written.write(piece)
                pause(0)
        return target

    def stage(self, id: str, scratch: Path) -> Path:
        stage = self._root / f"{_MAKING}{id}"
        try:
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(mode=0o700)
        except OSError as error:
            raise self._refused(error) from None
        return stage

    def keep(self, id: str, stage: Path, manifest: bytes, pause: Pause, say: Progress) -> None:
        _write(stage / manifests.NAME, manifest)
        for folder in (stage / manifests.DUMP, stage):
            _sync(folder)
        stage.rename(self._root / id)
        _sync(self._root)

    def remove(self, id: str) -> None:
        away = self._root / f"{_GOING}{id}"
        (self._root / id).rename(away)  # from here on it is no backup, however far this gets
        shutil.rmtree(away)

    def clean(self, but: str) -> None:
        """Under the lock of the folder, which this process then keeps: somebody on another machine
        may be at work in it."""
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            for path in self._root.glob(".*-*"):
                left = path.name.startswith((_MAKING, _GOING))
                if left and path.name != f"{_MAKING}{but}":
                    shutil.rmtree(path)
        except OSError as error:
            raise self._refused(error) from None

    def _take_lock(self) -> None:
        if self._lock >= 0:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(self._root / ".lock", flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CbctlError(
                "another cbctl makes or removes a backup there",
                exit=Exit.LOCKED,
                where=str(self._root),
                fix="wait for it",
            ) from None

    def __del__(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)

    def _refused(self, error: OSError) -> CbctlError:
        return CbctlError(
            f"the folder of the backups cannot be used: {error.strerror}",
            where=str(error.filename or self._root),
            exit=Exit.CREDENTIALS if isinstance(error, PermissionError) else Exit.FAILED,
            fix="check database.backups.to in cbctl.yaml, or --to",
        )


def _opened(path: Path) -> BinaryIO:
    """A file that is one: somebody may have put a pipe or a link in its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return os.fdopen(descriptor, "rb")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
