"""One runner at a time per database: an advisory lock on a session that does nothing else.

The lock is polled with pg_try_advisory_lock in autocommit mode. A blocking pg_advisory_lock would
hold a snapshot while it waits, and the holder's CREATE INDEX CONCURRENTLY would wait for that.
Whether the session still has it every other session of the server can see: the one that migrates
asks for it with what it sends anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import explain, failed
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.waiting import Patience, describe_session
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

KEY: Final = 0x6362_6374_6C00_0001  # "cbctl", 1: the same in every release, so never change it
_POLL: Final = 0.1


class MigrationLock:
    """Held from `acquire` until the session ends; the server frees it when this process dies."""

    def __init__(self, session: Connection, address: Address, patience: Patience) -> None:
        self.session = session
        self.pid = 0
        self._address = address
        self._patience = patience

    def acquire(self) -> None:
        """Raises CbctlError (6) that names the holder when the time is over."""
        import psycopg

        end = self._patience.monotonic() + self._patience.lock_wait
        said = False
        try:
            try:
                self.session.execute(query("no_idle_limit"))
            except psycopg.Error:
                said = False  # a server that does not know the setting has no such limit either
            row = self.session.execute(query("backend_pid")).fetchone()
            self.pid = row[0] if row else 0
            while not self._try():
                if self._patience.monotonic() >= end:
                    raise self._busy()
                if not said:
                    self._patience.progress(f"waiting for {self._holder()}, which migrates")
                    said = True
                self._patience.sleep(_POLL)
        except psycopg.Error as error:
            raise failed(error, self._address, "cannot take the migration lock") from None

    def assert_held(self) -> None:
        """Raises CbctlError (6) when the session, and with it the lock, is gone."""
        import psycopg

        name, values = self.shown()
        try:
            row = self.session.execute(query(name), values).fetchone()
        except psycopg.Error as error:
            raise self._lost(explain(error, self._address)) from None
        self.assert_shown(row)

    def shown(self) -> tuple[str, dict[str, Any]]:
        """The query, for any session, whose answer `assert_shown` understands."""
        return "lock_held", {"key": KEY, "pid": self.pid}

    def assert_shown(self, row: tuple[Any, ...] | None) -> None:
        if not (row and row[0]):
            raise self._lost("the server no longer shows it")

    def _try(self) -> bool:
        row = self.session.execute(query("try_lock"), {"key": KEY}).fetchone()
        return bool(row and row[0])

    def _holder(self) -> str:
        row = self.session.execute(query("lock_holder"), {"key": KEY}).fetchone()
        return describe_session(row) if row else "a session that has just ended"

    def _busy(self) -> CbctlError:
        return CbctlError(
            f"another run migrates this database: {self._holder()}; "
            f"waited {self._patience.lock_wait:g} s",
            where=str(self._address),
            exit=Exit.LOCKED,
            fix="wait for it; if nobody runs it any more, end its session with "
            "select pg_terminate_backend(PID)",
        )

    def _lost(self, why: str) -> CbctlError:
        return CbctlError(
            f"the migration lock was lost: {why}",
            where=str(self._address),
            exit=Exit.LOCKED,
            fix="run it again: it continues where this run stopped",
        )
