"""Builds the schema of some migrations in a scratch database, to hold another one against it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.compare import SchemaRange
from cbctl.clients.postgres.confined import (
    BEYOND,
    IF_NOT_EXISTS,
    NOT_ITS_RIGHT,
    THERE_ALREADY,
    Extension,
    Locale,
    scratch_database,
)
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.contents import snapshot_session
from cbctl.clients.postgres.job import Job
from cbctl.clients.postgres.ledger import OUR_TABLES, Applied, Marker
from cbctl.clients.postgres.migrations import Migration
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.runner import migrate
from cbctl.clients.postgres.schema import Thing, read_schema
from cbctl.clients.postgres.waiting import Patience
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

_MARKER: Final = Marker("cbctl", "scratch")


@dataclass(frozen=True)
class Like:
    """What a scratch database has in common with the one it stands in for.

    major  of its server
    user   who runs the migrations; roles: whom they may grant something
    member_of  the roles that `user` may act as
    extensions  that it has
    """

    name: str
    major: int
    user: str
    roles: tuple[str, ...]
    member_of: tuple[str, ...]
    locale: Locale
    extensions: tuple[Extension, ...]


def like(address: Address) -> Like:
    import psycopg

    with connect(address) as connection:
        try:
            row = connection.execute(query("like")).fetchone()
        except psycopg.Error as error:
            raise failed(error, address, "cannot read what the database is like") from None
    assert row is not None
    name, major, user, roles, member_of, encoding, collate, ctype, extensions = row
    return Like(
        name,
        major,
        user,
        tuple(roles),
        tuple(member_of),
        Locale(encoding, collate, ctype),
        tuple(Extension(name, schema) for name, schema in extensions),
    )


def applied_ones(
    migrations: Sequence[Migration], applied: Sequence[Applied]
) -> tuple[Migration, ...]:
    """The files of what is applied. Raises CbctlError (7) when they are not those."""
    files = {migration.entry.version: migration for migration in migrations}
    for row in applied:
        if row.version not in files:
            raise _other(f"{row.title} is applied, but the folder has no such file")
        if files[row.version].entry.checksum != row.checksum:
            raise _other(f"the content of {row.title} is not what was applied")
    return tuple(files[row.version] for row in applied)


def _other(why: str) -> CbctlError:
    return CbctlError(
        f"{why}: what the migrations build cannot be known",
        exit=Exit.REFUSED,
        fix="use the folder of the release that made the schema what it is; cbctl db repair takes "
        "over a file whose statements are the same",
    )


@contextmanager
def database_like(admin: Address, wanted: Like, *, thrown_away: bool) -> Iterator[Address]:
    """An empty database on the server of `admin`, dropped afterwards.

    thrown_away  the whole server is: then the database has the name, the role and the roles of the
                 one that it stands in for, as migrations may name them
    """
    name = wanted.name if thrown_away else f"cbctl_scratch_{zlib.crc32(wanted.name.encode()):08x}"
    with connect(admin) as session:
        session.execute(query("safe_path"))
        if not session.execute(
            query("try_lock"), {"key": zlib.crc32(name.encode())}
        ).fetchone() == (True,):
            raise CbctlError(
                f"another cbctl works with {name} there", where=str(admin), exit=Exit.LOCKED
            )
        if thrown_away:
            _make_roles(session, {*wanted.roles} - {wanted.user})
        with scratch_database(
            admin,
            name,
            wanted.locale,
            wanted.extensions,
            role=wanted.user if thrown_away else name,
            # where roles have rights of their own it may not act as one of them
            member_of=wanted.member_of if thrown_away else (),
        ) as place:
            yield place


def _make_roles(session: Connection, names: Iterable[str]) -> None:
    from psycopg import sql

    for name in names:
        session.execute(sql.SQL("create role {}").format(sql.Identifier(name)))


def build(place: Address, migrations: Sequence[Migration], patience: Patience) -> None:
    """Runs them in an empty database. Raises like `migrate`."""
    try:
        migrate(job_for(place, migrations, patience))
    except CbctlError as error:
        fix = BEYOND if NOT_ITS_RIGHT in error.what else ""
        if THERE_ALREADY.search(error.what):
            fix = IF_NOT_EXISTS
        if not fix:
            raise
        raise CbctlError(error.what, where=error.where, fix=fix, exit=error.exit) from None


def job_for(place: Address, migrations: Sequence[Migration], patience: Patience) -> Job:
    return Job(
        address=place,
        migrations=migrations,
        works_with=SchemaRange(0, max((m.entry.version for m in migrations), default=0)),
        marker=_MARKER,
        token=1,
        phase="all",
        create_marker=True,
        out_of_order=True,
        patience=patience,
    )


def schema_of(address: Address) -> dict[str, Thing]:
    """Without cbctl's own tables."""
    import psycopg

    with connect(address) as connection, snapshot_session(address) as session:
        try:
            (own,) = _one(connection, b"select pg_catalog.quote_ident(pg_catalog.current_schema())")
            found = read_schema(session)
        except psycopg.Error as error:
            raise failed(error, address, "cannot read the schema") from None
    hidden = {f"{own}.{table}" for table in OUR_TABLES}
    return {name: thing for name, thing in found.items() if thing.relation not in hidden}


def _one(connection: Connection, statement: bytes) -> tuple[Any, ...]:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return row
