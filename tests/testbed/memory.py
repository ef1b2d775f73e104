"""A place for files that are written and synced a lot and matter to nobody."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_ROOM = 1 << 30  # bytes; in a container this folder may be far too small


def memory_folder() -> Path | None:
    """In memory where that is possible: else most of the time goes into fsync. For `tempfile`."""
    shared = Path("/dev/shm")
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _ROOM:
        return shared
    return None
