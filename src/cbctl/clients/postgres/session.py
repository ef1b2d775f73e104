"""The session in which migrations run, beside the one that holds the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.connect import explain
from cbctl.clients.postgres.inside import Inside
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.script import Script
from cbctl.clients.postgres.statements import split
from cbctl.clients.postgres.waiting import Patience, blockers, execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from cbctl.clients.postgres.connect import Connection

AGAIN: Final = ("55P03", "40P01")
"""lock_not_available, deadlock_detected: nothing happened, try again"""
_BOOLEAN: Final = 16
"""Postgres' own number of the type"""


Row = tuple[Any, ...] | None


class WorkSession:
    """Runs our queries and the scripts of migrations.

    blocked_by  who was in the way of the last script
    stopped_at  the character of it, from 1, that the server's error was about; 0: of none
    inside      the transaction, the last one when none is open
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
        self.inside = Inside(connection, "")
        self._writer = psycopg.ClientCursor(connection)
        row = self.execute("backend_pid")
        self.pid: int = row[0] if row else 0
        self._opening = [
            self.text("fresh_session"),
            *self._settings(),
            "begin",
            self.text("as_written"),
        ]

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
        self.inside = Inside(self.connection, "")
        limit = self.text("set_lock_timeout", lock_timeout=f"{lock_timeout_ms}ms", local=True)
        opening = [*self._opening, limit, self.text("transaction_id")]
        try:
            number, *rows = self._together([*opening, *first], 1 + len(first))
            self.inside = Inside(self.connection, str(number[0]) if number else "")
            yield rows
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

    def run(self, script: str, title: str, where: str) -> None:
        """A migration's script in its transaction. Raises psycopg.Error, or CbctlError when the
        script ended the transaction."""
        with self._place():
            self.inside.run(script, title, where, self._look)

    def run_alone(self, statement: str) -> None:
        """A migration's only statement, outside of a transaction. Raises psycopg.Error."""
        with self._place():
            execute_watched(self.connection, statement, self._look, single=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Notes where a script stopped."""
        import psycopg

        self.blocked_by = []
        try:
            yield
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


class NotHeld(CbctlError):
    """What a verify file says of the database is not so."""


def check(connection: Connection, script: Script) -> None:
    """Runs a verify file in the transaction there is, which is read only from then on.

    Each statement goes by itself, and the server takes no second one with it: a COMMIT that would
    end the transaction cannot be hidden in one.

    Raises NotHeld when a statement fails or its first column says false; psycopg.Error when it did
    not get its locks, or the connection broke."""
    import psycopg

    text = script.runnable()
    answers: list[PGresult] = []
    try:
        connection.execute(query("as_written"))
        connection.execute(query("only_look"))
        for statement in split(text):
            one = text[statement.start : statement.end]
            execute_watched(connection, one, lambda: None, answers.append, single=True)
            if any(map(_says_false, answers)):
                raise _not_held(script, "a statement says false")
            answers.clear()
    except psycopg.Error as error:
        if connection.closed or error.sqlstate in AGAIN:
            raise
        raise _not_held(script, explain(error)) from None


def _says_false(answer: PGresult) -> bool:
    """Whether the first column is a boolean that is false, in any row."""
    if not answer.nfields or answer.ftype(0) != _BOOLEAN:
        return False
    return any(answer.get_value(row, 0) == b"f" for row in range(answer.ntuples))


def _not_held(script: Script, why: str) -> NotHeld:
    return NotHeld(
        f"{script.path.name} does not hold: {why}",
        where=str(script.path),
        exit=Exit.DIFFERS,
        fix="correct the migration, or what its verify file expects",
    )
