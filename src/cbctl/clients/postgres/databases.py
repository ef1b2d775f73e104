"""Databases of a server as a whole: made, dropped, exchanged by their names.

Each function works from another database of the server, `admin`: its role may create databases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.queries import query, quoted
from cbctl.clients.postgres.waiting import execute_watched
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_LONGEST: Final = 63
"""Bytes of a name; what is more Postgres cuts off without a word."""
_IN_USE: Final = "55006"
_TRIES: Final = 5
_LISTS: Final = (
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
)
"""Settings whose value is a list of names (GUC_LIST_QUOTE)"""
_ITEM: Final = r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*'


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


def noted(admin: Address, note: str, *, owners: Sequence[str] = ()) -> dict[str, str]:
    """Databases whose comment begins so, and the comment.

    owners  roles, besides superusers, one of which has to own them; (): anybody"""
    with _working(admin, "cannot look for databases") as connection:
        asked = {"note": note, "owners": list(owners)}
        return {
            str(name): str(said)
            for name, said in connection.execute(query("databases_noted"), asked)
        }


def note(admin: Address, name: str, text: str) -> None:
    from psycopg import sql

    with _working(admin, f"cannot comment on the database {name}") as connection:
        words = sql.SQL("comment on database {} is {}")
        connection.execute(words.format(sql.Identifier(name), sql.Literal(text)))


def copy_settings(admin: Address, source: str, target: str) -> None:
    """How sessions begin belongs to a database, and is in no dump."""
    from psycopg import sql

    names = {"source": source}
    with _working(admin, f"cannot give {target} the settings of {source}") as connection:
        for role, name, value in connection.execute(query("database_settings"), names).fetchall():
            whose = sql.SQL("database {}").format(sql.Identifier(target))
            if role:
                whose = sql.SQL("role {} in database {}").format(
                    sql.Identifier(role), sql.Identifier(target)
                )
            words = map(sql.Literal, _items(name, value) if name in _LISTS else [value])
            statement = sql.SQL("alter {} set {} to {}")
            connection.execute(
                statement.format(whose, sql.Identifier(name), sql.SQL(", ").join(words))
            )
        limit = connection.execute(
            "select datconnlimit from pg_catalog.pg_database where datname = %(source)s", names
        ).fetchone()
        if limit and limit[0] >= 0:
            text = sql.SQL("alter database {} connection limit {}")
            connection.execute(text.format(sql.Identifier(target), sql.Literal(limit[0])))


def _items(name: str, value: str) -> list[str]:
    """Of a list of names, as the server keeps it. Source: SplitGUCList of PostgreSQL's
    src/bin/pg_dump/dumputils.c.

    Raises CbctlError (7): a role may give itself any text for one (SET … FROM CURRENT), and these
    words would be the administrator's."""
    if re.fullmatch(f"(?:{_ITEM}(?:,{_ITEM})*)?", value) is None:
        raise CbctlError(
            f"the setting {name} of the database, or of a role in it, is no list of names",
            exit=Exit.REFUSED,
            fix=f"ALTER DATABASE … RESET {name}, or ALTER ROLE … IN DATABASE … RESET {name}",
        )
    return [plain or within.replace('""', '"') for within, plain in re.findall(_ITEM, value)]


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
        for session in (connection, other):
            session.execute(query("safe_path"))
        script = sql.SQL(text).format(**names, said=sql.Literal(said)).as_string(connection)
        for attempt in range(1, _TRIES + 1):
            _end_sessions(other, admin, live, new)
            try:
                execute_watched(connection, script, lambda: _end_sessions(other, admin, live))
                return
            except psycopg.Error as error:
                if error.sqlstate != _IN_USE or attempt == _TRIES:
                    raise failed(error, admin, f"cannot rename the database {live}") from None


def beyond_us(admin: Address, database: str) -> tuple[str, ...]:
    """Sessions on it that the role of `admin` may not end, each in words."""
    with connect(admin) as connection:
        return _sessions(connection, admin, [database], end=False)


def not_to_be_ended(database: str, whose: Sequence[str], role: str) -> tuple[str, str]:
    """What is the matter, and what to do."""
    more = f" and {len(whose) - 3} more" if len(whose) > 3 else ""
    return (
        f"{role} may not end the sessions on {database} of {', '.join(whose[:3])}{more}",
        "stop what is connected there; unless it is a superuser's, GRANT pg_signal_backend TO "
        f"{role} lets cbctl end it (or name a role that may: database.admin in cbctl.yaml)",
    )


def _end_sessions(connection: Connection, admin: Address, *databases: str) -> None:
    """All of them or none."""
    if left := _sessions(connection, admin, databases, end=True):
        what, fix = not_to_be_ended(" and ".join(databases), left, admin.user)
        raise CbctlError(
            f"{what}; none was ended", where=str(admin), exit=Exit.CREDENTIALS, fix=fix
        )


def _sessions(
    connection: Connection, admin: Address, databases: Sequence[str], *, end: bool
) -> tuple[str, ...]:
    """Those that are beyond us; the others are ended where there are none such."""
    import psycopg

    try:
        rows = connection.execute(query("end_sessions"), {"databases": list(databases), "end": end})
        return tuple(f"{role} (process {pid})" for role, pid, may_end, _ in rows if not may_end)
    except psycopg.Error as error:
        raise failed(
            error, admin, f"cannot end the sessions on {' and '.join(databases)}"
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
