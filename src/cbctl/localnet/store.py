"""The accounts of the chain as they were at one position of the ledger, and where in the ledger
each transaction is: an SQLite file that is brought up to date batch by batch.

SQLite makes each batch whole or absent, whenever the process or the machine dies. What the ledger
holds after the store's position is run again at the next start.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.accounts import pack_account, unpack_account
from cbctl.localnet.errors import EXIT_FAILED, EXIT_USAGE, Stop
from cbctl.localnet.genesis import Genesis
from cbctl.localnet.ledger import Place, other_format, sync_folder
from cbctl.localnet.records import Moment

VERSION = 2
_APPLICATION = 0x43424C4E  # "CBLN"

# Values above this are stored one by one: in the one statement for all others each would be copied
# three times.
_LARGE = 64 * 1024
_PAGE = 500

_SCHEMA = f"""
pragma application_id = {_APPLICATION};
pragma user_version = {VERSION};
create table head(id integer primary key check (id = 0), value blob not null);
create table account(
  address blob primary key, program integer not null, value blob not null) without rowid;
create index program on account(address) where program;
create table landed(
  number integer primary key, slot integer not null, signature integer not null,
  offset integer not null, length integer not null);
create index landed_slot on landed(slot);
create index landed_signature on landed(signature);
create table named(address blob, number integer, primary key (address, number)) without rowid;
"""


class Head(msgspec.Struct, frozen=True):
    """What the store stands for.

    position      of the ledger up to which everything is in the store
    first         position of the ledger from which on history is kept
    moment        the clock at that position
    transactions  how many landed since the beginning of the chain
    branches      names and first transactions of the stretches that this chain consists of; a
                  restore ends one and begins another
    """

    genesis: Genesis
    position: int
    first: int
    moment: Moment
    transactions: int
    branches: tuple[tuple[str, int], ...]


def shared_transactions(now: Head, count: int, then: Head) -> int:
    """How many of the transactions of a chain also belong to a snapshot of it, or of another.

    count  how many the chain has by now"""
    same = 0
    for ours, theirs in zip(now.branches, then.branches, strict=False):
        if ours != theirs:
            break
        same += 1
    parted = [*now.branches[same : same + 1], *then.branches[same : same + 1]]
    return min(count, then.transactions, *(start for _, start in parted)) if same else 0


class Row(NamedTuple):
    """A transaction in the index."""

    number: int
    slot: int
    signature: bytes
    place: Place
    keys: Sequence[Pubkey]


class Batch(NamedTuple):
    """What changed since the batch before; an account that is None is gone."""

    head: Head
    accounts: Sequence[tuple[Pubkey, Account | None]]
    rows: Sequence[Row]


def create(path: Path, head: Head, accounts: Iterable[tuple[Pubkey, Account]]) -> None:
    """A new store: complete under its name, or not there at all."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("begin")
        _insert_accounts(connection, accounts)
        _write_head(connection, head)
        connection.execute("commit")
    finally:
        connection.close()
    draft.replace(path)
    sync_folder(path.parent)


class Store:
    """An open store. Reading is for the one event loop, `save` for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = self._writer = sqlite3.connect(":memory:")  # until the file is known as ours
        try:
            self._reader = self._connect()
            self._check_format()
            self._writer = self._connect()
            self._writer.execute("pragma journal_mode = wal")
            # The ledger forgets what the store has: a batch is on disk before that is said.
            self._writer.execute("pragma synchronous = full")
            self._writer.execute(f"pragma journal_size_limit = {64 * 1024 * 1024}")
            (value,) = self._reader.execute("select value from head").fetchone()
            self.head = msgspec.json.decode(value, type=Head)
        except sqlite3.OperationalError as error:
            self.close()
            raise Stop(f"cannot use {path}: {error}", EXIT_FAILED) from None
        except (sqlite3.Error, msgspec.ValidationError, TypeError) as error:
            self.close()
            raise Stop(
                f"{path} is damaged ({error}): restore the state folder from a copy or a snapshot, "
                "or remove it to start a new chain",
                EXIT_FAILED,
            ) from None
        except Stop:
            self.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        # One process has it; what SQLite would otherwise share with others through a file stays in
        # memory, so that a start needs no room on a full disk.
        where = f"{self._path.absolute().as_uri()}?vfs=unix-excl"
        return sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False)

    def _check_format(self) -> None:
        (application,) = self._reader.execute("pragma application_id").fetchone()
        (version,) = self._reader.execute("pragma user_version").fetchone()
        if application != _APPLICATION:
            raise Stop(f"{self._path} is no state of a localnet; name another folder", EXIT_USAGE)
        if version != VERSION:
            raise other_format(self._path.parent, version, VERSION)

    def accounts(self) -> Iterator[tuple[Pubkey, Account]]:
        """All accounts, programs last, both in order of address."""
        for program in (0, 1):
            rows = self._reader.execute(
                "select address, value from account where program = ? order by address", (program,)
            )
            for address, value in rows:
                yield Pubkey(address), unpack_account(value)

    def addresses(self) -> Iterator[Pubkey]:
        """Of all accounts."""
        return (Pubkey(key) for (key,) in self._reader.execute("select address from account"))

    def count_accounts(self) -> int:
        """How many there are."""
        (count,) = self._reader.execute("select count(*) from account").fetchone()
        return int(count)

    def programs(self) -> list[Pubkey]:
        """Addresses of all executable accounts."""
        rows = self._reader.execute("select address from account where program order by address")
        return [Pubkey(address) for (address,) in rows]

    def places_of(self, signature: bytes) -> list[tuple[int, Place]]:
        """Numbers and places of the transactions whose signatures begin like this one."""
        rows = self._reader.execute(
            "select number, offset, length from landed where signature = ?", (_short(signature),)
        )
        return [(number, Place(offset, length)) for number, offset, length in rows]

    def in_slot(self, slot: int) -> list[tuple[int, Place]]:
        """The transactions of a slot, in order."""
        rows = self._reader.execute(
            "select number, offset, length from landed where slot = ? order by number", (slot,)
        )
        return [(number, Place(offset, length)) for number, offset, length in rows]

    def at_or_before(self, slot: int) -> tuple[int, Place] | None:
        """The newest transaction that is not after a slot."""
        row = self._reader.execute(
            "select number, offset, length from landed where slot <= ?"
            " order by slot desc, number desc limit 1",
            (slot,),
        ).fetchone()
        return None if row is None else (row[0], Place(row[1], row[2]))

    def oldest(self) -> tuple[int, int] | None:
        """Number and slot of the first transaction that is kept."""
        row: tuple[int, int] | None = self._reader.execute(
            "select number, slot from landed order by number limit 1"
        ).fetchone()
        return row

    def naming(self, address: Pubkey, below: int, above: int) -> Iterator[tuple[int, Place]]:
        """Transactions with an address, newest first, with numbers between two others."""
        while True:
            # In pages: an open cursor would keep SQLite from reusing its log.
            rows = self._reader.execute(
                "select number, offset, length from named join landed using (number)"
                " where address = ? and number < ? and number > ? order by number desc limit ?",
                (bytes(address), below, above, _PAGE),
            ).fetchall()
            for number, offset, length in rows:
                yield number, Place(offset, length)
            if len(rows) < _PAGE:
                return
            below = rows[-1][0]

    def save(self, batch: Batch) -> None:
        """Takes a batch in, and forgets history before the head's first. Blocking; OSError when the
        disk refuses, and then nothing of it is in."""
        with self._transaction() as writer:
            _put_accounts(writer, batch.accounts)
            _put_rows(writer, batch.rows)
            if batch.head.first > self.head.first:
                before = writer.execute(
                    "select max(number) from landed where offset < ?", (batch.head.first,)
                ).fetchone()[0]
                if before is not None:
                    writer.execute("delete from landed where number <= ?", (before,))
                    writer.execute("delete from named where number <= ?", (before,))
            _write_head(writer, batch.head)
        self.head = batch.head

    def replace(
        self, head: Head, accounts: Iterable[tuple[Pubkey, Account]], history_until: int
    ) -> None:
        """Takes other accounts in place of all, and forgets history from a number on."""
        with self._transaction() as writer:
            writer.execute("delete from account")
            _insert_accounts(writer, accounts)
            writer.execute("delete from landed where number >= ?", (history_until,))
            writer.execute("delete from named where number >= ?", (history_until,))
            _write_head(writer, head)
        self.head = head

    def _transaction(self) -> _Transaction:
        return _Transaction(self._writer, self._path)

    def close(self) -> None:
        """Closes; a file without a log beside it is left where everything went well."""
        self._reader.close()
        self._writer.close()


class _Transaction:
    """All or nothing, and errors of the disk as OSError."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("begin immediate")
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            self._connection.execute("commit" if error is None else "rollback")
        except sqlite3.Error as failed:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            error = error or failed
        if isinstance(error, sqlite3.Error):
            raise OSError(f"{self._path}: {error}") from error


def _short(signature: bytes) -> int:
    """What the index keeps of a signature: its first eight bytes, as SQLite's kind of number."""
    return int.from_bytes(signature[:8], "big", signed=True)


def _write_head(connection: sqlite3.Connection, head: Head) -> None:
    connection.execute("insert or replace into head values (0, ?)", (msgspec.json.encode(head),))


def _insert_accounts(
    connection: sqlite3.Connection, accounts: Iterable[tuple[Pubkey, Account]]
) -> None:
    connection.executemany(
        "insert or replace into account values (?, ?, ?)",
        ((bytes(key), account.executable, pack_account(account)) for key, account in accounts),
    )


def _put_accounts(
    connection: sqlite3.Connection, accounts: Sequence[tuple[Pubkey, Account | None]]
) -> None:
    """One statement for all: for each row of an `executemany` the thread would take the GIL, and
    wait for it as long as the event loop is busy."""
    data = bytearray()
    small: list[tuple[int, int, int]] = []
    gone: list[int] = []
    for key, account in accounts:
        start = len(data) + 1
        if account is None:
            data += bytes(key)
            gone.append(start)
            continue
        value = pack_account(account)
        if len(value) > _LARGE:
            connection.execute(
                "insert or replace into account values (?, ?, ?)",
                (bytes(key), account.executable, value),
            )
            continue
        data += bytes(key) + value
        small.append((start, len(value), account.executable))
    connection.execute(
        "insert or replace into account"
        " select substr(?1, json_extract(value, '$[0]'), 32), json_extract(value, '$[2]'),"
        " substr(?1, json_extract(value, '$[0]') + 32, json_extract(value, '$[1]'))"
        " from json_each(?2)",
        (data, msgspec.json.encode(small)),
    )
    connection.execute(
        "delete from account where address in (select substr(?, value, 32) from json_each(?))",
        (data, msgspec.json.encode(gone)),
    )


def _put_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """In as few statements, for the same reason."""
    landed = [(r.number, r.slot, _short(r.signature), *r.place) for r in rows]
    connection.execute(
        "insert into landed select json_extract(value, '$[0]'), json_extract(value, '$[1]'),"
        " json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]')"
        " from json_each(?)",
        (msgspec.json.encode(landed),),
    )
    starts: dict[Pubkey, int] = {}
    data = bytearray()
    named: list[tuple[int, int]] = []
    for row in rows:
        for key in row.keys:
            start = starts.get(key)
            if start is None:
                start = starts[key] = len(data) + 1
                data += bytes(key)
            named.append((start, row.number))
    connection.execute(
        "insert or ignore into named"
        " select substr(?, json_extract(value, '$[0]'), 32), json_extract(value, '$[1]')"
        " from json_each(?)",
        (data, msgspec.json.encode(named)),
    )
