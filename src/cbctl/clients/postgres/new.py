"""A new migration: two files with the next number, for somebody to write into."""

from __future__ import annotations

import re
from pathlib import Path

from cbctl.clients.postgres.migrations import read_folder
from cbctl.errors import CbctlError, Exit

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,80}")


def create(folder: Path, name: str, *, phase: str, transaction: bool) -> tuple[Path, Path]:
    """Raises CbctlError (64) for a name that cannot be one, (7) for a file that is there."""
    if not _NAME.fullmatch(name):
        raise CbctlError(
            f"{name!r} cannot be the name of a migration",
            exit=Exit.USAGE,
            fix="use lower-case letters, digits and _, such as add_users",
        )
    last = max((migration.entry.version for migration in read_folder(folder)), default=0)
    number = f"{last + 1:04d}"
    keys = [] if phase == "pre" else [f"phase={phase}"]
    keys += [] if transaction else ["transaction=none"]
    header = f"-- cbctl: {' '.join(keys)}\n" if keys else ""
    up, down = (folder / f"{number}_{name}.{way}.sql" for way in ("up", "down"))
    back = "" if transaction else "-- cbctl: transaction=none\n"
    for path, text in ((up, header), (down, back)):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise CbctlError("is there already", exit=Exit.REFUSED, where=str(path)) from None
    return up, down
