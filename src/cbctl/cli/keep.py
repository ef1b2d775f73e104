"""Files that a command writes for a person: private, and never over what is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cbctl.errors import CbctlError, Exit

_START = 4096


def keep(path: Path, data: bytes, ours: Callable[[bytes], bool], force: bool | None) -> None:
    """Writes it with mode 0600, all or nothing.

    ours   tells by its first bytes whether a file that is there may be written over
    force  None: the command has no --force"""
    from cbctl.local.files import write_atomic

    check_replaceable(path, ours, force)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise _unusable(path, error) from None


def check_replaceable(path: Path, ours: Callable[[bytes], bool], force: bool | None) -> None:
    """Raises CbctlError (7) for a file that may not be written over."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise _refused(path, "it is not a plain file", "name another file")
        if path.exists() and not force:
            with path.open("rb") as file:
                if not ours(file.read(_START)):
                    what = "it is there already and was not written by this command"
                    other = "remove this one first" if force is None else "--force to replace it"
                    raise _refused(path, what, f"name another file, or {other}")
    except OSError as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: OSError) -> CbctlError:
    what = error.strerror or type(error).__name__
    return CbctlError(what, exit=Exit.USAGE, where=str(path))


def _refused(path: Path, what: str, fix: str) -> CbctlError:
    return CbctlError(what, exit=Exit.REFUSED, where=str(path), fix=fix)
