"""The write-ahead record of a run: one JSON object a line, each carrying the hash of the last.

A record: {schema, seq, prev_hash, at, token, type, data}. `prev_hash` is the sha256 of the line
before it (64 zeros for the first). The first record of a run also names the end of the run before
it (`data.parent`), so that a run that was removed or cut leaves a gap that an audit finds.

Types: run.started, run.resumed, step.intent, step.outcome, step.verified, step.failed,
run.undoing, step.undone, release.recorded, release.marked, lock.broken, run.ended. A step that is
tried again has a second step.intent when it has more to change than its first one said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cbctl.engine import records
from cbctl.engine.canonical import canonical
from cbctl.engine.clock import Clock, Random, stamp
from cbctl.engine.step import Json
from cbctl.engine.store import SCHEMA, Store
from cbctl.errors import CbctlError, Exit

GENESIS = "0" * 64
RUNS = "runs/"
BESIDE = "beside/"
"""Of what is done beside whoever holds the lock: a stream for each such run."""
_SECOND = "%Y%m%dT%H%M%S"


class Record(msgspec.Struct, frozen=True):
    schema: str
    seq: int
    prev_hash: str
    at: str
    token: int
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Head:
    """Where a stream ends: releases and notifications carry it."""

    stream: str
    count: int
    hash: str


class Journal:
    """Appends to one stream. Not safe for use from several threads: only the engine writes."""

    def __init__(
        self, store: Store, clock: Clock, stream: str, token: int, *, beside: bool = False
    ) -> None:
        """
        token   of the lock; with `beside` it only says after which holder the records were written
        beside  the lock is not ours, and need not be
        """
        self._store, self._clock, self._token = store, clock, token
        self._fence = None if beside else token
        self.stream = stream
        lines = store.read(stream)
        for _ in check(stream, lines):
            pass  # nothing is ever added to a chain that is broken
        self._count = len(lines)
        self._hash = _hash(lines[-1]) if lines else GENESIS

    @property
    def head(self) -> Head:
        return Head(self.stream, self._count, self._hash)

    def write(self, type: str, **data: Json) -> Record:
        """Durable when it returns. Raises Fenced when the lock is lost, and CbctlError for what
        would not be read again: one such record, and nothing of its stream could be relied on."""
        record = Record(
            SCHEMA, self._count + 1, self._hash, stamp(self._clock.wall()), self._token, type, data
        )
        line = canonical(record)
        if why := _unreadable(self.stream, line):
            raise CbctlError(
                f"what would be written is no {type} that cbctl reads again ({why})",
                where=self.stream,
                fix="nothing was written",
            )
        self._store.append(self.stream, self._count, self._fence, line)
        self._count, self._hash = self._count + 1, _hash(line)
        return record


def read(store: Store, stream: str) -> list[Record]:
    """All records, their chain checked. Raises CbctlError (exit 10) where it is broken."""
    return list(check(stream, store.read(stream)))


def check(stream: str, lines: Iterable[bytes]) -> Iterable[Record]:
    last = GENESIS
    for number, line in enumerate(lines, 1):
        try:
            record = _decoded(line)
        except ValueError as error:
            raise _broken(stream, number, f"cannot be read ({error})") from None
        if record.schema.split(".")[0] != SCHEMA.split(".")[0]:
            raise CbctlError(
                f"record {number} has schema {record.schema}, this cbctl reads {SCHEMA}",
                exit=Exit.REFUSED,
                where=stream,
                fix="use the cbctl version that wrote it",
            )
        if record.seq != number or record.prev_hash != last:
            raise _broken(stream, number, "does not follow the record before it")
        if why := problem(stream, record):
            raise _broken(stream, number, f"is no {record.type} that cbctl writes ({why})")
        yield record
        last = _hash(line)


def _decoded(line: bytes) -> Record:
    """Raises ValueError."""
    try:
        return msgspec.json.decode(line, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _unreadable(stream: str, line: bytes) -> str:
    """Why it could not be read back; nothing when it can."""
    try:
        return problem(stream, _decoded(line))
    except ValueError as error:
        return str(error)


def problem(stream: str, record: Record) -> str:
    """Why cbctl cannot have written this there; nothing when it can."""
    if record.seq == 1 and stream.startswith((RUNS, BESIDE)) and record.type not in records.BEGINS:
        return "a run does not begin so"
    return records.problem(record.type, record.data, record.at)


def head(store: Store, stream: str) -> Head:
    """Where a stream ends now."""
    lines = store.read(stream)
    return Head(stream, len(lines), _hash(lines[-1]) if lines else GENESIS)


def newest(store: Store, prefix: str = RUNS) -> Head | None:
    """The end of the newest run, for the first record of the next."""
    streams = store.streams(prefix)
    return head(store, streams[-1]) if streams else None


def new_run(store: Store, clock: Clock, random: Random, prefix: str = RUNS) -> str:
    """An id that sorts by time: 20261122T193348-9f3a1c.

    It also sorts after every run that is there: with two runs in a second, and when the clock was
    set back, the order of runs is still that of their ids."""
    at = datetime.fromtimestamp(clock.wall(), UTC).replace(microsecond=0)
    for stream in store.streams(prefix)[-1:]:
        with suppress(ValueError, OverflowError):
            last = datetime.strptime(stream.removeprefix(prefix)[:15], _SECOND).replace(tzinfo=UTC)
            at = max(at, last + timedelta(seconds=1))
    return f"{at:{_SECOND}}-{random.token(3)}"


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _broken(stream: str, number: int, what: str) -> CbctlError:
    return CbctlError(
        f"record {number} {what}: the journal was changed after it was written",
        exit=Exit.DIFFERS,
        where=stream,
        fix="restore the file from a copy; cbctl does not resume from a changed journal",
    )
