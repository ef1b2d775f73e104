"""Runs a script inside a transaction that is not the script's to end.

The script's words are checked before (script.py); here it is the server that says what became of
the transaction, whatever the script is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.waiting import execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from cbctl.clients.postgres.connect import Connection

_KEEPING: Final = (b"COMMIT", b"PREPARE TRANSACTION")
"""What the server says of a statement that made something stay; of a COMMIT that failed it says
ROLLBACK."""


class Inside:
    """One transaction that is open.

    kept  something of the script stays, whatever comes now
    """

    def __init__(self, connection: Connection, number: str) -> None:
        """number: what `transaction_id` says in it"""
        self.kept = False
        self._connection = connection
        self._number = number
        self._last = ""

    def run(
        self, script: str, title: str, where: str, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """Raises psycopg.Error, or CbctlError when the transaction is not the same any more."""
        from psycopg.pq import TransactionStatus

        text = f"{script}\n;\n{query('transaction_id').decode()}"
        execute_watched(self._connection, text, on_wait, self._see)
        status = self._connection.info.transaction_status
        if status != TransactionStatus.INTRANS:
            self.kept = True  # what came after the last transaction was one by itself
        if status != TransactionStatus.INTRANS or self._last != self._number:
            raise self.ended(title, where)

    def ended(self, title: str, where: str, said: str = "") -> CbctlError:
        """said: with what it stopped after that"""
        what = f"{title} ended the transaction it runs in"
        fix = "leave COMMIT and ROLLBACK out of the file"
        if self.kept:
            what += "; what it committed stays in the database, and is not recorded"
            fix = f"take back by hand what stays, and {fix}"
        what += f"; then it failed: {said}" if said else ""
        return CbctlError(what, where=where, exit=Exit.NOT_UNDONE, fix=fix)

    def _see(self, result: PGresult) -> None:
        self.kept = self.kept or result.command_status in _KEEPING
        value = result.get_value(0, 0) if result.ntuples and result.nfields else None
        self._last = value.decode(errors="replace") if value else ""


def open_inside(connection: Connection) -> Inside:
    """The transaction that is open on `connection`."""
    connection.execute(query("as_written"))
    row = connection.execute(query("transaction_id")).fetchone()
    return Inside(connection, str(row[0]) if row else "")
