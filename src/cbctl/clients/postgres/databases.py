"""Databases of a server as a whole: made, dropped, exchanged by their names.

Each function works from another database of the server, `admin`: its role may create databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, explain, failed
from cbctl.clients.postgres.queries import query, quoted
from cbctl.clients.postgres.waiting import execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_LONGEST: Final = 63
"""Bytes of a name; what is more Postgres cuts off without a word."""
_IN_USE: Final = "55006"
_TRIES: Final = 5


def name_with(name: str, ending: str) -> str:
    room = _LONGEST - len(ending.encode())
    return name.encode()[:room].decode(errors="ignore") + ending


def create_database(
    admin: Address, name: str, *, encoding: str, collate: str, ctype: str, owner: str = ""
) -> None:
    """An empty one, to which its owner alone connects; with the locale C where this server does not
    know the wanted one.

    owner  without it, the role of `admin`
    """
    import psycopg
    from psycopg import sql

    head = sql.SQL("create database {} template template0 encoding {}").format(
        sql.Identifier(name), sql.Literal(encoding)
    )
    tail = sql.SQL(" owner {}").format(sql.Identifier(owner)) if owner else sql.SQL("")
    tail += sql.SQL(" connection limit 0")  # until everybody else is kept out
    local = sql.SQL(" lc_collate {} lc_ctype {}").format(sql.Literal(collate), sql.Literal(ctype))
    with _working(admin, f"cannot create the database {name}") as connection:
        try:
            connection.execute(head + local + tail)
        except psycopg.errors.WrongObjectType:  # "invalid locale name"
            connection.execute(head + sql.SQL(" locale 'C'") + tail)
        for words in (
            "revoke all on database {} from public",
            "alter database {} connection limit -1",
        ):
            connection.execute(sql.SQL(words).format(sql.Identifier(name)))


def open_database(admin: Address, name: str, like: str) -> None:
    """To those who may connect to the database `like`; to everybody, where that is not there."""
    with _working(admin, f"cannot open the database {name}") as connection:
        rows = connection.execute(query("database_grants"), {"source": like, "target": name})
        for (statement,) in rows.fetchall():
            connection.execute(str(statement).encode())


def drop_database(admin: Address, name: str) -> None:
    """With its sessions, where it is there."""
    with _working(admin, f"cannot drop the database {name}") as connection:
        connection.execute(f"drop database if exists {quoted(name)} with (force)".encode())


def exists(admin: Address, name: str) -> bool:
    with _working(admin, "cannot look for a database") as connection:
        found = connection.execute("select from pg_database where datname = %s", (name,))
        return found.fetchone() is not None


def may_create(admin: Address) -> bool:
    with _working(admin, "cannot ask what the role may do") as connection:
        row = connection.execute(
            "select rolcreatedb or rolsuper from pg_roles where rolname = current_user"
        ).fetchone()
        return bool(row and row[0])


def noted(admin: Address, note: str) -> dict[str, str]:
    """Databases whose comment begins so, and the comment."""
    with _working(admin, "cannot look for databases") as connection:
        rows = connection.execute(query("databases_noted"), {"note": note})
        return {str(name): str(said) for name, said in rows}


def note(admin: Address, name: str, text: str) -> None:
    from psycopg import sql

    with _working(admin, f"cannot comment on the database {name}") as connection:
        words = sql.SQL("comment on database {} is {}")
        connection.execute(words.format(sql.Identifier(name), sql.Literal(text)))


def copy_settings(admin: Address, source: str, target: str) -> None:
    """How sessions begin belongs to a database, and is in no dump."""
    with _working(admin, f"cannot give {target} the settings of {source}") as connection:
        rows = connection.execute(
            query("database_settings"), {"source": source, "target": target}
        ).fetchall()
        for (statement,) in rows:
            connection.execute(str(statement).encode())


def swap(admin: Address, live: str, new: str, aside: str, said: str, *, there: bool = True) -> None:
    """Gives `new` the name `live`, and what had it the name `aside`, both or none of it.

    said   comment on what is put aside
    there  False: nothing has the name yet
    Who is connected is thrown out: the first rename keeps everybody else from connecting.
    """
    import psycopg
    from psycopg import sql

    text = "alter database {new} rename to {live}; comment on database {live} is null"
    if there:
        first = "alter database {live} rename to {aside}; comment on database {aside} is {said}; "
        text = first + text
    names = {
        name: sql.Identifier(value)
        for name, value in (("live", live), ("new", new), ("aside", aside))
    }
    with connect(admin) as connection, connect(admin) as other:
        script = sql.SQL(text).format(**names, said=sql.Literal(said)).as_string(connection)
        for attempt in range(1, _TRIES + 1):
            for name in (live, new):
                _end_sessions(other, admin, name)
            try:
                execute_watched(connection, script, lambda: _end_sessions(other, admin, live))
                return
            except psycopg.Error as error:
                if error.sqlstate != _IN_USE or attempt == _TRIES:
                    raise failed(error, admin, f"cannot rename the database {live}") from None


def _end_sessions(connection: Connection, admin: Address, database: str) -> None:
    import psycopg

    try:
        connection.execute(query("end_sessions"), {"database": database})
    except psycopg.Error as error:
        raise CbctlError(
            f"sessions on {database} cannot be ended: {explain(error, admin)}",
            where=str(admin),
            exit=Exit.CREDENTIALS,
            fix="stop what is connected, or name a role that may: database.admin in cbctl.yaml",
        ) from None


@contextmanager
def _working(admin: Address, doing: str) -> Iterator[Connection]:
    import psycopg

    with connect(admin) as connection:
        try:
            connection.execute(query("safe_path"))
            yield connection
        except psycopg.Error as error:
            raise failed(error, admin, doing) from None
