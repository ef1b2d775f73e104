"""Small files that are whole or absent: written beside, synced, renamed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_BESIDE = re.compile(r"\..+\.[0-9a-f]{8}")


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE, sync: bool = True) -> None:
    """Replace `path` in one step; `sync=False` where the content is worthless after a reboot."""
    beside = _beside(path)
    with _named(path):
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)  # the umask must not decide
                file.write(data)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            beside.rename(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    if sync:
        sync_folder(path.parent)


def write_once(path: Path, data: bytes) -> None:
    """Write `path` unless it is there; of several writers at once exactly one wins."""
    beside = _beside(path)
    with _named(path):
        write_atomic(beside, data)
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        return
    finally:
        beside.unlink()
    sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Removes what writers left that were killed before they renamed it. Nobody may write there
    meanwhile."""
    for path in folder.iterdir():
        if _BESIDE.fullmatch(path.name):
            path.unlink()


def set_aside(path: Path) -> str:
    """What a person does with something damaged that is made anew when it is not there."""
    there, away = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
    return f"mv {there} {away}, then deploy again"


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error names the file that was to be written, not the one beside it, or none at all."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One holder at a time, over threads and processes; for the moment of changing a file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    write_atomic(path, text.encode(), sync=sync)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None when there is no such file or it holds no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_limited(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; it is not read when it has more.

    Errors: OSError whose strerror says why.
    """
    # Not blocking: opening a pipe would wait for somebody who writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = b"" if about.st_size > limit else file.read(limit + 1)
        if about.st_size > limit or len(content) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit >> 20} MiB", str(path))
        return content
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
