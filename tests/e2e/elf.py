"""Another build of a program, made without a compiler."""

from __future__ import annotations

from pathlib import Path


def another_build(path: Path) -> None:
    """Adds bytes behind the end of the file, which no loader reads: other code by its hash, the
    same by what it does."""
    path.write_bytes(path.read_bytes() + b"built again\x01")
