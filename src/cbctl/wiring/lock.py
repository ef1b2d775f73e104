"""The lock of an environment, beside the runs that take it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cbctl.engine import lock
from cbctl.engine.ending import lock_lost
from cbctl.engine.lock import Held
from cbctl.engine.store import Fenced
from cbctl.errors import CbctlError
from cbctl.wiring.workplace import Workplace


@contextmanager
def locked(work: Workplace, reason: str) -> Iterator[Held]:
    """Raises CbctlError (6) when somebody else has the lock, or `fence` finds that it was taken."""
    world, name = work.world, work.env.name
    held = lock.acquire(
        world.store, world.clock, world.owner, lock.NO_RUN, reason, environment=name
    )
    try:
        yield held
    except Fenced as lost:
        raise lock_lost(lost) from None
    finally:
        held.release()


def break_lock(work: Workplace, reason: str) -> str:
    """Takes the lock from its holder and records why; returns the id of the record."""
    world = work.world
    try:
        return lock.break_lock(world.store, world.clock, world.random, world.owner, reason)
    except CbctlError as error:
        error.fix = error.fix or f"cbctl lock status {work.env.name}"
        raise


def refuse_while_locked(work: Workplace) -> None:
    """Tells at once, before anything is looked at, that somebody else is at work."""
    now = work.store.read_lock()
    if now and now.held and work.store.owner_state(now.owner) == "alive":
        raise lock.held_by(now, work.env.name)
