"""A chain at one moment, as one file: accounts, clock, and what it started from, without history.

    8 bytes magic | u32 format version | u32 length | head as JSON
    for each account: u32 length, 32 bytes address, the account (see accounts.py)
    u32 0 | sha256 of all before

A file that is not whole is refused before anything of it is used.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.accounts import pack_account, unpack_account
from cbctl.localnet.errors import SnapshotError
from cbctl.localnet.ledger import sync_folder
from cbctl.localnet.store import Head

MAGIC = b"CBSNAPSH"
VERSION = 1

# A folder of snapshots is for going back between tests, not an archive.
MAX_NAMED = 64

_HEADER = struct.Struct("<8sII")
_LENGTH = struct.Struct("<I")
_ADDRESS_BYTES = 32
_DIGEST_BYTES = hashlib.sha256().digest_size
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Snapshot(NamedTuple):
    """A whole file."""

    path: Path
    head: Head
    start: int  # of the accounts

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        """Programs last."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            while length := _LENGTH.unpack(file.read(_LENGTH.size))[0]:
                address = file.read(_ADDRESS_BYTES)
                yield Pubkey(address), unpack_account(file.read(length))


def write(path: Path, head: Head, accounts: Iterable[tuple[Pubkey, Account]]) -> int:
    """Whole under its name, or not there; returns how many accounts it holds."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    count = 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            digest = hashlib.sha256()

            def put(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            shown = msgspec.json.encode(head)
            put(_HEADER.pack(MAGIC, VERSION, len(shown)) + shown)
            for address, account in accounts:
                value = pack_account(account)
                put(_LENGTH.pack(len(value)) + bytes(address) + value)
                count += 1
            put(_LENGTH.pack(0))
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return count


def read(path: Path) -> Snapshot:
    """SnapshotError unless the file is there, whole, and of this version."""
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise SnapshotError(f"cannot read the snapshot {path.name}: {error.strerror}") from None


def _read(path: Path, file: BinaryIO) -> Snapshot:
    head = file.read(_HEADER.size)
    magic, version, length = _HEADER.unpack(head) if len(head) == _HEADER.size else (b"", 0, 0)
    if magic != MAGIC:
        raise SnapshotError(f"{path.name} is no snapshot of a localnet")
    if version != VERSION:
        raise SnapshotError(
            f"{path.name} is a snapshot of format {version}, this localnet reads format {VERSION}: "
            "use the cbctl that wrote it"
        )
    size = os.fstat(file.fileno()).st_size - _DIGEST_BYTES
    digest, file_position = hashlib.sha256(head), len(head)
    while file_position < size and (data := file.read(min(_CHUNK, size - file_position))):
        digest.update(data)
        file_position += len(data)
    if file.read(_DIGEST_BYTES) != digest.digest():
        raise SnapshotError(f"the snapshot {path.name} is damaged or not whole")
    file.seek(_HEADER.size)
    try:
        found = msgspec.json.decode(file.read(length), type=Head)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"the snapshot {path.name} cannot be read: {error}") from None
    return Snapshot(path, found, _HEADER.size + length)


class Named:
    """The snapshots that a state folder keeps."""

    def __init__(self, state: Path) -> None:
        self.folder = state / "snapshots"

    def path(self, name: str) -> Path:
        """SnapshotError for a name that could lead out of the folder."""
        if not _NAME.fullmatch(name):
            raise SnapshotError(
                f"{name!r} cannot name a snapshot: letters, digits, dot, dash, underscore, 64 at "
                "most"
            )
        return self.folder / name

    def names(self) -> list[str]:
        """In order."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if _NAME.fullmatch(p.name))

    def place(self, name: str) -> Path:
        """Where to write one; SnapshotError when there are too many."""
        path, names = self.path(name), self.names()
        if name not in names and len(names) >= MAX_NAMED:
            raise SnapshotError(f"there are {MAX_NAMED} snapshots already: remove one first")
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return path

    def find(self, name: str) -> Path:
        """SnapshotError when there is none of this name."""
        path = self.path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise SnapshotError(f"there is no snapshot {name!r}; there are: {known}")
        return path
