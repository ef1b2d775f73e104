"""Keypair files in the form of Solana's CLI: a JSON array of 64 numbers, secret key then public.

Only the owner may read or write such a file. Its content is never part of a message.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from solders.keypair import Keypair

from cbctl.errors import CbctlError, Exit


def parse(text: str, where: str) -> Keypair:
    """A keypair from the text of a file or a secret. `where` names it in errors."""
    try:
        numbers = json.loads(text)
        if not isinstance(numbers, list) or len(numbers) != 64:
            raise ValueError
        # from_bytes also checks that the public half belongs to the secret one
        return Keypair.from_bytes(bytes(numbers))
    except (ValueError, TypeError, RecursionError):
        raise CbctlError(
            "not a Solana keypair: a JSON array of 64 numbers whose halves belong together",
            where=where,
            exit=Exit.CREDENTIALS,
        ) from None


def read(path: Path) -> Keypair | None:
    """The keypair in a file, None when there is no such file.

    Refused: a file that another user owns, or that anyone but its owner may read or write.
    """
    try:
        # Opened once, so that what is checked is what is read; a link to the file is allowed.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _refused(path, "is not a regular file")
        if about.st_uid not in (os.geteuid(), 0):
            raise _refused(path, "belongs to another user")
        if about.st_mode & 0o077:
            raise _refused(path, "can be read by others", fix=f"chmod 600 {path}")
        raw = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    return parse(raw.decode("utf-8", "replace"), str(path))


def write(path: Path, keypair: Keypair) -> None:
    """Writes a new file with mode 0600, whole or not at all; an existing file is never replaced."""
    text = json.dumps(list(bytes(keypair)), separators=(",", ":"))
    _make_parents(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike rename, fails when the name is taken
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise _refused(path, "exists already; a keypair is never overwritten") from None
    except OSError as error:
        raise _refused(path, f"cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _make_parents(folder: Path) -> None:
    """Each missing one is private whatever the umask: `parents=True` would leave them to it."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def read_or_create(path: Path) -> Keypair:
    """The keypair in a file, a new one when there is none. Safe when two do it at once."""
    found = read(path)
    if found is not None:
        return found
    try:
        write(path, Keypair())
    except CbctlError:
        if not path.exists():
            raise
    made = read(path)
    if made is None:
        raise _refused(path, "vanished while it was made")
    return made


def _refused(path: Path, why: str, fix: str = "") -> CbctlError:
    return CbctlError(f"keypair file {why}", where=str(path), exit=Exit.CREDENTIALS, fix=fix)
