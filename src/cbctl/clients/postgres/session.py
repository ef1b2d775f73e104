"""The session in which migrations run, beside the one that holds the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.waiting import Patience, blockers, execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

AGAIN: Final = ("55P03", "40P01")
"""lock_not_available, deadlock_detected: nothing happened, try again"""


Row = tuple[Any, ...] | None


class WorkSession:
    """Runs our queries and the scripts of migrations.

    blocked_by  who was in the way of the last script
    stopped_at  the character of it, from 1, that the server's error was about; 0: of none
    """

    def __init__(
        self, connection: Connection, watcher: Connection, schema: str, patience: Patience
    ) -> None:
        import psycopg

        self.connection = connection
        self.schema = schema
        self.blocked_by: list[str] = []
        self.stopped_at = 0
        self._watcher = watcher
        self._patience = patience
        self._ending: list[str] = []
        self._writer = psycopg.ClientCursor(connection)
        row = self.execute("backend_pid")
        self.pid: int = row[0] if row else 0
        self._opening = [self.text("fresh_session"), *self._settings(), "begin"]

    def _settings(self) -> list[str]:
        import psycopg

        try:
            self.execute("session_settings")
        except (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
            return []  # this server cannot see a client go; it finds out when it next writes
        return [self.text("session_settings")]

    @contextmanager
    def transaction(self, lock_timeout_ms: int, *first: str) -> Iterator[list[Row]]:
        """A migration sees no setting, role or lock of the one before. Gives the first row of each
        query of `first`.

        They go with the beginning, and what `at_end` was given goes with the commit: on a network
        each way to the server and back takes longer than most statements.
        """
        self._ending, self.stopped_at = [], 0
        limit = self.text("set_lock_timeout", lock_timeout=f"{lock_timeout_ms}ms", local=True)
        try:
            yield self._together([*self._opening, limit, *first], len(first))
            self._together([*self._ending, "commit"])
        except BaseException:
            self._roll_back()
            raise

    def at_end(self, name: str, **parameters: Any) -> None:
        """Runs `sql/<name>.sql` right before the transaction is committed."""
        self._ending.append(self.text(name, **parameters))

    def text(self, name: str, **parameters: Any) -> str:
        """`sql/<name>.sql` with its parameters in it, as it can be sent together with others."""
        return self._writer.mogrify(query(name, self.schema), parameters)

    def _together(self, texts: list[str], last: int = 0) -> list[Row]:
        """All in one message; the first row of each of the last ones. An error keeps those after
        it from running."""
        message = "\n;\n".join(texts).encode(self.connection.info.encoding)
        cursor = self.connection.execute(message)
        return [cursor.set_result(number).fetchone() for number in range(-last, 0)]

    def _roll_back(self) -> None:
        import psycopg
        from psycopg.pq import TransactionStatus

        open_ones = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
        if self.connection.info.transaction_status in open_ones:
            with suppress(psycopg.Error):  # a connection that breaks has ended it
                self.connection.execute("rollback")

    def lock_timeout(self, milliseconds: int) -> None:
        """Outside a transaction."""
        self.execute("set_lock_timeout", lock_timeout=f"{milliseconds}ms", local=False)

    def execute(self, name: str, **parameters: Any) -> Row:
        """Runs `sql/<name>.sql`; the first row, if there is one."""
        cursor = self.connection.execute(query(name, self.schema), parameters)
        return cursor.fetchone() if cursor.description else None

    def run(self, script: str) -> None:
        """A migration's script. Raises psycopg.Error."""
        import psycopg

        self.blocked_by = []
        try:
            execute_watched(self.connection, script, self._look)
        except psycopg.Error as error:
            self.stopped_at = int(error.diag.statement_position or 0)
            raise

    def check(self, script: Script) -> None:
        """Runs a verify file, which changes nothing. Raises like `check`."""
        with self.connection.transaction(force_rollback=True):
            check(self.connection, script)

    def _look(self) -> None:
        """Also finds out that the lock is gone: then the script is given up, not finished."""
        import psycopg

        try:
            found = blockers(self._watcher, self.pid)
        except psycopg.Error as error:
            raise CbctlError(
                f"the session that held the migration lock ended ({error.sqlstate or 'network'}), "
                "so the migration that was running was given up; nothing of it stays",
                exit=Exit.LOCKED,
                fix="run it again: it continues where this run stopped",
            ) from None
        if found and not self.blocked_by:
            self._patience.progress(f"waiting for {found[0]}")
        self.blocked_by = found or self.blocked_by

    def assert_in_transaction(self, title: str) -> None:
        from psycopg.pq import TransactionStatus

        if self.connection.info.transaction_status != TransactionStatus.INTRANS:
            raise CbctlError(
                f"{title} ended the transaction it runs in",
                exit=Exit.NOT_UNDONE,
                fix="leave COMMIT and ROLLBACK out of the file",
            )


class NotHeld(CbctlError):
    """What a verify file says of the database is not so."""


def check(connection: Connection, script: Script) -> None:
    """Runs a verify file in the transaction there is, which is read only from then on.

    Raises NotHeld when a statement fails or its first column says false; psycopg.Error when it did
    not get its locks, or the connection broke."""
    import psycopg

    try:
        connection.execute("set transaction read only")
        cursor = connection.execute(script.runnable().encode())
        more: bool | None = True
        while more:
            if cursor.description and any(row[:1] == (False,) for row in cursor):
                raise _not_held(script, "a statement says false")
            more = cursor.nextset()
    except psycopg.Error as error:
        if connection.closed or error.sqlstate in AGAIN:
            raise
        raise _not_held(script, f"{error.diag.message_primary} ({error.sqlstate})") from None


def _not_held(script: Script, why: str) -> NotHeld:
    return NotHeld(
        f"{script.path.name} does not hold: {why}",
        where=str(script.path),
        exit=Exit.DIFFERS,
        fix="correct the migration, or what its verify file expects",
    )
