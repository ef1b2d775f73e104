"""Folders outside the tree that are made once for what they are made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.testbed.beds import need


def cached(bed: str, made_of: Sequence[bytes], make: Callable[[Path], str]) -> Path:
    """The folder of a bed for these contents, made by `make` when it is not there yet.

    make  fills the folder; answers why it did not work, "" when it did"""
    digest = hashlib.sha256(b"\0".join(made_of)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "cbctl-tests" / f"{bed}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            need(bed, make(folder))
            (folder / "done").touch()
    return folder
