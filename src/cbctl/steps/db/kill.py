"""Ends what a session is at: first its statement is cancelled, and only if that does not help the
session is ended. A session is known by its pid and its start, so that no later one is hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    from cbctl.clients.postgres.clients import Client

PATIENCE = 3.0  # seconds for a cancelled statement to end
_OURS = "cbctl"


@dataclass(frozen=True)
class Inputs:
    """url  of a role that may end it: the same role, or one with pg_signal_backend
    pid  of the session
    """

    url: Reference
    pid: int


@dataclass(frozen=True)
class Facts:
    """started: of the session; "" when there is none. said: who it is, for people"""

    started: str
    said: str
    is_ours: bool

    def what(self, pid: int) -> str:
        """Names this session and no later one with the same pid."""
        return f"session {pid}, connected {self.started}"


@dataclass(frozen=True)
class Outcome:
    """how: cancelled, ended, gone"""

    how: str


class Kill(Step[Inputs, Facts, Outcome]):
    inputs: ClassVar[type[Inputs]] = Inputs
    summary: ClassVar[str] = "Ends a session of the database"
    at_most: ClassVar[tuple[str, ...]] = ()

    def observe(self, ctx: Context, inputs: Inputs) -> Observation[Facts]:
        found = _session(ctx, inputs)
        if found is None:
            return Observation(Facts("", "", False))
        said = f"{found.user} {found.application} from {found.address or 'this machine'}".strip()
        ours = found.application == _OURS
        evidence: dict[str, Json] = {
            "state": found.state,
            "seconds in transaction": found.transaction,
            "waits": found.waits,
        }
        return Observation(Facts(found.started, said, ours), evidence)

    def plan(self, inputs: Inputs, facts: Facts) -> PlanVerdict:
        if not facts.started:
            return Nothing(f"there is no session {inputs.pid} on this database")
        if facts.is_ours:
            return Blocked(
                f"session {inputs.pid} is another cbctl at work",
                "stop that run instead (Ctrl-C, or cbctl lock break): it ends at a safe point",
            )
        return Changes((Change(facts.what(inputs.pid), facts.said, "cancelled, else ended"),))

    def identify(self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...]) -> Json:
        found = self.observe(ctx, inputs).facts
        agreed = {change.what for change in changes}
        return {"started": found.started if found.what(inputs.pid) in agreed else ""}

    def apply(
        self, ctx: Context, inputs: Inputs, changes: tuple[Change, ...], intent: Json
    ) -> Outcome:
        from cbctl.clients.postgres.connect import connect

        started = str(intent["started"]) if isinstance(intent, dict) else ""
        address = address_of(ctx, inputs.url)
        with connect(address) as connection:
            found = _session(ctx, inputs)
            if found is None or found.started != started:
                return Outcome("gone")
            ways = (("cancel", "cancelled"), ("end", "ended"))
            # without a transaction there is nothing to cancel: it is the session that is not wanted
            for how, done in ways[found.transaction is None :]:
                ctx.fence()
                _send(connection, how, inputs.pid, started)
                until = ctx.monotonic() + PATIENCE
                while ctx.monotonic() < until:
                    now = _session(ctx, inputs)
                    if _is_over(now, started) and (now is None or how == "cancel"):
                        return Outcome(done)
                    ctx.sleep(0.1)
        raise CbctlError(
            f"session {inputs.pid} does not end", exit=Exit.TIMEOUT, fix="cbctl db sessions"
        )

    def outcome(self, ctx: Context, inputs: Inputs, facts: Facts) -> Outcome:
        return Outcome("gone")

    def verify(self, ctx: Context, inputs: Inputs) -> Verdict:
        found = _session(ctx, inputs)
        if found is not None and found.transaction is not None:
            return NotVerified(
                f"session {inputs.pid} still has a transaction", "see cbctl db sessions"
            )
        return Verified({"session": "gone" if found is None else found.state})

    def undo(self, ctx: Context, inputs: Inputs, before: Json, intent: Json) -> CannotUndo | None:
        return CannotUndo("what it was at was rolled back by the server")


def _session(ctx: Context, inputs: Inputs) -> Client | None:
    from cbctl.clients.postgres.clients import clients
    from cbctl.clients.postgres.connect import connect

    address = address_of(ctx, inputs.url)
    with connect(address) as connection:
        return next((one for one in clients(connection, address) if one.pid == inputs.pid), None)


def _is_over(found: Client | None, started: str) -> bool:
    """It is gone, another one has its pid, or it holds nothing any more."""
    return found is None or found.started != started or found.transaction is None


def _send(connection: object, how: str, pid: int, started: str) -> None:
    import psycopg

    from cbctl.clients.postgres.queries import query

    assert isinstance(connection, psycopg.Connection)
    try:
        connection.execute(query(f"{how}_session"), {"pid": pid, "started": started})
    except psycopg.errors.InsufficientPrivilege:
        raise CbctlError(
            f"this role may not end session {pid}",
            exit=Exit.CREDENTIALS,
            fix="use a role that is a member of pg_signal_backend, or the session's own",
        ) from None


STEP = Kill()
