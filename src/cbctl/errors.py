"""Exit codes and the one error type that a user ever sees."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Process exit codes; `docs/reference/exit-codes.md` shows the same table (a test compares)."""

    DONE = 0  # done, or nothing to do
    FAILED = 1  # failed before any change
    PENDING = 2  # changes pending: --plan and its relatives, nothing else
    CREDENTIALS = 3  # credentials or permission
    UNDONE = 4  # failed, and what was changed was undone
    NOT_UNDONE = 5  # failed or waiting, and not undone
    LOCKED = 6  # somebody else holds the lock
    REFUSED = 7  # blocked, gate, policy, freeze, changed plan, wrong target, failed checklist
    CANCELLED = 8  # cancelled by the user, with or without changes made
    TIMEOUT = 9  # a wait ended without a verdict and nothing was undone
    DIFFERS = 10  # reality differs: health, drift, verify
    USAGE = 64  # usage or invalid configuration


class CbctlError(Exception):
    """What was wrong, where, and what to do: shown as such, never as a traceback.

    what   one sentence, no trailing full stop needed, no secret in it
    where  file:line:column, step id, address of a system
    fix    the command or edit that helps
    evidence  what explains it (last log lines, statuses), JSON values without secrets
    """

    def __init__(
        self,
        what: str,
        *,
        exit: Exit = Exit.FAILED,
        where: str = "",
        fix: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.exit = exit
        self.evidence = dict(evidence or {})

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


FULL = (errno.ENOSPC, errno.EDQUOT)
_FIXES = {
    **dict.fromkeys(FULL, "make room on this disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "run cbctl as the user that owns it"),
    errno.EROFS: "make the disk writable, or choose another folder with CBCTL_STATE_DIR",
    errno.EIO: "look at the health of this disk (dmesg)",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "allow more open files (sysctl fs.file-max)",
    errno.ENOMEM: "free memory on this machine",
    **dict.fromkeys(
        (errno.EISDIR, errno.ENOTDIR, errno.ELOOP),
        "something else stands in the place of this file: move it away",
    ),
}
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def refusal(error: BaseException, where: str = "") -> CbctlError | None:
    """What the system refused, in words; None when this is no refusal, but a defect of cbctl.

    where  if the error does not say it itself"""
    if not isinstance(error, OSError) or error.errno not in _FIXES:
        return None
    return CbctlError(
        os.strerror(error.errno),
        exit=Exit.CREDENTIALS if error.errno in _FORBIDDEN else Exit.FAILED,
        where=str(error.filename or where),
        fix=_FIXES[error.errno],
    )
