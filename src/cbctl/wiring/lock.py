"""The lock of an environment, beside the runs that take it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cbctl.engine import journal as journals
from cbctl.engine import lock
from cbctl.engine.canonical import plain
from cbctl.engine.lock import Held
from cbctl.errors import CbctlError, Exit
from cbctl.wiring.workplace import Workplace


@contextmanager
def locked(work: Workplace, reason: str) -> Iterator[Held]:
    held = lock.acquire(
        work.store,
        work.world.clock,
        work.world.owner,
        lock.NO_RUN,
        reason,
        environment=work.env.name,
    )
    try:
        yield held
    finally:
        held.release()


def break_lock(work: Workplace, reason: str) -> str:
    """Takes the lock from its holder, records why in a journal of its own; returns its id."""
    world = work.world
    before = work.store.read_lock()
    if before is None or not before.held:
        fix = f"cbctl lock status {work.env.name}"
        raise CbctlError("nobody holds the lock", exit=Exit.USAGE, fix=fix)
    parent = journals.newest(work.store)
    id = journals.new_run(work.store, world.clock, world.random)
    held = lock.break_lock(work.store, world.clock, world.owner, id, reason)
    try:
        log = journals.Journal(work.store, world.clock, journals.RUNS + id, held.token)
        log.write(
            "lock.broken",
            reason=reason,
            who=world.owner.who,
            host=world.owner.host,
            holder=plain(before),
            parent=plain(parent),
        )
    finally:
        held.release()
    return id


def refuse_while_locked(work: Workplace) -> None:
    """Tells at once, before anything is looked at, that somebody else is at work."""
    now = work.store.read_lock()
    if now and now.held and work.store.owner_state(now.owner) == "alive":
        raise lock.held_by(now, work.env.name)
