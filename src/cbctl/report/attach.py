"""A run that another process carries out, watched to its end; or one that ended, seen again."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

from cbctl.engine import journal
from cbctl.engine.event import Event
from cbctl.engine.journal import RUNS
from cbctl.engine.store import Owner, Store
from cbctl.errors import CbctlError, Exit
from cbctl.local.runlogs import Growing, RunLogs
from cbctl.report import retold
from cbctl.report.runs import find, going_on

LOOKS = 10
"""How often the events of a run that goes on are looked for before its journal is asked."""


def to_watch(store: Store, run: str | None, environment: str) -> str:
    """The run of that id; the newest for `last`; without one, that which goes on, else the newest.

    Raises CbctlError (64)."""
    running = going_on(store)
    known = [s.removeprefix(RUNS) for s in reversed(store.streams(RUNS))]
    if running in known and run in (None, running):
        return running
    if run in (None, "last"):
        newest = next((id for id in known if not _broke_a_lock(store, id)), None)
        if newest is None:
            fix = f"cbctl deploy {environment}"
            raise CbctlError("there is no run yet", exit=Exit.USAGE, where=environment, fix=fix)
        return newest
    assert run is not None
    if _broke_a_lock(store, find(store, run, environment)):
        raise CbctlError(
            "this is the record of a broken lock: there is nothing to watch",
            exit=Exit.USAGE,
            where=run,
            fix=f"cbctl why {run} --env {environment}",
        )
    return run


def _broke_a_lock(store: Store, run: str) -> bool:
    return journal.read(store, RUNS + run)[0].type == "lock.broken"


class Watched:
    """
    holder  who carries it out; None: nobody any more
    state   of the holder's process: alive, or unknown (stopped, or not to be seen from here)
    over    its last event was told
    """

    def __init__(self, store: Store, logs: RunLogs, run: str, environment: str) -> None:
        self.run, self.state, self.over = run, "", False
        self.holder: Owner | None = None
        self._store, self._environment = store, environment
        self._path = logs.events(run)
        self._file = Growing(self._path)
        self._looks = self._retold = 0
        self._heard = ""

    def news(self) -> list[Event]:
        """What was told since the last call. The very last event is `run.ended`."""
        self._look_for_holder()  # before reading: whoever has left has told everything
        told = self._told()
        if told:
            self._heard = told[-1].at
        if told and told[-1].type == "run.ended":
            self.over = True
        elif self.holder is None:
            end = retold.end(self._store, self.run, self._environment)
            told.append(replace(end, at=max(end.at, self._heard)))
            self.over = True
        return told

    def close(self) -> None:
        self._file.close()

    def _look_for_holder(self) -> None:
        lock, before = self._store.read_lock(), self.holder
        self.holder = None
        if lock and lock.held and lock.run == self.run:
            self.state = self._store.owner_state(lock.owner)
            self.holder = None if self.state == "dead" else lock.owner
        elif before and self._store.owner_state(before) == "alive":
            self.holder = before  # the lock was taken from it, and it is about to say so

    def _told(self) -> list[Event]:
        lines = self._lines()
        if self._file.found:
            return [event for line in lines if (event := _event(line))]
        self._looks += 1
        if self.holder is not None and self._looks < LOOKS:
            return []
        known = retold.events(self.run, journal.read(self._store, RUNS + self.run))
        told, self._retold = known[self._retold :], len(known)
        return told

    def _lines(self) -> list[bytes]:
        try:
            return self._file.read()
        except OSError as error:
            forbidden = error.errno in (errno.EACCES, errno.EPERM)
            raise CbctlError(
                error.strerror or str(error),
                exit=Exit.CREDENTIALS if forbidden else Exit.FAILED,
                where=str(self._path),
                fix="run cbctl as the user that owns the file" if forbidden else "",
            ) from None


def _event(line: bytes) -> Event | None:
    """None for a line that is no event: the file was damaged."""
    try:
        match json.loads(line):
            case {"type": str(type), "at": str(at), "run": str(run), "data": dict(data)}:
                return Event(type, at, run, data)
    except (ValueError, RecursionError):
        return None
    return None
