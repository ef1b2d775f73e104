"""What takes minutes to make and never changes: kept outside the tree, named by a hash of what it
is made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path


def folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = cache / "cbctl-tests"
    made.mkdir(parents=True, exist_ok=True)
    return made


def place(name: str, inputs: Iterable[bytes]) -> Path:
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:16]
    return folder() / f"{name}-{digest}"


def kept(path: Path, make: Callable[[Path], None]) -> Path:
    """The file at a `place`, made there once."""
    name = path.name.rpartition("-")[0]
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            make(unfinished)
            unfinished.rename(path)
    return path


def settled(path: Path) -> bool:
    """Whether the file is there; waits for whoever is making it now."""
    name = path.name.rpartition("-")[0]
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return path.exists()
