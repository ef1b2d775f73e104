"""The log of everything that changed the chain, on disk before it counts as confirmed.

A folder of segments, each named by the position of its first byte in the whole log, so that a
position says where to look for ever, also when the oldest segments are dropped. A segment: 8 bytes
magic, u32 format version, u64 position, 32 bytes name of the VM, then frames of u32 length, u32
crc32, payload (all little endian). What the payloads mean is written in records.py.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cbctl.localnet.errors import EXIT_FAILED, EXIT_USAGE, Stop

MAGIC = b"CBLEDGER"
VERSION = 2

# A segment is the unit in which old history is dropped.
SEGMENT_BYTES = 32 * 1024 * 1024

_HEADER = struct.Struct("<8sIQ32s")
_FRAME = struct.Struct("<II")
EMPTY_BYTES = _HEADER.size

# Far above any record, far below a length read out of garbage.
MAX_PAYLOAD = 1 << 22

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync


class Place(NamedTuple):
    """Where a record's payload is in the log."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The log's size from which on the record is complete."""
        return self.offset + self.length


class _Segment(NamedTuple):
    base: int
    path: Path
    fd: int

    def at(self, position: int) -> int:
        """A position of the log as one of the file."""
        return position - self.base + _HEADER.size

    def end(self) -> int:
        """The position after the file's last byte."""
        return self.base + os.fstat(self.fd).st_size - _HEADER.size


def sync_folder(folder: Path) -> None:
    """Puts the names of new, renamed and removed files on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(folder: Path, vm: str, base: int = 0) -> Path:
    """A new, empty segment: complete under its name, or not there at all."""
    path = folder / f"{base:020}"
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(_HEADER.pack(MAGIC, VERSION, base, vm.encode()))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(folder)
    return path


class Ledger:
    """An open log. `append` reaches the kernel at once, `sync` the disk.

    size    position after the last record; what is before survives the death of the process
    synced  the same on disk; survives the death of the machine
    cut     bytes of a torn tail that opening removed
    """

    def __init__(self, folder: Path, vm: str, checked_from: int = 0) -> None:
        """checked_from  position of the first record that somebody will run again: from there on
        every record is looked at now, before it when it is read"""
        self._folder = folder
        self._vm = vm
        self.cut = 0
        self.synced = 0
        self._segments: list[_Segment] = []
        try:
            for path in sorted(p for p in folder.iterdir() if p.name.isdigit()):
                self._segments.append(self._open(path))
            if not self._segments:
                raise Stop(f"{folder} holds no ledger; name another folder", EXIT_USAGE)
            self.size = self._find_end(checked_from)
        except BaseException:
            self._close_files()
            raise
        self.sync()

    def _open(self, path: Path) -> _Segment:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            head = os.pread(fd, _HEADER.size, 0)
            magic, version, base, _ = (
                _HEADER.unpack(head) if len(head) == _HEADER.size else (b"", 0, 0, b"")
            )
            if magic != MAGIC or base != int(path.name):
                raise Stop(f"{path} is not a localnet ledger; name another folder", EXIT_USAGE)
            if version != VERSION:
                raise other_format(path.parents[1], version, VERSION)
        except BaseException:
            os.close(fd)
            raise
        return _Segment(base, path, fd)

    def _find_end(self, start: int) -> int:
        """Checks every frame; cuts a torn tail, refuses damage that has good records behind it."""
        for segment, following in zip(self._segments, self._segments[1:], strict=False):
            if segment.end() != following.base:
                raise damaged(segment.path, "it does not reach to the file after it")
        last = self._segments[-1]
        on_disk = last.end()
        if not self._segments[0].base <= start <= on_disk:
            raise damaged(self._folder, f"position {start} is not in it")
        end = start
        for payload, place in self.payloads(start):
            del payload
            end = place.end
        if end < last.base:
            raise damaged(self._segment(end).path, f"position {end}, with good records behind it")
        if end < on_disk:
            if self._good_record_behind(end, on_disk):
                raise damaged(last.path, f"position {end}, with good records behind it")
            self.cut = on_disk - end
            os.ftruncate(last.fd, last.at(end))
        return end

    def _good_record_behind(self, end: int, on_disk: int) -> bool:
        """Whether more than the last record is wrong. Not when nothing stands at `end`: a power cut
        may lose a block and keep one behind it, none of which was called durable."""
        last = self._segments[-1]
        if not any(os.pread(last.fd, _FRAME.size, last.at(end))):
            return False
        # Not only where the length says: it may be what is damaged.
        return any(self._payload_at(at) is not None for at in range(end + 1, on_disk))

    @property
    def first(self) -> int:
        """Position of the oldest record that is still there."""
        return self._segments[0].base

    def _segment(self, position: int) -> _Segment:
        index = bisect_right(self._segments, position, key=lambda segment: segment.base)
        if not index:
            raise ValueError(f"position {position} is no longer in the ledger")
        return self._segments[index - 1]

    def _payload_at(self, position: int) -> bytes | None:
        segment = self._segment(position)
        head = os.pread(segment.fd, _FRAME.size, segment.at(position))
        if len(head) < _FRAME.size:
            return None
        length, crc = _FRAME.unpack(head)
        if not 0 < length <= MAX_PAYLOAD:
            return None
        payload = os.pread(segment.fd, length, segment.at(position) + _FRAME.size)
        return payload if len(payload) == length and zlib.crc32(payload) == crc else None

    def payloads(self, start: int) -> Iterator[tuple[bytes, Place]]:
        """The payloads of all whole records from a position on, in the order of writing."""
        position = start
        for segment in self._segments[self._segments.index(self._segment(start)) :]:
            if position != max(segment.base, start):
                return  # the segment before ended too early
            with segment.path.open("rb") as file:
                file.seek(segment.at(position))
                while len(head := file.read(_FRAME.size)) == _FRAME.size:
                    length, crc = _FRAME.unpack(head)
                    if not 0 < length <= MAX_PAYLOAD:
                        return
                    payload = file.read(length)
                    if len(payload) < length or zlib.crc32(payload) != crc:
                        return
                    place = Place(position + _FRAME.size, length)
                    yield payload, place
                    position = place.end

    def append(self, payload: bytes) -> Place:
        """Adds one record; OSError when the disk refuses, with nothing half written left."""
        segment = self._segments[-1]
        if self.size - segment.base >= SEGMENT_BYTES:
            segment = self.begin_segment()
        frame = _FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        at = segment.at(self.size)
        try:
            written = os.pwrite(segment.fd, frame, at)
            if written != len(frame):
                raise OSError(f"{segment.path}: wrote {written} of {len(frame)} bytes")
        except OSError:
            os.ftruncate(segment.fd, at)
            raise
        place = Place(self.size + _FRAME.size, len(payload))
        self.size += len(frame)
        return place

    def begin_segment(self) -> _Segment:
        """Further records go to a new file. Only the newest file may end in a torn record, so the
        one before is on disk first."""
        if self._segments[-1].base < self.size:
            self.sync()
            self._segments.append(self._open(create(self._folder, self._vm, self.size)))
        return self._segments[-1]

    def read(self, place: Place) -> bytes:
        """A payload; ValueError when it is damaged or was dropped."""
        payload = self._payload_at(place.offset - _FRAME.size)
        if payload is None or len(payload) != place.length:
            raise ValueError(f"the record at position {place.offset} of the ledger is damaged")
        return payload

    def droppable(self, limit: int, needed: int) -> int:
        """The position before which files would have to go so that `limit` bytes are left.

        needed  everything from this position on stays in any case"""
        first = self.first
        for segment in self._segments[1:]:
            if self.size - first <= limit or segment.base > needed:
                break
            first = segment.base
        return first

    def drop(self, before: int) -> None:
        """Removes the files that hold only records before a position."""
        while len(self._segments) > 1 and self._segments[1].base <= before:
            segment = self._segments.pop(0)
            os.close(segment.fd)
            segment.path.unlink()

    def sync(self) -> None:
        """Puts everything appended so far on disk. Blocking; may run in another thread."""
        size = self.size
        _sync(self._segments[-1].fd)
        self.synced = max(size, self.synced)

    def close(self) -> None:
        """Syncs and closes."""
        self.sync()
        self._close_files()

    def _close_files(self) -> None:
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()


def damaged(path: Path, what: str) -> Stop:
    """Refuses a file that a crash cannot have left like this."""
    return Stop(
        f"{path} is damaged ({what}): restore the state folder from a copy or a snapshot, or "
        "remove it to start a new chain",
        EXIT_FAILED,
    )


def other_format(folder: Path, found: int, known: int) -> Stop:
    """Refuses state that another version wrote."""
    return Stop(
        f"{folder} holds state of format {found}, this localnet reads format {known}: use the "
        "cbctl that wrote it, or remove the folder for a new chain",
        EXIT_USAGE,
    )
