"""The log of everything that changed the chain, on disk before it counts as confirmed.

File: 8 bytes magic, u32 format version, then frames of u32 length, u32 crc32, payload (all little
endian). The first payload is the genesis (kind 0, JSON); every other one is a transaction:

    u8 kind = 1 | u8 1 if it succeeded, 0 if it failed | u64 slot | i64 unix time | signed bytes

Slot and time are what the VM's clock said when the transaction ran; blockhashes are a function of
the slot (see blockhash.py). Together they are all that running it again needs.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from cbctl.localnet.errors import EXIT_FAILED, EXIT_USAGE, Stop

MAGIC = b"CBLEDGER"
VERSION = 1

_HEADER = struct.Struct("<8sI")
_FRAME = struct.Struct("<II")
_ENTRY = struct.Struct("<BBQq")
_GENESIS_KIND = 0
_ENTRY_KIND = 1

# Far above any record, far below a length read out of garbage.
MAX_PAYLOAD = 1 << 20

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync


class Genesis(msgspec.Struct, frozen=True):
    """What a new state starts from; hashes and seeds are 64 hex digits."""

    genesis_hash: str
    blockhash_seed: str
    faucet_seed: str
    faucet_lamports: int
    first_slot: int
    unix_time: int
    vm: str  # version of the VM that wrote the log


class Entry(NamedTuple):
    """One transaction of the log."""

    slot: int
    unix_time: int
    succeeded: bool
    raw: bytes


class Place(NamedTuple):
    """Where a transaction's signed bytes are in the file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The file size from which on the transaction is complete."""
        return self.offset + self.length


def _frame(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def create(path: Path, genesis: Genesis) -> None:
    """Writes a new log: complete under its name, or not there at all."""
    draft = path.with_suffix(".new")
    payload = bytes([_GENESIS_KIND]) + msgspec.json.encode(genesis)
    with draft.open("wb") as file:
        file.write(_HEADER.pack(MAGIC, VERSION) + _frame(payload))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Ledger:
    """An open log. `append` reaches the kernel at once, `sync` the disk.

    size       bytes written; survives the death of the process
    synced     bytes on disk; survives the death of the machine
    cut        bytes of a torn tail that opening removed
    last_slot  slot of the last transaction found when opening, 0 without one
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.cut = 0
        self.last_slot = 0
        try:
            self.genesis, self._start = self._read_head()
            self.size = self._find_end()
        except BaseException:
            os.close(self._fd)
            raise
        self.sync()

    def _read_head(self) -> tuple[Genesis, int]:
        head = os.pread(self._fd, _HEADER.size, 0)
        magic, version = _HEADER.unpack(head) if len(head) == _HEADER.size else (b"", 0)
        if magic != MAGIC:
            raise Stop(f"{self._path} is not a localnet ledger; name another folder", EXIT_USAGE)
        if version != VERSION:
            raise Stop(
                f"{self._path.parent} holds state of format {version}, this localnet reads format "
                f"{VERSION}: use the cbctl that wrote it, or remove the folder for a new chain",
                EXIT_USAGE,
            )
        payload = self._payload_at(_HEADER.size)
        if payload is None or payload[:1] != bytes([_GENESIS_KIND]):
            raise Stop(f"{self._path} is damaged: its first record is unreadable", EXIT_FAILED)
        return msgspec.json.decode(payload[1:], type=Genesis), (
            _HEADER.size + _FRAME.size + len(payload)
        )

    def _payload_at(self, offset: int) -> bytes | None:
        head = os.pread(self._fd, _FRAME.size, offset)
        if len(head) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(head)
        if not 0 < length <= MAX_PAYLOAD:
            return None
        payload = os.pread(self._fd, length, offset + _FRAME.size)
        return payload if len(payload) == length and zlib.crc32(payload) == crc else None

    def _find_end(self) -> int:
        """Checks every frame; cuts a torn tail, refuses damage that has good records behind it."""
        on_disk = os.fstat(self._fd).st_size
        end = self._start
        for payload, length in self._frames():
            end += _FRAME.size + length
            if length >= _ENTRY.size:
                self.last_slot = _ENTRY.unpack_from(payload)[2]
        if end < on_disk:
            if self._good_record_behind(end, on_disk):
                raise Stop(
                    f"{self._path} is damaged at byte {end}, with good records behind it: "
                    "restore the folder from a copy, or remove it to start a new chain",
                    EXIT_FAILED,
                )
            self.cut = on_disk - end
            os.ftruncate(self._fd, end)
        return end

    def _good_record_behind(self, end: int, on_disk: int) -> bool:
        """Whether more than the last record is wrong. Not when nothing stands at `end`: a power cut
        may lose a block and keep one behind it, none of which was called durable."""
        head = os.pread(self._fd, _FRAME.size, end)
        if not any(head):
            return False
        # Not only where the length says: it may be what is damaged.
        return any(self._payload_at(at) is not None for at in range(end + 1, on_disk))

    def _frames(self) -> Iterator[tuple[memoryview, int]]:
        """Payload and its length of every whole frame after the genesis."""
        with self._path.open("rb") as file:
            file.seek(self._start)
            while len(head := file.read(_FRAME.size)) == _FRAME.size:
                length, crc = _FRAME.unpack(head)
                if not 0 < length <= MAX_PAYLOAD:
                    return
                payload = file.read(length)
                if len(payload) < length or zlib.crc32(payload) != crc:
                    return
                yield memoryview(payload), length

    def entries(self) -> Iterator[tuple[Entry, Place]]:
        """Every transaction in the order in which it ran."""
        offset = self._start
        for payload, length in self._frames():
            kind, succeeded, slot, unix_time = _ENTRY.unpack_from(payload)
            if kind != _ENTRY_KIND:
                raise Stop(
                    f"{self._path} holds a record of unknown kind {kind} at byte {offset}: "
                    "use the cbctl that wrote it",
                    EXIT_USAGE,
                )
            place = Place(offset + _FRAME.size + _ENTRY.size, length - _ENTRY.size)
            raw = bytes(payload[_ENTRY.size :])
            yield Entry(slot, unix_time, bool(succeeded), raw), place
            offset += _FRAME.size + length

    def append(self, entry: Entry) -> Place:
        """Adds one transaction; OSError when the disk refuses, with nothing half written left."""
        payload = _ENTRY.pack(_ENTRY_KIND, entry.succeeded, entry.slot, entry.unix_time) + entry.raw
        frame = _frame(payload)
        try:
            written = os.pwrite(self._fd, frame, self.size)
            if written != len(frame):
                raise OSError(f"{self._path}: wrote {written} of {len(frame)} bytes")
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        place = Place(self.size + _FRAME.size + _ENTRY.size, len(entry.raw))
        self.size += len(frame)
        return place

    def read(self, place: Place) -> bytes:
        """The signed bytes of a transaction."""
        return os.pread(self._fd, place.length, place.offset)

    def sync(self) -> None:
        """Puts everything appended so far on disk. Blocking; may run in another thread."""
        size = self.size
        _sync(self._fd)
        self.synced = size

    def close(self) -> None:
        """Syncs and closes."""
        self.sync()
        os.close(self._fd)
