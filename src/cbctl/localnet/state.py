"""The state folder: `lock`, `ledger`, `slot`. One process at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
import zlib
from pathlib import Path

import solders

from cbctl.localnet.errors import EXIT_LOCKED, EXIT_USAGE, Stop
from cbctl.localnet.ledger import Genesis, Ledger, create
from cbctl.localnet.slots import FIRST_SLOT

# Half a billion SOL, as solana-test-validator's faucet holds.
FAUCET_LAMPORTS = 500_000_000 * 1_000_000_000

_MARK = struct.Struct("<QI")


def vm_version() -> str:
    """The version of the library that holds the VM; another one may run a program differently."""
    return f"solders {solders.__version__}"


class StateFolder:
    """Holds the lock for as long as the process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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

    def open_ledger(self) -> tuple[Ledger, bool]:
        """The log, and whether it is new."""
        path = self.folder / "ledger"
        new = not path.exists()
        if new:
            genesis = Genesis(
                genesis_hash=secrets.token_hex(32),
                blockhash_seed=secrets.token_hex(32),
                faucet_seed=secrets.token_hex(32),
                faucet_lamports=FAUCET_LAMPORTS,
                first_slot=FIRST_SLOT,
                unix_time=int(time.time()),
                vm=vm_version(),
            )
            create(path, genesis)
        return Ledger(path), new

    def reserved_slot(self) -> int:
        """No slot at or after this one was ever shown to a client; 0 when unknown."""
        raw = os.pread(self._mark, _MARK.size, 0)
        if len(raw) < _MARK.size:
            return 0
        slot, crc = _MARK.unpack(raw)
        return int(slot) if crc == zlib.crc32(raw[:8]) else 0

    def reserve_slots(self, until: int) -> None:
        """Promises on disk that a restart begins no earlier than `until`.

        Slots pass without transactions; this is how a restart never shows a smaller slot, and
        never hands out a blockhash a second time, without a record for every slot.
        """
        body = until.to_bytes(8, "little")
        os.pwrite(self._mark, body + zlib.crc32(body).to_bytes(4, "little"), 0)
        os.fsync(self._mark)

    def close(self) -> None:
        """Gives the folder back."""
        os.close(self._mark)
        os.close(self._lock)
