"""Ends what sessions are at: first their statement is cancelled, and only if that does not help the
session is ended, at once where there is no statement. A session is known by its pid and its start,
so that no later one is hit.

It needs no lock: it is for the migration that holds the lock and waits for somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cbctl.clients.postgres.clients import Client, held_up, require_may_end, rights_for
from cbctl.clients.postgres.roles import roles
from cbctl.engine.step import (
    Blocked,
    CannotUndo,
    Change,
    Changes,
    Context,
    Json,
    Nothing,
    NotVerified,
    Observation,
    PlanVerdict,
    Step,
    Verdict,
    Verified,
)
from cbctl.errors import CbctlError, Exit
from cbctl.steps.db._exchange import Whose
from cbctl.steps.db._sessions import Watch, watching

PATIENCE = 3.0  # seconds for a cancelled statement to end
BETWEEN_TRIES = 5.0
"""Seconds in which a migration that gets no lock tries again: meanwhile it waits for nobody."""
_ROOM = 24
"""Characters in which a line of a plan can say who it is and where."""


@dataclass(frozen=True, kw_only=True)
class Inputs(Whose):
    """pid   of the session
    user  all sessions of this role; without both: those that the waiting migration waits for
    """

    pid: int | None = None
    user: str | None = None


@dataclass(frozen=True)
class Found:
    """A session that is to end.

    what     names this session and no later one with the same pid
    said     whose, for people
    ours     it is another run of cbctl
    at_once  there is no statement to be cancelled, or the session itself is not wanted
    """

    pid: int
    what: str
    said: str
    ours: bool
    at_once: bool


@dataclass(frozen=True)
class Facts:
    """
    sessions   that are to end
    migrating  whether a migration is at work
    elsewhere  what the process is that is no session of this database
    """

    sessions: tuple[Found, ...]
    migrating: bool = False
    elsewhere: str = ""


@dataclass(frozen=True)
class Outcome:
    """how, by session: cancelled, ended, gone"""

    sessions: Mapping[str, str]


class Kill(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Ends sessions of the database"
    at_most: ClassVar[tuple[str, ...]] = ()
    needs_lock: ClassVar[bool] = False

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        with watching(ctx, inputs) as watch:
            _require_role(watch, inputs)
            everybody = watch.clients()
            until = ctx.monotonic() + BETWEEN_TRIES
            while _may_wait_again(everybody, inputs) and ctx.monotonic() < until:
                ctx.sleep(0.1)
                everybody = watch.clients()
            chosen = _chosen(everybody, inputs)
            spared = [one for one in chosen if watch.is_ours(one)] if inputs.user else []
            chosen = [one for one in chosen if one not in spared]
            for one in chosen:
                if not watch.is_ours(one):
                    require_may_end(one, watch.role)
            found = tuple(_found(watch, one, inputs) for one in chosen)
            elsewhere = "" if chosen or inputs.pid is None else watch.process(inputs.pid)
        evidence: dict[str, Json] = {
            str(one.pid): {
                "state": one.state,
                "seconds in transaction": one.transaction,
                "waits": one.waits,
                "tables": list(one.holds),
            }
            for one in chosen
        }
        notes = [_note(one, held_up(everybody, one.pid)) for one in chosen]
        notes += [f"session {one.pid} is a run of cbctl and stays" for one in spared]
        if notes:
            evidence["notes"] = "; ".join(notes)
        return Observation(Facts(found, _migrates(everybody), elsewhere), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if facts.elsewhere:
            return Blocked(
                f"process {inputs.pid} is no session of this database, but {facts.elsewhere}",
                "cbctl db sessions --all shows those that are",
            )
        if not facts.sessions:
            return Nothing(_nobody(inputs, facts))
        for one in facts.sessions:
            if one.ours:
                return Blocked(
                    f"session {one.pid} is another cbctl at work",
                    "stop that run instead (Ctrl-C, or cbctl lock break): it ends at a safe point",
                )
        return Changes(
            tuple(
                Change(one.what, one.said, "end" if one.at_once else "cancel, else end")
                for one in facts.sessions
            )
        )

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        return {"sessions": [change.what for change in changes]}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        done: dict[str, str] = {}
        with watching(ctx, inputs) as watch:
            for what in _intended(intent):
                found = next((one for one in watch.clients() if _what(one) == what), None)
                pid = what.split()[1]
                done[pid] = "gone" if found is None else _end(ctx, inputs, watch, found)
        return Outcome(done)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome({} if inputs.pid is None else {str(inputs.pid): "gone"})

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        if inputs.pid is None:  # `apply` saw them end; who came in the way since was in no plan
            return Verified()
        with watching(ctx, inputs) as watch:
            found = _session(watch.clients(), inputs.pid)
        if found is not None and found.transaction is not None:
            return NotVerified(
                f"session {inputs.pid} still has a transaction", "see cbctl db sessions"
            )
        return Verified({"session": "gone" if found is None else found.state})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what it was at was rolled back by the server")


def _require_role(watch: Watch, inputs: Inputs) -> None:
    """A name that is nobody's must not read as a role without sessions."""
    if inputs.user is not None and not roles(watch.connection, [inputs.user]):
        raise CbctlError(
            f"there is no role {inputs.user}",
            exit=Exit.USAGE,
            where="--user",
            fix="cbctl db sessions --all shows the roles that are connected",
        )


def _session(found: Sequence[Client], pid: int) -> Client | None:
    return next((one for one in found if one.pid == pid), None)


def _chosen(found: Sequence[Client], inputs: Inputs) -> list[Client]:
    """Of a migration, those that it waits for itself, and not who else waits for them."""
    if inputs.pid is not None:
        return [one for one in found if one.pid == inputs.pid]
    if inputs.user is not None:
        return [one for one in found if one.user == inputs.user]
    pids = {pid for one in found if one.is_migration for pid in one.blocked_by}
    return [one for one in found if one.pid in pids]


def _may_wait_again(found: Sequence[Client], inputs: Inputs) -> bool:
    """Between two tries a migration waits for nobody."""
    of_migration = inputs.pid is None and inputs.user is None
    return of_migration and not _chosen(found, inputs) and _migrates(found)


def _migrates(found: Sequence[Client]) -> bool:
    return any(one.is_migration for one in found)


def _nobody(inputs: Inputs, facts: Facts) -> str:
    if inputs.pid is not None:
        return f"there is no session {inputs.pid} on this database"
    if inputs.user is not None:
        return f"{inputs.user} has no session on this database that is to end"
    if facts.migrating:
        return "the migration at work waits for no session"
    return "no migration is at work on this database"


def _found(watch: Watch, one: Client, inputs: Inputs) -> Found:
    said = one.user
    if one.holds:
        said = f"{one.user} at {', '.join(one.holds)}"
        if len(said) > _ROOM:
            said = f"{one.user} at {len(one.holds)} table{'s' if len(one.holds) > 1 else ''}"
    return Found(one.pid, _what(one), said, watch.is_ours(one), _at_once(one, inputs))


def _what(one: Client) -> str:
    """With the time of day at which it began."""
    return f"session {one.pid} ({one.started[11:19]})"


def _note(one: Client, waiting: int) -> str:
    """All of it, which a line of the plan has no room for."""
    parts = [f"{one.user} {one.application}".rstrip() + f" from {one.address or 'this machine'}"]
    parts.append(one.state + (f" for {one.unchanged} s" if one.unchanged is not None else ""))
    if one.holds:
        parts.append(f"locks on {', '.join(one.holds)}")
    if waiting:
        parts.append(f"{waiting} wait for it")
    return f"session {one.pid}: {', '.join(parts)}"


def _at_once(one: Client, inputs: Inputs) -> bool:
    """A cancel does nothing to who is idle, in a transaction or not."""
    return inputs.user is not None or one.transaction is None or one.is_idle_in_transaction


def _intended(intent: Json) -> list[str]:
    sessions = intent.get("sessions") if isinstance(intent, dict) else None
    return [str(what) for what in sessions] if isinstance(sessions, list) else []


def _end(ctx: Context, inputs: Inputs, watch: Watch, found: Client) -> str:
    if not _at_once(found, inputs):
        _send(ctx, watch, "cancel", found)
        until = ctx.monotonic() + PATIENCE
        while ctx.monotonic() < until:
            now = _still(watch, found)
            if now is None or now.transaction is None:
                return "cancelled"
            if now.is_idle_in_transaction:
                break  # what it was at has ended, and it keeps its transaction
            ctx.sleep(0.05)
    _send(ctx, watch, "end", found)
    until = ctx.monotonic() + PATIENCE
    while ctx.monotonic() < until:
        if _still(watch, found) is None:
            return "ended"
        ctx.sleep(0.05)
    raise CbctlError(
        f"session {found.pid} does not end", exit=Exit.TIMEOUT, fix="cbctl db sessions"
    )


def _still(watch: Watch, known: Client) -> Client | None:
    """That session as it is now; None when another one has its pid."""
    now = _session(watch.clients(), known.pid)
    return now if now is not None and now.started == known.started else None


def _send(ctx: Context, watch: Watch, how: str, one: Client) -> None:
    import psycopg

    from cbctl.clients.postgres.queries import query

    ctx.fence()
    try:
        given = {"pid": one.pid, "started": one.started}
        watch.connection.execute(query(f"{how}_session"), given)
    except psycopg.errors.InsufficientPrivilege:
        raise CbctlError(
            f"{watch.role} may not end session {one.pid} any more",
            exit=Exit.CREDENTIALS,
            fix=rights_for(watch.role),
        ) from None


STEP = Kill()
