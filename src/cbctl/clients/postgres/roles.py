"""Roles that work with a database without owning anything in it, and what they may do there.

Source: PostgreSQL documentation, "Privileges", "ALTER DEFAULT PRIVILEGES" and "CREATE ROLE".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect
from cbctl.clients.postgres.ledger import OUR_TABLES
from cbctl.clients.postgres.queries import query, quoted
from cbctl.errors import CbctlError, Exit

if TYPE_CHECKING:
    from psycopg import sql

    from cbctl.clients.postgres.connect import Connection

EVERYBODY = "public"
_LEDGER = "schema_migrations"
_HARMLESS = {"schema": "usage", "table": "select", "new tables": "select", "new schemas": "usage"}
"""What everybody may keep: it lets nobody change anything."""


@dataclass(frozen=True)
class Role:
    """
    powers     beyond those of anybody: superuser, createrole …; `nologin` where it may not log in
    member_of  whose rights it has beside its own
    owns       how many things of the database
    """

    name: str
    powers: tuple[str, ...] = ()
    member_of: tuple[str, ...] = ()
    owns: int = 0


@dataclass(frozen=True, order=True)
class Thing:
    """
    kind     database, schema, table (also views), sequence, or `new` ones: what will be made
    title    quoted, with its schema; of new ones their schema, "" for all
    is_ours  a table of cbctl itself
    """

    kind: str
    title: str
    is_ours: bool


@dataclass(frozen=True, order=True)
class Right:
    """privilege: as SQL has it, `update (column)` and `grant option for …` too"""

    role: str
    kind: str
    title: str
    privilege: str


def roles(connection: Connection, names: Sequence[str]) -> dict[str, Role]:
    """By name, those that are there. Raises psycopg.Error."""
    rows = connection.execute(query("roles"), {"names": list(names)})
    return {str(name): Role(name, tuple(p), tuple(m), n) for name, p, m, n in rows}


def rights(connection: Connection, names: Sequence[str]) -> tuple[set[Thing], set[Right]]:
    """What there is, and what the roles and everybody may do with it. Raises psycopg.Error."""
    things: set[Thing] = set()
    found: set[Right] = set()
    rows = connection.execute(query("rights"), {"names": list(names), "ours": list(OUR_TABLES)})
    for kind, title, is_ours, role, privilege, grantable in rows:
        things.add(Thing(kind, title, is_ours))
        if role is None:
            continue
        found.add(Right(role, kind, title, privilege))
        if grantable:
            found.add(Right(role, kind, title, f"grant option for {privilege}"))
    return things, found


def wanted(things: Iterable[Thing], may: Mapping[str, Sequence[str]]) -> set[Right]:
    """may: by role, what with tables. Whoever reads only, reads everything; whoever writes has
    nothing to do with what cbctl keeps, but for the version of the schema, which it may read."""
    found: set[Right] = set()
    for role, on_tables in may.items():
        reads_only = set(on_tables) == {"select"}
        on_sequences = ("select",) if reads_only else ("usage",)
        given: dict[str, Sequence[str]] = {
            "database": ("connect",),
            "schema": ("usage",),
            "table": on_tables,
            "sequence": on_sequences,
            "new schemas": ("usage",),
            "new tables": on_tables,
            "new sequences": on_sequences,
        }
        for thing in things:
            privileges = given[thing.kind]
            if thing.kind.startswith("new ") and thing.title:
                privileges = ()  # they have it everywhere
            elif thing.is_ours and not reads_only:
                privileges = ("select",) if thing.title.endswith(f".{_LEDGER}") else ()
            found.update(Right(role, thing.kind, thing.title, one) for one in privileges)
    return found


def too_much(found: Iterable[Right], wanted: set[Right]) -> set[Right]:
    return {
        one
        for one in found
        if one not in wanted
        and not (
            one.role == EVERYBODY
            and one.privilege.partition(" (")[0] == _HARMLESS.get(one.kind, "nothing")
        )
    }


def exchange(connection: Connection, give: Iterable[Right], take: Iterable[Right]) -> None:
    """All of it or nothing. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute("set local lock_timeout = '1s'")
        for one in sorted(give):
            connection.execute(_statement(one, "grant", "to"))
        for one in sorted(take):
            connection.execute(_statement(one, "revoke", "from"))


def _statement(one: Right, verb: str, word: str) -> bytes:
    """Titles and columns are quoted already."""
    role = one.role if one.role == EVERYBODY else quoted(one.role)
    if one.kind.startswith("new "):
        schema = f" in schema {quoted(one.title)}" if one.title else ""
        on, head = one.kind.removeprefix("new "), f"alter default privileges{schema} "
    else:
        on, head = f"{one.kind} {one.title}", ""
    return f"{head}{verb} {one.privilege} on {on} {word} {role}".encode()


def password_holds(address: Address) -> bool:
    """Whether the server takes it, whatever the role may do then."""
    try:
        connect(address).close()
    except CbctlError as error:
        if error.exit is not Exit.CREDENTIALS:
            raise
        # said to whoever has given the right password
        return "permission denied" in error.what or "not permitted to log in" in error.what
    return True


def make(admin: Connection, name: str, found: Role | None, address: Address | None) -> None:
    """A role that may log in and nothing else, made or put right.

    address  with the password it is to have; None: that stays

    Raises psycopg.Error."""
    from psycopg import sql

    role = sql.Identifier(name)
    with admin.transaction():
        if found is None:
            admin.execute(sql.SQL("create role {} login").format(role))
        else:
            for power in found.powers:
                # each by itself: one may be the superuser's to take, though it is not there
                word = "login" if power == "nologin" else f"no{power}"
                admin.execute(sql.SQL("alter role {} {}").format(role, sql.SQL(word)))
            for group in found.member_of:
                admin.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(group), role))
        if address is not None:
            words = sql.SQL("alter role {} password {}")
            admin.execute(words.format(role, _verifier(admin, name, address)))


def _verifier(admin: Connection, name: str, address: Address) -> sql.Literal:
    """What the server keeps, made here: the password itself stands in no statement and no log."""
    from psycopg import sql

    made = admin.pgconn.encrypt_password(
        address.password.reveal().encode(), name.encode(), b"scram-sha-256"
    )
    return sql.Literal(made.decode())


def may_make_roles(admin: Connection) -> bool:
    """Raises psycopg.Error."""
    row = admin.execute(
        "select rolcreaterole or rolsuper from pg_roles where rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


def connected_as_anybody(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """Roles that are connected now because everybody may be. Raises psycopg.Error."""
    rows = connection.execute(query("connected_as_anybody"), {"names": list(names)})
    return tuple(str(name) for (name,) in rows)


def owns_database(connection: Connection) -> bool:
    """Raises psycopg.Error."""
    row = connection.execute(
        "select pg_catalog.pg_has_role(datdba, 'USAGE') from pg_catalog.pg_database "
        "where datname = pg_catalog.current_database()"
    ).fetchone()
    return bool(row and row[0])
