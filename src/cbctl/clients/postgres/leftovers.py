"""Where a database keeps what its tables held, beside the tables: triggers write it elsewhere,
materialized views and large objects have copies, files and statistics the values of before.

The role owns all of it. Each function raises psycopg.Error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.queries import query
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_ENABLED: Final = {"O": "enable", "R": "enable replica", "A": "enable always", "D": "disable"}
"""pg_trigger.tgenabled → how it becomes so"""


def uncovered(connection: Connection) -> list[str]:
    """What holds data and is no table that can be classified, one line each."""
    said = []
    for kind, title, condition in connection.execute(query("uncovered")).fetchall():
        if kind == "extension":
            words = f"select from only {title} {condition} limit 1"  # as a dump has it
            if connection.execute(words.encode()).fetchone() is None:
                continue
            said.append(f"the rows of {title}, a table of an extension")
        else:
            said.append(f"{title}, a foreign table: its rows are elsewhere")
    return said


@contextmanager
def triggers_off(connection: Connection) -> Iterator[None]:
    """They would keep rows as they are, or write the old ones down elsewhere. Afterwards they are
    as they were; after an error the copy is thrown away."""
    found = connection.execute(query("user_triggers")).fetchall()
    for table, trigger, _, of_parent in found:
        if not of_parent:  # those of partitions follow
            connection.execute(f"alter table {table} disable trigger {trigger}".encode())
    left = [row for row in connection.execute(query("user_triggers")) if row[2] != "D"]
    if left:
        table, trigger, *_ = left[0]
        raise CbctlError(
            f"the trigger {trigger} of {table} cannot be switched off", exit=Exit.DIFFERS
        )
    yield
    for table, trigger, enabled, _ in found:
        words = f"alter table only {table} {_ENABLED[enabled]} trigger {trigger}"
        connection.execute(words.encode())


def forget(connection: Connection, tables: Iterable[str], *, large_objects: bool) -> None:
    """Removes what is left of the rows of before.

    tables  whose rows were changed
    """
    following = {str(name) for (name,) in connection.execute(query("following_tables"))}
    for table in sorted({*tables, *following}):
        # what was there before is in no page of the file any more, and in no statistics
        connection.execute(f"vacuum (full, analyze) {table}".encode())
    if large_objects:
        while connection.execute(query("unlink_large_objects")).fetchone() != (0,):
            pass
        connection.execute(b"vacuum full pg_catalog.pg_largeobject")
    views = [str(name) for (name,) in connection.execute(query("filled_views"))]
    for view in views:  # one that reads another fails until that is filled anew
        connection.execute(f"refresh materialized view {view} with no data".encode())
    for view in views:
        connection.execute(f"refresh materialized view {view}".encode())
        connection.execute(f"analyze {view}".encode())
