"""What a database holds, told so that a copy can be held against it: rows and schema.

A table's checksum is the sum of a 64-bit hash of each row's text, so that the order of rows does
not matter. It finds what was damaged or lost, not what somebody forged: hashes of files do that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from cbctl.clients.postgres.address import Address
from cbctl.clients.postgres.connect import connect, failed
from cbctl.clients.postgres.queries import query
from cbctl.clients.postgres.schema import BY_SERVER, Thing, read_schema

if TYPE_CHECKING:
    from cbctl.clients.postgres.connect import Connection

LARGE_OBJECTS: Final = "large objects"
_HASH: Final = "coalesce(pg_catalog.sum(pg_catalog.hashtextextended({}, 0)), 0)::text"


@dataclass(frozen=True)
class Rows:
    """checksum: "" where none was computed"""

    rows: int
    checksum: str = ""


@dataclass(frozen=True)
class Counter:
    """Where a sequence is, and which way it goes."""

    value: int
    step: int


@dataclass(frozen=True)
class Contents:
    """
    tables     by qualified name, large objects among them where there are any
    sequences  by qualified name
    objects    kind and name → hash of the definition
    """

    tables: Mapping[str, Rows] = field(default_factory=dict)
    sequences: Mapping[str, Counter] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


@contextmanager
def snapshot_session(
    address: Address, snapshot: str = "", *, as_is: bool = False
) -> Iterator[Connection]:
    """A session that sees one state of the database: that of `snapshot`, or of its beginning.

    as_is  with the role's own settings, such as its search_path
    """
    with connect(address) as connection:
        if not as_is:
            connection.execute(query("backup_session"))
        connection.execute(b"begin isolation level repeatable read, read only")
        if snapshot:
            from psycopg import sql

            words = sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot))
            connection.execute(words)
        yield connection


def read_contents(
    address: Address,
    *,
    snapshot: str = "",
    checksums: bool = True,
    sessions: int = 1,
    opened: list[Connection] | None = None,
) -> Contents:
    """Counts every row. Raises CbctlError as connecting does, and when a table cannot be read.

    opened  gets the sessions, for who wants to cancel what runs in them
    """
    import psycopg

    try:
        with ExitStack() as stack:
            first = stack.enter_context(snapshot_session(address, snapshot))
            if not snapshot:
                (snapshot,) = _one(first, b"select pg_catalog.pg_export_snapshot()")
            working = [first]
            for _ in range(1, sessions):
                working.append(stack.enter_context(snapshot_session(address, snapshot)))
            if opened is not None:
                opened += working
            names = [str(row[0]) for row in first.execute(query("backup_tables"))]
            sequences = read_sequences(first)
            objects = _hashed(read_schema(first))
            tables = _counted(working, names, checksums)
            if (large := _large_objects(first, checksums)).rows:
                tables[LARGE_OBJECTS] = large
    except psycopg.Error as error:
        raise failed(error, address, "cannot read what the database holds") from None
    return Contents(dict(sorted(tables.items())), sequences, objects)


def _hashed(schema: Mapping[str, Thing]) -> dict[str, str]:
    return {
        name: hashlib.md5(thing.says.encode(), usedforsecurity=False).hexdigest()
        for name, thing in schema.items()
        if thing.dumped
    }


def read_sequences(session: Connection) -> dict[str, Counter]:
    """Where they are now, whatever snapshot the session sees."""
    rows = session.execute(query("backup_sequences"))
    return {str(name): Counter(int(at), int(by)) for name, at, by in rows}


def _counted(sessions: Sequence[Connection], names: list[str], checksums: bool) -> dict[str, Rows]:
    """Each session takes the next table; the largest come first."""
    left: SimpleQueue[str] = SimpleQueue()
    for name in names:
        left.put(name)
    found: dict[str, Rows] = {}
    broken: list[BaseException] = []

    def work(session: Connection) -> None:
        from queue import Empty

        while not broken:
            try:
                name = left.get_nowait()
            except Empty:
                return
            try:
                found[name] = _rows_of(session, name, checksums)
            except BaseException as error:
                broken.append(error)
                for other in sessions:
                    other.cancel()  # nobody waits for the others' long ones
                return

    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(work, sessions))
    if broken:
        raise broken[0]
    return found


def _rows_of(session: Connection, table: str, checksums: bool) -> Rows:
    # table: quoted by the server; the row by its qualified name, which no column can have
    hashed = _HASH.format("(cbctl_row.*)::text") if checksums else "''"
    words = f"select pg_catalog.count(*), {hashed} from only {table} as cbctl_row"  # noqa: S608 - as said
    found = _one(session, words.encode())
    return Rows(int(found[0]), str(found[1]))


def _large_objects(session: Connection, checksums: bool) -> Rows:
    one = "l.oid::text || pg_catalog.sha256(pg_catalog.lo_get(l.oid))::text"
    hashed = _HASH.format(one) if checksums else "''"
    words = f"select pg_catalog.count(*), {hashed} from pg_largeobject_metadata l"  # noqa: S608 - all ours
    found = _one(session, words.encode())
    return Rows(int(found[0]), str(found[1]))


def _one(session: Connection, statement: bytes) -> tuple[Any, ...]:
    row = session.execute(statement).fetchone()
    assert row is not None
    return row


def differences(
    wanted: Contents, found: Contents, *, same_major: bool = True, rows: bool = True
) -> list[str]:
    """What a copy lacks, has too much or otherwise, one line each."""
    said = list(_objects(wanted.objects, found.objects, same_major))
    for name, table in wanted.tables.items() if rows else ():
        copy = found.tables.get(name)
        if copy is None:
            said.append(f"table data of {name}: the table is not there")
        elif copy.rows != table.rows:
            said.append(f"table data of {name}: {copy.rows} rows instead of {table.rows}")
        elif table.checksum and copy.checksum != table.checksum:
            said.append(f"table data of {name}: as many rows, but others")
    for name, sequence in wanted.sequences.items():
        there = found.sequences.get(name)
        if there is not None and (there.value - sequence.value) * sequence.step < 0:
            said.append(f"sequence {name}: at {there.value}, behind {sequence.value}")
    return said


def _objects(
    wanted: Mapping[str, str], found: Mapping[str, str], same_major: bool
) -> Iterator[str]:
    yield from (f"schema: {name} is missing" for name in wanted if name not in found)
    yield from (f"schema: {name} is not in the backup" for name in found if name not in wanted)
    for name in wanted:
        told_alike = same_major or not name.startswith(tuple(f"{kind} " for kind in BY_SERVER))
        if told_alike and found.get(name, wanted[name]) != wanted[name]:
            yield f"schema: {name} is defined otherwise"
