"""The state folder: `lock`, `slot`, `url` and what chain.py keeps. One process at a time."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from enum import Enum
from pathlib import Path

import solders

from cbctl.localnet.errors import EXIT_LOCKED, EXIT_USAGE, Stop

# Slot, how it ended, id of the machine's boot.
_MARK = struct.Struct("<Q?36s")
_CRC = struct.Struct("<I")
# Before format 2 there was only the slot.
_OLD_BYTES = 12

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Ended(Enum):
    """How the process before ended."""

    NEVER_RAN = ""
    IN_ORDER = "in order"
    KILLED = "killed"
    MACHINE = "the machine stopped"
    UNKNOWN = "killed, or the machine stopped"


def vm_version() -> str:
    """The version of the library that holds the VM; another one may run a program differently."""
    return f"solders {solders.__version__}"


def boot_id() -> str:
    """Changes whenever the machine starts; empty where the system does not tell."""
    try:
        return _BOOT_ID.read_text().strip()[:36]
    except OSError:
        return ""


class StateFolder:
    """Holds the lock for as long as the process lives."""

    def __init__(self, folder: Path, boot: str | None = None) -> None:
        self.folder = folder
        self._boot = (boot_id() if boot is None else boot).encode()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Stop(f"cannot use {folder} as state folder: {error}", EXIT_USAGE) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Stop(
                f"{folder} is in use by another localnet: stop it, or name another folder",
                EXIT_LOCKED,
            ) from None
        self._mark = os.open(folder / "slot", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def reserved_slot(self) -> int:
        """No slot at or after this one was ever shown to a client; 0 when unknown."""
        return self._read()[0]

    def ended(self) -> Ended:
        """How the process before ended, as far as the mark tells."""
        return self._read()[1]

    def _read(self) -> tuple[int, Ended]:
        raw = os.pread(self._mark, _MARK.size + _CRC.size, 0)
        if not raw:
            return 0, Ended.NEVER_RAN
        body, crc = raw[: -_CRC.size], raw[-_CRC.size :]
        if crc != _CRC.pack(zlib.crc32(body)):
            return 0, Ended.UNKNOWN
        if len(raw) == _OLD_BYTES:
            return int.from_bytes(body, "little"), Ended.UNKNOWN
        slot, in_order, boot = _MARK.unpack(body)
        if in_order:
            return slot, Ended.IN_ORDER
        boot = boot.rstrip(b"\0")
        if not boot or not self._boot:
            return slot, Ended.UNKNOWN
        return slot, Ended.KILLED if boot == self._boot else Ended.MACHINE

    def reserve_slots(self, until: int, *, in_order: bool = False) -> None:
        """Promises on disk that a restart begins no earlier than `until`.

        Slots pass without transactions; this is how a restart never shows a smaller slot, and
        never hands out a blockhash a second time, without a record for every slot.

        in_order  the process ends now, and everything is on disk
        """
        body = _MARK.pack(until, in_order, self._boot)
        os.pwrite(self._mark, body + _CRC.pack(zlib.crc32(body)), 0)
        os.fsync(self._mark)

    def tell_url(self, url: str) -> None:
        """Where the chain is served, for commands that are given only the folder. It is true while
        the lock is held."""
        path, text = self.folder / "url", f"{url}\n"
        if path.exists() and path.read_text() == text:
            return  # a full disk has no room for the same again
        draft = path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(path)

    def close(self) -> None:
        """Gives the folder back."""
        os.close(self._mark)
        os.close(self._lock)
