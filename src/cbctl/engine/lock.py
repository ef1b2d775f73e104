"""A lease with a fencing token over a store's compare-and-set.

Expiry is judged by not having *seen* a renewal for the time to live on one's own monotonic clock,
never by comparing clocks. The token grows with every new holder and every break, so that whoever
lost the lock is refused by `Store.append` and by `Held.fence`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import msgspec

from cbctl.engine import journal as journals
from cbctl.engine.canonical import plain
from cbctl.engine.clock import Clock, Random, stamp
from cbctl.engine.store import Conflict, Fenced, LockRecord, Owner, Store
from cbctl.errors import CbctlError, Exit

TIME_TO_LIVE = 15.0
RENEW_EVERY = 5.0
NO_RUN = "-"
"""Instead of a run's id, by whoever holds the lock for something shorter."""
_LOOK_EVERY = 0.25
_WRITTEN = (journals.RUNS, "releases/", "policy/", "backups/")
"""Streams whose records carry the token of their writer."""


class Held:
    """A lock that was acquired. `renew` is called by a repeating task of the run."""

    def __init__(self, store: Store, record: LockRecord) -> None:
        self._store = store
        self._record = record

    @property
    def token(self) -> int:
        return self._record.token

    def fence(self) -> None:
        """Raises Fenced unless the lock is still ours."""
        now = self._store.read_lock()
        if now is None or not self._ours(now):
            raise Fenced(self.token, now)

    def renew(self) -> None:
        """Shows others that the holder lives. Losing the lock is found by the next fence, and a
        store that does not answer now is asked again at the next renewal."""
        with suppress(Exception):
            now = self._store.read_lock()
            if now is not None and self._ours(now):
                self._store.swap_lock(now, replace(now, renewals=now.renewals + 1))

    def release(self) -> None:
        """A lock that cannot be released (its disk is full) is left to expire."""
        with suppress(Exception):
            while True:
                now = self._store.read_lock()
                if now is None or not self._ours(now):
                    return
                try:
                    self._store.swap_lock(now, replace(now, held=False))
                    return
                except Conflict:
                    continue  # our own renewal came between

    def _ours(self, now: LockRecord) -> bool:
        # the owner too: whoever removes the record by hand may bring a token back
        return now.held and now.token == self.token and now.owner == self._record.owner


class Lent(Held):
    """The lock as a helper of a run sees it that outlives whoever sent it. A resume takes the lock
    anew, under another token, and then waits for this same helper."""

    def _ours(self, now: LockRecord) -> bool:
        return now.held and now.run == self._record.run


def acquire(
    store: Store,
    clock: Clock,
    owner: Owner,
    run: str,
    reason: str,
    environment: str = "ENV",
    waiting: Callable[[LockRecord], None] = lambda holder: None,
    check: Callable[[], None] = lambda: None,
) -> Held:
    """Takes the lock, or raises CbctlError (exit 6) naming the holder.

    environment  as the commands that the error names need it
    waiting      told of a holder whose renewal is awaited
    check        raises to give up

    A holder that is certainly dead is replaced at once; one that is alive is respected at once; of
    any other a renewal is awaited for the time to live before the lock is taken from it."""
    watched: LockRecord | None = None
    since = clock.monotonic()
    while True:
        check()
        now = store.read_lock()
        if now is None or not now.held or store.owner_state(now.owner) == "dead":
            taken = _take(store, clock, now, owner, run, reason)
            if taken:
                return taken
            continue
        renewed = watched is not None and (
            now.token == watched.token and now.renewals != watched.renewals
        )
        if renewed or store.owner_state(now.owner) == "alive":
            raise held_by(now, environment)
        if watched is None or watched.token != now.token:
            watched, since = now, clock.monotonic()
            waiting(now)
        elif clock.monotonic() - since >= TIME_TO_LIVE:
            taken = _take(store, clock, now, owner, run, reason)
            if taken:
                return taken
            watched = None
        clock.sleep(_LOOK_EVERY)


def break_lock(store: Store, clock: Clock, random: Random, owner: Owner, reason: str) -> str:
    """Takes the lock from its holder, records why and lets it go; returns the id of the record.

    Raises CbctlError (64) when nobody holds it, and (6) when another one takes it meanwhile."""
    while True:
        holder = store.read_lock()
        if holder is None or not holder.held:
            raise CbctlError("nobody holds the lock", exit=Exit.USAGE)
        if held := _take(store, clock, holder, owner, NO_RUN, reason):
            break
    try:
        # only now nothing can come between the run that it names and its own record
        parent, id = journals.newest(store), journals.new_run(store, clock, random)
        journals.Journal(store, clock, journals.RUNS + id, held.token).write(
            "lock.broken",
            reason=reason,
            who=owner.who,
            host=owner.host,
            holder=plain(holder),
            parent=plain(parent),
        )
        return id
    except Fenced:
        raise CbctlError(
            "somebody else took the lock too, before this reason was recorded", exit=Exit.LOCKED
        ) from None
    finally:
        held.release()


def last_token(store: Store, now: LockRecord | None) -> int:
    """That of the newest holder so far. now: the lock's record

    When it was removed by hand, the highest token in the journals: a token never comes back."""
    if now:
        return now.token
    tokens = [0]
    for stream in (s for prefix in _WRITTEN for s in store.streams(prefix)):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            tokens.append(msgspec.json.decode(store.read(stream)[-1], type=_Numbered).token)
    return max(tokens)


def held_by(record: LockRecord, environment: str) -> CbctlError:
    owner = record.owner
    if record.run == NO_RUN:
        work, wait = record.reason, "wait until that is done"
    else:
        work = f"run {record.run}: {record.reason}"
        wait = f"watch that run to its end: cbctl runs attach {record.run} --env {environment}"
    return CbctlError(
        f"the lock is held by {owner.who} on {owner.host} (process {owner.pid}) since "
        f"{record.since} for {work}",
        exit=Exit.LOCKED,
        fix=f"{wait}; or: cbctl lock break {environment} --reason WHY",
    )


def _take(
    store: Store, clock: Clock, now: LockRecord | None, owner: Owner, run: str, reason: str
) -> Held | None:
    new = LockRecord(
        token=last_token(store, now) + 1,
        held=True,
        owner=owner,
        run=run,
        reason=reason,
        since=stamp(clock.wall()),
        renewals=0,
    )
    try:
        store.swap_lock(now, new)
    except Conflict:
        return None
    return Held(store, new)


class _Numbered(msgspec.Struct):
    token: int
