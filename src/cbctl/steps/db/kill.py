"""Ends what sessions are at: first their statement is cancelled, and only if that does not help the
session is ended. A session is known by its pid and its start, so that no later one is hit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cbctl.clients.postgres.clients import Client, clients
from cbctl.clients.postgres.connect import connect
from cbctl.config.types import Reference
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
from cbctl.steps.db._database import address_of

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

PATIENCE = 3.0  # seconds for a cancelled statement to end
BETWEEN_TRIES = 5.0
"""Seconds in which a migration that gets no lock tries again: meanwhile it waits for nobody."""


@dataclass(frozen=True)
class Inputs:
    """url  of a role that may end it: the same role, or one with pg_signal_backend
    pid  of the session; None: those that the waiting migration waits for
    """

    url: Reference
    pid: int | None = None


@dataclass(frozen=True)
class Found:
    """A session that is to end. said: who it is, for people"""

    pid: int
    started: str
    said: str
    is_ours: bool

    @property
    def what(self) -> str:
        """Names this session and no later one with the same pid."""
        return f"session {self.pid}, connected {self.started}"


@dataclass(frozen=True)
class Facts:
    """sessions   that are to end
    migrating  whether a migration is at work
    """

    sessions: tuple[Found, ...]
    migrating: bool = False


@dataclass(frozen=True)
class Outcome:
    """how, by session: cancelled, ended, gone"""

    sessions: Mapping[str, str]


class Kill(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Ends sessions of the database"
    at_most: ClassVar[tuple[str, ...]] = ()

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        found = _now(ctx, inputs)
        until = ctx.monotonic() + BETWEEN_TRIES
        while not (chosen := _chosen(found, inputs)) and inputs.pid is None and _migrates(found):
            if ctx.monotonic() >= until:
                break
            ctx.sleep(0.1)
            found = _now(ctx, inputs)
        evidence: dict[str, Json] = {
            str(one.pid): {
                "state": one.state,
                "seconds in transaction": one.transaction,
                "waits": one.waits,
                "tables": list(one.holds),
            }
            for one in chosen
        }
        return Observation(Facts(tuple(map(_found, chosen)), _migrates(found)), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if not facts.sessions and inputs.pid is not None:
            return Nothing(f"there is no session {inputs.pid} on this database")
        if not facts.sessions:
            return Nothing(
                "the migration at work waits for no session"
                if facts.migrating
                else "no migration is at work on this database"
            )
        for one in facts.sessions:
            if one.is_ours:
                return Blocked(
                    f"session {one.pid} is another cbctl at work",
                    "stop that run instead (Ctrl-C, or cbctl lock break): it ends at a safe point",
                )
        return Changes(
            tuple(Change(one.what, one.said, "cancelled, else ended") for one in facts.sessions)
        )

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        agreed = {change.what for change in changes}
        found = map(_found, _now(ctx, inputs))
        return {"started": {str(one.pid): one.started for one in found if one.what in agreed}}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        address = address_of(ctx, inputs.url)
        done: dict[str, str] = {}
        with connect(address) as connection:
            for pid, started in _intended(intent):
                done[str(pid)] = _end(ctx, inputs, connection, pid, started)
        return Outcome(done)

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome({} if inputs.pid is None else {str(inputs.pid): "gone"})

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        if inputs.pid is None:  # `apply` saw them end; who came in the way since was in no plan
            return Verified()
        found = _session(_now(ctx, inputs), inputs.pid)
        if found is not None and found.transaction is not None:
            return NotVerified(
                f"session {inputs.pid} still has a transaction", "see cbctl db sessions"
            )
        return Verified({"session": "gone" if found is None else found.state})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what it was at was rolled back by the server")


def _now(ctx: Context, inputs: Inputs) -> tuple[Client, ...]:
    address = address_of(ctx, inputs.url)
    with connect(address) as connection:
        return clients(connection, address)


def _session(found: Sequence[Client], pid: int) -> Client | None:
    return next((one for one in found if one.pid == pid), None)


def _chosen(found: Sequence[Client], inputs: Inputs) -> list[Client]:
    """Of a migration, those that it waits for itself, and not who else waits for them."""
    if inputs.pid is not None:
        return [one for one in found if one.pid == inputs.pid]
    pids = {pid for one in found if one.is_migration for pid in one.blocked_by}
    return [one for one in found if one.pid in pids]


def _migrates(found: Sequence[Client]) -> bool:
    return any(one.is_migration for one in found)


def _found(one: Client) -> Found:
    said = f"{one.user} {one.application} from {one.address or 'this machine'}".strip()
    if one.holds:
        said += f", at {', '.join(one.holds)}"
    return Found(one.pid, one.started, said, one.is_cbctl)


def _intended(intent: Json) -> Iterator[tuple[int, str]]:
    started = intent.get("started") if isinstance(intent, dict) else None
    if isinstance(started, dict):
        for pid, at in started.items():
            yield int(pid), str(at)


def _end(ctx: Context, inputs: Inputs, connection: Connection, pid: int, started: str) -> str:
    found = _session(_now(ctx, inputs), pid)
    if found is None or found.started != started:
        return "gone"
    ways = (("cancel", "cancelled"), ("end", "ended"))
    # without a transaction there is nothing to cancel: it is the session that is not wanted
    for how, done in ways[found.transaction is None :]:
        ctx.fence()
        _send(connection, how, pid, started)
        until = ctx.monotonic() + PATIENCE
        while ctx.monotonic() < until:
            now = _session(_now(ctx, inputs), pid)
            if _is_over(now, started) and (now is None or how == "cancel"):
                return done
            ctx.sleep(0.1)
    raise CbctlError(f"session {pid} does not end", exit=Exit.TIMEOUT, fix="cbctl db sessions")


def _is_over(found: Client | None, started: str) -> bool:
    """It is gone, another one has its pid, or it holds nothing any more."""
    return found is None or found.started != started or found.transaction is None


def _send(connection: Connection, how: str, pid: int, started: str) -> None:
    import psycopg

    from cbctl.clients.postgres.queries import query

    try:
        connection.execute(query(f"{how}_session"), {"pid": pid, "started": started})
    except psycopg.errors.InsufficientPrivilege:
        raise CbctlError(
            f"this role may not end session {pid}",
            exit=Exit.CREDENTIALS,
            fix="use a role that is a member of pg_signal_backend, or the session's own",
        ) from None


STEP = Kill()
