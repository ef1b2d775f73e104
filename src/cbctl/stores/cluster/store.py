"""The Store of the engine in a namespace of Kubernetes."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Final

from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner
from cbctl.errors import CbctlError, Exit
from cbctl.stores.cluster import blobs, log
from cbctl.stores.cluster.lease import Lease
from cbctl.stores.cluster.log import Log
from cbctl.stores.cluster.objects import FULL, Changed, Objects
from cbctl.stores.cluster.streams import Streams

_NAME: Final = re.compile(r"[a-z]+/[A-Za-z0-9](?:[A-Za-z0-9.-]{0,50}[A-Za-z0-9])?")
"""What a label and the name of an object can hold. (In names of objects the case is lost.)"""
_SHA256: Final = re.compile("[0-9a-f]{64}")


class ClusterStore:
    """A Store. Safe between threads, processes and machines."""

    def __init__(self, objects: Objects, owner_state: Callable[[Owner], str]) -> None:
        """
        objects      of the environment's namespace
        owner_state  "dead" | "alive" | "unknown"
        """
        self._objects = objects
        self._lease = Lease(self._objects)
        self._streams = Streams(self._objects)
        self._owner_state = owner_state
        self._adding, self._locking = threading.RLock(), threading.Lock()
        self._holder = ""
        self._log: Log | None = None
        self._counts: dict[str, int] = {}

    # -- streams ----------------------------------------------------------------------------

    def append(self, stream: str, expected: int, token: int | None, line: bytes) -> None:
        if b"\n" in line:
            raise ValueError("a record is one line")
        _require_name(stream)
        text, number, tried = line.decode(), expected + 1, False
        with self._adding:
            while True:
                known = self._log is not None
                now = self._log or self._look()
                if now is None and token is None:
                    log.hand_over(self._objects, None, 0)  # nobody has had the lock yet
                    continue
                if tried and now and now.streams.get(stream, {}).get(number) == text:
                    return  # it was done, only its answer was lost
                if tried and token is None and self._streams.read(stream).get(number) == text:
                    return  # the same, and whoever holds the lock has moved it since
                wrong = self._wrong(now, stream, expected, token)
                if wrong is None and now is not None:
                    tried = True
                    if self._add(now, stream, number, text):
                        return
                elif wrong is not None and not known and self._still(now):
                    raise wrong
                self._log = None  # what was known of it is old: look, and judge by that

    def read(self, stream: str) -> list[bytes]:
        _require_name(stream)
        # the log first: what is moved meanwhile is found in its stream then
        now = log.read(self._objects)
        records = dict(now.streams.get(stream, {})) if now else {}
        records |= self._streams.read(stream)
        return [records[number].encode() for number in sorted(records)]

    def streams(self, prefix: str) -> list[str]:
        now = log.read(self._objects)
        found = {name for name in (now.streams if now else ()) if name.startswith(prefix)}
        return sorted(found | self._streams.names(prefix))

    def tidy(self) -> None:
        """Packs old runs; nothing is lost by it, and it needs no lock."""
        self._streams.tidy()

    # -- blobs ------------------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        return blobs.put(self._objects, data)

    def get_blob(self, sha256: str) -> bytes:
        if not _SHA256.fullmatch(sha256):
            raise CbctlError(f"{sha256!r} is no sha256", exit=Exit.USAGE, where="store")
        return blobs.get(self._objects, sha256)

    # -- lock -------------------------------------------------------------------------------

    def read_lock(self) -> LockRecord | None:
        return self._lease.read()

    def swap_lock(self, expected: LockRecord | None, new: LockRecord) -> None:
        with self._locking:
            taken = new.held and (expected is None or expected.token != new.token)
            if not new.held:
                self._close(new.token, log.holder(new.owner))
            self._lease.swap(expected, new)
            if taken:
                self._holder = log.holder(new.owner)
                self._open(new)
            self._objects.holding = new.held

    def owner_state(self, owner: Owner) -> str:
        return self._owner_state(owner)

    # -- the log ----------------------------------------------------------------------------

    def _open(self, ours: LockRecord) -> None:
        """Makes the log ours alone, before anything is done under the new token."""
        with self._adding:
            self._log = None
            while True:
                now = log.read(self._objects)
                # after the log: who took the lock in between hands over another version of it
                lock = self._lease.read()
                if lock is None or (lock.token, lock.owner) != (ours.token, ours.owner):
                    raise Conflict("the lock was taken from us at once")
                self._move(now)
                if log.hand_over(self._objects, now, ours.token, self._holder):
                    return

    def _close(self, token: int, holder: str) -> None:
        """Leaves nothing in a log that nobody will add to."""
        with self._adding:
            self._log = None
            while True:
                now = log.read(self._objects)
                if now is None or not now.may_add(token, holder):
                    return
                self._move(now)
                if log.hand_over(self._objects, now, token):
                    return

    def _move(self, now: Log | None) -> None:
        for stream, records in (now.streams if now else {}).items():
            self._streams.move(stream, records)

    def _look(self) -> Log | None:
        self._log, self._counts = log.read(self._objects), {}
        return self._log

    def _still(self, now: Log | None) -> bool:
        """Whether the log was this one while its streams were counted."""
        again = log.read(self._objects)
        return (again and again.version) == (now and now.version)

    def _wrong(
        self, now: Log | None, stream: str, expected: int, token: int | None
    ) -> Exception | None:
        if token is not None and (now is None or not now.may_add(token, self._holder)):
            return Fenced(token, self.read_lock())
        written = now.streams.get(stream, {}) if now else {}
        if stream not in self._counts:
            self._counts[stream] = len(self._streams.read(stream).keys() - written.keys())
        count = self._counts[stream] + len(written)
        if count != expected:
            return Conflict(f"{stream} has {count} records, not {expected}")
        return None

    def _add(self, now: Log, stream: str, number: int, line: str) -> bool:
        if now.size + len(line) > FULL and now.streams:
            self._move(now)
            log.hand_over(self._objects, now, now.token, now.holder)
            return False
        try:
            self._log = log.add(self._objects, now, stream, number, line)
        except Changed:
            return False
        return True


def _require_name(stream: str) -> None:
    if not _NAME.fullmatch(stream):
        raise CbctlError(f"{stream!r} is not a name of a run or stream", exit=Exit.USAGE)
