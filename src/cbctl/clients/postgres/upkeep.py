"""Which tables want to be vacuumed or analyzed, and doing it without holding anybody up.

Source: PostgreSQL documentation, "Routine Vacuuming" (thresholds of autovacuum, the age of a table)
and VACUUM. Plain VACUUM and ANALYZE let reads and writes go on; giving room at the end of a file
back would lock readers out for a moment, so that is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import failed
from cbctl.clients.postgres.queries import query
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

Kind = Literal["vacuum", "freeze", "analyze"]
_FEW = 50
"""Rows below which nothing is worth it: autovacuum's own."""
_DEAD, _CHANGED = 0.2, 0.1
"""Shares of a table's rows, autovacuum's own."""
_OLD = 0.75
"""Share of the age at which the server acts by itself, whatever else it does then."""
_LOCK = "1s"


@dataclass(frozen=True)
class Table:
    """
    name     quoted, with its schema
    dead     rows that nobody can see any more
    changed  rows since it was analyzed last; never: it never was
    age      transactions since its oldest row was frozen; limit: when the server must do it
    bytes    with its indexes
    """

    name: str
    live: int
    dead: int
    changed: int
    never: bool
    age: int
    limit: int
    bytes: int

    @property
    def wants(self) -> tuple[Kind, str] | None:
        """What is to be done, and why; None: nothing. A vacuum analyzes too."""
        if self.age > self.limit * _OLD:
            return (
                "freeze",
                f"its oldest row is {self.age} transactions old, of at most {self.limit}",
            )
        if self.dead > _FEW + _DEAD * self.live:
            return "vacuum", f"{self.dead} dead rows beside {self.live}"
        return self.wants_statistics

    @property
    def wants_statistics(self) -> tuple[Kind, str] | None:
        if self.never and self.live + self.changed > 0:
            return "analyze", "it was never analyzed"
        if self.changed > _FEW + _CHANGED * self.live:
            return "analyze", f"{self.changed} rows changed since it was analyzed"
        return None


def tables(connection: Connection, address: Address) -> tuple[Table, ...]:
    """Those whose owner we may act as: nobody else may look after the others."""
    import psycopg

    try:
        rows = connection.execute(query("upkeep")).fetchall()
    except psycopg.Error as error:
        raise failed(error, address, "cannot read the statistics of tables") from None
    return tuple(Table(*row) for row in rows)


_WORDS: dict[Kind, str] = {
    "vacuum": "vacuum (analyze, truncate false)",
    "freeze": "vacuum (freeze, analyze, truncate false)",
    "analyze": "analyze",
}


def look_after(connection: Connection, address: Address, table: str, kind: Kind) -> None:
    """table: as `tables` names it. Raises CbctlError (9) when somebody holds the table for over a
    second: whoever queues for a lock holds up all that come after."""
    import psycopg

    try:
        connection.execute(f"set lock_timeout = '{_LOCK}'".encode())
        connection.execute(f"{_WORDS[kind]} {table}".encode())
    except psycopg.errors.LockNotAvailable:
        raise CbctlError(
            f"somebody holds a lock on {table}",
            exit=Exit.TIMEOUT,
            where=str(address),
            fix="cbctl db sessions shows who; then run it again",
        ) from None
    except psycopg.Error as error:
        raise failed(error, address, f"cannot {kind} {table}") from None
