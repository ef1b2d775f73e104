"""State of format 1: one file `ledger` with every transaction, and no store.

File: 8 bytes magic, u32 format version, then frames of u32 length, u32 crc32, payload. The first
payload is the genesis (u8 0, JSON); every other one is a transaction: u8 1, u8 success, u64 slot,
i64 unix time, signed bytes. All of it is run again, once.
"""

from __future__ import annotations

import logging
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from solders.transaction import VersionedTransaction

from cbctl.localnet import chain as chains
from cbctl.localnet.bank import Bank
from cbctl.localnet.chain import Chain, Options
from cbctl.localnet.durability import SAVE_BYTES
from cbctl.localnet.errors import EXIT_FAILED, EXIT_USAGE, Stop, VmPanic
from cbctl.localnet.genesis import DEFAULT_SLOT_MS, Genesis
from cbctl.localnet.ledger import MAGIC, VERSION, damaged, other_format, sync_folder
from cbctl.localnet.slots import SlotClock

log = logging.getLogger(__name__)

_HEADER = struct.Struct("<8sI")
_FRAME = struct.Struct("<II")
_ENTRY = struct.Struct("<BBQq")
_MAX_PAYLOAD = 1 << 20


def _source(folder: Path) -> Path:
    """The old file, under its name or the one it has while it is taken over."""
    aside = folder / "ledger.v1"
    return aside if aside.exists() else folder / "ledger"


def exists(folder: Path) -> bool:
    """Whether a folder holds state of the old format."""
    return _source(folder).is_file()


def migrate(folder: Path, options: Options) -> None:
    """Makes state of today's format of it: complete, or not there at all."""
    source, draft = _source(folder), folder / "taken-over"
    payloads = _payloads(source)
    first = next(payloads, b"")
    if first[:1] != b"\0":
        raise Stop(f"{source} is damaged: its first record is unreadable", EXIT_FAILED)
    genesis = msgspec.structs.replace(
        msgspec.json.decode(first[1:], type=Genesis), slot_ms=options.slot_ms or DEFAULT_SLOT_MS
    )
    shutil.rmtree(draft, ignore_errors=True)
    if source.name != "ledger":  # a start that was broken off in the middle of what follows
        shutil.rmtree(folder / "ledger", ignore_errors=True)
    draft.mkdir(mode=0o700)
    chains.write(draft, genesis, {})
    bank = Bank(Chain(draft), SlotClock(genesis.first_slot, genesis.slot_ms))
    count = lost = 0
    try:
        for payload in payloads:
            _, _, slot, unix_time = _ENTRY.unpack_from(payload)
            transaction = VersionedTransaction.from_bytes(payload[_ENTRY.size :])
            lost += not bank.run_again(transaction, slot, unix_time)
            count += 1
            if bank.unsaved > SAVE_BYTES:
                bank.save()
        bank.save()
    except VmPanic as panic:
        raise Stop(
            f"{source} cannot be run again ({panic}); it was written by {genesis.vm}: use that "
            "version, or remove the state folder to start a new chain",
            EXIT_FAILED,
        ) from None
    finally:
        bank.close()
    source.replace(folder / "ledger.v1")
    (draft / "ledger").replace(folder / "ledger")
    (draft / "chain.db").replace(folder / "chain.db")  # from here on it counts
    sync_folder(folder)
    (folder / "ledger.v1").unlink()
    shutil.rmtree(draft)
    log.info("brought %d transactions from format 1 to format %d", count, VERSION)
    if lost:
        log.warning("%d of them could not be run again", lost)


def _payloads(path: Path) -> Iterator[bytes]:
    """Whole records; a torn tail is left, damage before good records refused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        magic, version = _HEADER.unpack(head) if len(head) == _HEADER.size else (b"", 0)
        if magic != MAGIC:
            raise Stop(f"{path} is not a localnet ledger; name another folder", EXIT_USAGE)
        if version != 1:
            raise other_format(path.parent, version, VERSION)
        end = file.tell()
        while (payload := _payload(file.fileno(), end)) is not None:
            yield payload
            end += _FRAME.size + len(payload)
        if end < size:
            length = _FRAME.unpack(os.pread(file.fileno(), _FRAME.size, end).ljust(8, b"\0"))[0]
            if _payload(file.fileno(), end + _FRAME.size + length) is not None:
                raise damaged(path, f"byte {end}, with good records behind it")
            log.warning("left %d bytes of a torn last record of the ledger behind", size - end)


def _payload(descriptor: int, offset: int) -> bytes | None:
    head = os.pread(descriptor, _FRAME.size, offset)
    if len(head) < _FRAME.size:
        return None
    length, crc = _FRAME.unpack(head)
    if not 0 < length <= _MAX_PAYLOAD:
        return None
    payload = os.pread(descriptor, length, offset + _FRAME.size)
    return payload if len(payload) == length and zlib.crc32(payload) == crc else None
