"""The history of releases, and its copy on this machine: what is known when the cluster is gone.

The copy is the stream itself, in the form of the store in files, so that everything which reads a
history reads it too. There are no secrets in it.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cbctl.clients.kubernetes.failures import Unreachable
from cbctl.engine import release
from cbctl.engine.journal import RUNS
from cbctl.engine.release import HISTORY, Release, State
from cbctl.errors import CbctlError
from cbctl.local.files import write_atomic
from cbctl.machine import owner_state
from cbctl.stores.files import FileStore
from cbctl.wiring.lock import locked
from cbctl.wiring.stores import is_shared, tidy
from cbctl.wiring.workplace import Workplace

if TYPE_CHECKING:
    from cbctl.clients.aws.objects import Objects


def after_run(work: Workplace, run: str) -> None:
    """What is kept here and elsewhere, and packed there. That it could not be is told, never fatal:
    the run is over."""
    if is_shared(work.env):
        keep_copy(work)
    _copy_away(work, RUNS + run if run else "")
    if is_shared(work.env):
        try:
            tidy(work.store)
        except CbctlError as error:
            work.say(f"old runs were not packed: {work.world.scrub(str(error))}")


def keep_copy(work: Workplace) -> None:
    """The history on this machine."""
    try:
        _write_copy(work, _lines(work, HISTORY))
    except (CbctlError, OSError) as error:
        work.say(f"the releases were not copied to this machine: {work.world.scrub(str(error))}")


def _copy_away(work: Workplace, run: str) -> None:
    """The history, and the journal of a run, to where `history.to` says."""
    try:
        away = _away(work)
        if away is None:
            return
        with closing(away):
            for stream in (HISTORY, run):
                if stream and (lines := _lines(work, stream)):
                    away.extend(f"{stream}.ndjson", lines)
    except (CbctlError, OSError) as error:
        where = f"{work.env.history.to}: {work.world.scrub(str(error))}"
        work.say(f"the history was not copied to {where}")


def _away(work: Workplace, *, hurry: bool = False) -> Objects | None:
    history = work.env.history
    if history.to is None:
        return None
    from cbctl.clients.aws.objects import Objects

    sealed: dict[str, str] = {"ServerSideEncryption": history.encryption}
    if history.kms_key is not None:
        sealed["SSEKMSKeyId"] = history.kms_key
    place = f"{history.to.rstrip('/')}/{work.env.platform}/{work.env.name}"
    return Objects(place, sealed, hurry=hurry)


def _known_away(work: Workplace) -> bytes | None:
    """It is asked when the cluster is gone: nobody waits for a bucket then."""
    away = _away(work, hurry=True)
    if away is None:
        return None
    with closing(away):
        return away.read(f"{HISTORY}.ndjson")


def _lines(work: Workplace, stream: str) -> bytes:
    return b"".join(line + b"\n" for line in work.store.read(stream))


def _write_copy(work: Workplace, lines: bytes) -> None:
    path = work.state.path / f"{HISTORY}.ndjson"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomic(path, lines)


def kept_copy(work: Workplace) -> tuple[FileStore, str] | None:
    """A store with the history as it was when a run ended here last, and that time; or as it was
    copied away, if that goes on from there: nothing is ever taken out of it."""
    path = work.state.path / f"{HISTORY}.ndjson"
    try:
        known = _known_away(work)
        here = path.read_bytes() if path.exists() else b""
        if known and not known.startswith(here) and not here.startswith(known):
            # what is known here is believed, not who may write there
            work.say(f"the copy at {work.env.history.to} is another history: it is not used")
        elif known and len(known) > len(here):
            _write_copy(work, known)
            work.say(f"the history comes from {work.env.history.to}")
    except (CbctlError, OSError) as error:
        work.say(f"the copy at {work.env.history.to}: {work.world.scrub(str(error))}")
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
    _copy_away(work, "")
    return was != state
