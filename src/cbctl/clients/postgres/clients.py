"""Who is connected to a database, for how long, and who waits for whom.

Source: PostgreSQL documentation, "The Cumulative Statistics System" (pg_stat_activity) and "System
Administration Functions" (pg_blocking_pids, pg_cancel_backend, pg_terminate_backend).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import APPLICATION, MIGRATING, failed
from cbctl.clients.postgres.queries import query

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

LONG = 60
"""Seconds after which a transaction is called long: what it holds others have waited for."""


@dataclass(frozen=True)
class Client:
    """
    started      with `pid` it is this session and no later one
    state        active, idle, idle in transaction …
    transaction  seconds that its transaction is open; None: it has none
    unchanged    seconds that it is in this state
    waits        what for, in the server's words; "": it does not wait
    blocked_by   pids of those that it waits for
    holds        tables that it has a lock on, but for those of the server itself
    """

    pid: int
    started: str
    user: str
    application: str
    address: str
    state: str
    transaction: int | None
    unchanged: int | None
    waits: str
    blocked_by: tuple[int, ...]
    holds: tuple[str, ...]

    @property
    def is_cbctl(self) -> bool:
        """Another run at work."""
        return self.application in (APPLICATION, MIGRATING)

    @property
    def is_migration(self) -> bool:
        """The session in which migrations run, not the one that holds their lock."""
        return self.application == MIGRATING

    @property
    def is_idle_in_transaction(self) -> bool:
        return self.state.startswith("idle in transaction")

    @property
    def is_long(self) -> bool:
        return self.transaction is not None and self.transaction >= LONG


def clients(connection: Connection, address: Address) -> tuple[Client, ...]:
    """Those of this database but for ourselves. Raises CbctlError (3 without permission)."""
    import psycopg

    try:
        rows = connection.execute(query("sessions")).fetchall()
    except psycopg.Error as error:
        raise failed(error, address, "cannot see who is connected") from None
    # several processes of one session may hold it up: once is enough
    return tuple(
        Client(*(*about, tuple(sorted(set(blocked_by))), tuple(holds)))
        for *about, blocked_by, holds in rows
    )


def worth_a_look(found: Sequence[Client]) -> tuple[Client, ...]:
    """Those that wait or hold somebody up, and those whose transaction is long or forgotten."""
    holding = {pid for one in found for pid in one.blocked_by}
    return tuple(
        one
        for one in found
        if one.blocked_by or one.pid in holding or one.is_long or one.is_idle_in_transaction
    )


def held_up(found: Sequence[Client], pid: int) -> int:
    """How many wait for that session, directly or behind others."""
    waiting: set[int] = set()
    front = {pid}
    while front:
        front = {one.pid for one in found if set(one.blocked_by) & front} - waiting
        waiting |= front
    return len(waiting - {pid})
