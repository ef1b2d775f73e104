"""Log files of the services: `logs/NAME.log`, 0600, at most three of 10 MB.

A service keeps its file open for appending, so a full log is copied and emptied, not renamed;
lines written in between may be lost.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cbctl.local.files import PRIVATE_FILE
from cbctl.local.state import State, checked_name

LIMIT = 10 * 1024 * 1024  # bytes
KEPT = 2  # older files beside the current one


def log_file(state: State, name: str) -> Path:
    return state.path / "logs" / f"{checked_name(name)}.log"


def open_log(path: Path) -> int:
    """A descriptor for appending; the file is 0600 whatever the umask."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, PRIVATE_FILE)
    os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def say(text: str) -> None:
    """A line into the log of this process. Where that is on a full disk, nobody hears it: whoever
    tells of the full disk must not end by it."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def rotate(path: Path, *, limit: int = LIMIT) -> bool:
    """Move a log's content aside when it is over `limit` bytes; True when it was."""
    try:
        if path.stat().st_size <= limit:
            return False
    except FileNotFoundError:
        return False
    for number in range(KEPT, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    first = path.with_name(f"{path.name}.1")
    descriptor = os.open(first, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as copy, path.open("rb") as log:
        shutil.copyfileobj(log, copy)
    os.truncate(path, 0)
    return True


def last_lines(path: Path, count: int = 20, *, since: int = 0) -> list[str]:
    """The last lines of a log, not reading before the byte `since`; at most 64 KiB are read."""
    try:
        size = path.stat().st_size
        start = max(since if since <= size else 0, size - 65_536)
        with path.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-count:] if count > 0 else []


def follow(
    path: Path, count: int = 20, *, stop: Callable[[], bool], pause: float = 0.2
) -> Iterator[str]:
    """The last lines, then each new one as it comes, until `stop()`; survives rotation."""
    position = path.stat().st_size if path.exists() else 0
    yield from last_lines(path, count)
    rest = b""
    while not stop():
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position = 0
        if size == position:
            time.sleep(pause)
            continue
        with path.open("rb") as file:
            file.seek(position)
            data = file.read(1 << 20)
        position += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
