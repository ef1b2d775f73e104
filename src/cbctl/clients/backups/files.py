"""Files of a backup: their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cbctl.clients.backups.manifest import File
from cbctl.clients.backups.place import Pause


def hashed(files: Sequence[Path], below: Path, jobs: int, pause: Pause) -> Iterator[File]:
    with ThreadPoolExecutor(jobs) as pool:
        hashes = pool.map(sha256, files)
        for path, digest in zip(files, hashes, strict=True):
            pause(0)
            yield File(str(path.relative_to(below)), path.stat().st_size, digest)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
