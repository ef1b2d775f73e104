"""The history of releases, and its copy on this machine: what is known when the cluster is gone.

The copy is the stream itself, in the form of the store in files, so that everything which reads a
history reads it too. There are no secrets in it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cbctl.clients.kubernetes.failures import Unreachable
from cbctl.engine import release
from cbctl.engine.release import HISTORY, Release, State
from cbctl.errors import CbctlError
from cbctl.local.files import write_atomic
from cbctl.machine import owner_state
from cbctl.stores.files import FileStore
from cbctl.wiring.lock import locked
from cbctl.wiring.stores import is_shared, tidy
from cbctl.wiring.workplace import Workplace


def after_run(work: Workplace) -> None:
    """What is kept here and packed there. That it could not be is told, never fatal: the run is
    over."""
    if not is_shared(work.env):
        return
    keep_copy(work)
    try:
        tidy(work.store)
    except CbctlError as error:
        work.say(f"old runs were not packed: {work.world.scrub(str(error))}")


def keep_copy(work: Workplace) -> None:
    try:
        lines = work.store.read(HISTORY)
        path = work.state.path / f"{HISTORY}.ndjson"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(path, b"".join(line + b"\n" for line in lines))
    except (CbctlError, OSError) as error:
        work.say(f"the releases were not copied to this machine: {work.world.scrub(str(error))}")


def kept_copy(work: Workplace) -> tuple[FileStore, str] | None:
    """A store with the history as it was when a run ended here last, and that time."""
    path = work.state.path / f"{HISTORY}.ndjson"
    try:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
    return FileStore(work.state.path, owner_state), f"{at:%Y-%m-%d %H:%M} UTC"


def release_history(work: Workplace) -> tuple[list[Release], CbctlError | None]:
    """Also what is wrong when only the copy could be read."""
    try:
        return release.history(work.store), None
    except Unreachable as gone:
        found = kept_copy(work)
        if found is None:
            raise
        store, at = found
        gone.fix = f"this is the copy of {at} on this machine; {gone.fix}"
        return release.history(store), gone


def mark_release(work: Workplace, id: str, state: State, reason: str) -> bool:
    """Whether that was new. Raises CbctlError (64) when there is no such release."""
    with locked(work, f"mark of release {id}") as held:
        was = release.find(release.history(work.store), id).state
        world = work.world
        release.mark(world.store, world.clock, held.token, id, state, world.owner.who, reason)
    if is_shared(work.env):
        keep_copy(work)
    return was != state
