"""Encryption for one recipient with age (age-encryption.org/v1): what a backup of keys lies in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cbctl.errors import CbctlError, Exit


def encrypt(data: bytes, recipient: str) -> bytes:
    """Armored text. recipient: `age1…`, or an SSH public key."""
    import pyrage

    return bytes(pyrage.encrypt(data, [_recipient(recipient)], armored=True))


def decrypt(data: bytes, identity: str) -> bytes:
    """identity: `AGE-SECRET-KEY-…`, as age-keygen writes it, comments allowed."""
    import pyrage

    try:
        return bytes(pyrage.decrypt(data, _identities(identity)))
    except pyrage.DecryptError:
        raise _wrong_identity() from None


def encrypt_file(source: Path, target: Path, recipient: str) -> None:
    """In pieces, whatever the size; binary, and on the disk when it returns."""
    import pyrage

    with source.open("rb") as plain, target.open("xb") as sealed:
        os.fchmod(sealed.fileno(), 0o600)
        pyrage.encrypt_io(plain, sealed, [_recipient(recipient)])
        sealed.flush()
        os.fsync(sealed.fileno())


def decrypt_file(source: Path, target: Path, identity: str) -> None:
    """In pieces. Raises CbctlError (3) when it does not open, also because it is damaged."""
    import pyrage

    with source.open("rb") as sealed, target.open("wb") as plain:
        os.fchmod(plain.fileno(), 0o600)
        try:
            pyrage.decrypt_io(sealed, plain, _identities(identity))
        except pyrage.DecryptError:
            raise _wrong_identity() from None
        except OSError as error:
            if error.errno is not None:  # a disk's; one of pyrage's has no number
                raise
            raise _wrong_identity() from None


def require_recipient(text: str) -> None:
    """Raises CbctlError (64) for what nothing can be encrypted for."""
    _recipient(text)


def recipient_of(identity: str) -> str:
    """The recipient that an identity belongs to."""
    return str(_identities(identity)[0].to_public())


def _identities(text: str) -> list[Any]:
    import pyrage

    keys = [line.strip() for line in text.splitlines() if line and not line.startswith("#")]
    try:
        known = [pyrage.x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError:
        known = []
    if not known:
        raise _wrong_identity()
    return known


def _wrong_identity() -> CbctlError:
    return CbctlError(
        "the backup does not open with this identity",
        exit=Exit.CREDENTIALS,
        fix="name the file that age-keygen wrote for the recipient: --identity FILE",
    )


def _recipient(text: str) -> Any:
    import pyrage

    try:
        kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
        return kind.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise CbctlError(
            "this is no age recipient",
            exit=Exit.USAGE,
            fix="age-keygen writes one: age1…; an SSH public key will do too",
        ) from None
