"""A scratch database whose role has no power over the server.

What is restored or built in one is the code of others: functions, triggers, migrations. As a
superuser it could run programs on the server's machine. So an ordinary role owns it, builds it and
reads it. A role with more rights makes it, and in it, while it is empty, the extensions that nobody
else may; later it never connects to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from cbctl.clients.postgres import roles
from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.databases import create_database, drop_database
from cbctl.clients.postgres.queries import query
from cbctl.config.reference import Secret
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from psycopg import sql

    from cbctl.clients.postgres.connect import Connection

NOT_ITS_RIGHT: Final = "42501"
"""SQLSTATE insufficient_privilege"""
THERE_ALREADY: Final = re.compile(r'extension ".*" already exists')
IF_NOT_EXISTS: Final = "what only a superuser may make is there already: create it if not exists"
BEYOND: Final = (
    "a scratch database belongs to an ordinary role: what only a superuser may do is not done there"
)
_HARMLESS: Final = frozenset(
    (
        *("amcheck", "autoinc", "bloom", "earthdistance", "insert_username", "intagg"),
        *("moddatetime", "pageinspect", "pg_buffercache", "pg_freespacemap", "pg_stat_statements"),
        *("pg_visibility", "pgrowlocks", "pgstattuple", "postgis", "refint", "vector"),
    )
)
"""Not trusted, as Postgres has it, but without a way to files, programs or other machines for
those who may use them. An extension that is not named may have one."""


@dataclass(frozen=True)
class Extension:
    name: str
    schema: str


@dataclass(frozen=True)
class Locale:
    encoding: str
    collate: str
    ctype: str


@contextmanager
def scratch_database(
    admin: Address,
    name: str,
    locale: Locale,
    extensions: Sequence[Extension],
    *,
    role: str = "",
    member_of: Sequence[str] = (),
) -> Iterator[Address]:
    """An empty database, and who works in it; dropped afterwards.

    extensions  that will be needed
    role        name of the one that is made for it; without, as the database. Where `admin` may
                make none it works in it itself, unless it could do something to the server
    member_of   roles without rights of their own whose things it may make
    """
    drop_database(admin, name)  # what an interrupted one left
    with _working(admin, f"cannot make a role for the database {name}") as session:
        place = _worker(session, replace(admin, database=name), role or name, member_of)
    create_database(
        admin,
        name,
        encoding=locale.encoding,
        collate=locale.collate,
        ctype=locale.ctype,
        owner=place.user,
    )
    try:
        if place.user != admin.user:
            _extend(replace(admin, database=name), place.user, extensions)
        yield place
    finally:
        drop_database(admin, name)
        if place.user != admin.user:
            with _working(admin, f"cannot drop the role {place.user}") as session:
                session.execute(_words("drop role {}", place.user))


@contextmanager
def _working(admin: Address, doing: str) -> Iterator[Connection]:
    import psycopg

    with connect(admin) as session:
        try:
            session.execute(query("safe_path"))
            yield session
        except psycopg.Error as error:
            raise failed(error, admin, doing) from None


def _worker(session: Connection, place: Address, role: str, member_of: Sequence[str]) -> Address:
    found = session.execute(query("powers")).fetchone()
    assert found is not None
    superuser, makes_roles, reaches_out = found
    if not makes_roles:
        if reaches_out:
            raise CbctlError(
                f"{place.user} may do more to the server than to a database of its own, and may "
                "not make a role that could not",
                exit=Exit.REFUSED,
                where=str(place),
                fix="name a role that may make databases and nothing else, or roles too",
            )
        return place
    session.execute(_words("drop role if exists {}", role))
    made = replace(place, user=role, password=Secret(token_urlsafe(24)))
    roles.make(session, role, None, made)
    if superuser:  # who copies rows sees all of them
        session.execute(_words("alter role {} bypassrls", role))
    else:
        session.execute(_words("grant {} to {}", role, place.user))
    for group in member_of:
        session.execute(_words("grant {} to {}", group, role))
    return made


def _extend(place: Address, owner: str, extensions: Sequence[Extension]) -> None:
    """Those that are not there, or beyond this role too, who needs them will miss by himself."""
    import psycopg

    wanted = {
        one.name: one.schema
        for one in extensions
        if one.name in _HARMLESS and not _of_the_system(one.schema)
    }
    if not wanted:
        return
    with _working(place, "cannot make the extensions that will be needed") as session:
        rows = session.execute(query("untrusted_extensions"), {"names": list(wanted)}).fetchall()
        for (name,) in rows:
            schema = wanted[name]
            with suppress(psycopg.errors.InsufficientPrivilege), session.transaction():
                if schema != "public":
                    words = "create schema if not exists {} authorization {}"
                    session.execute(_words(words, schema, owner))
                session.execute(_words("create extension {} schema {} cascade", name, schema))
                # a dump also holds rows that somebody added to its tables; nothing else is there
                words = "grant all on all tables in schema {} to {}"
                session.execute(_words(words, schema, owner))


def _of_the_system(schema: str) -> bool:
    return schema.startswith("pg_") or schema == "information_schema"


def _words(text: str, *names: str) -> sql.Composed:
    from psycopg import sql

    return sql.SQL(text).format(*(sql.Identifier(name) for name in names))
