"""The store on disk: what comes back, and what a crash in the middle of a save may leave."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from tests.unit.localnet.support import GENESIS

from cbctl.localnet.accounts import pack_account, unpack_account
from cbctl.localnet.errors import Stop
from cbctl.localnet.ledger import Place
from cbctl.localnet.records import Moment
from cbctl.localnet.store import Batch, Head, Row, Store, create, shared_transactions

U64 = 2**64 - 1
OWNER = Pubkey.new_unique()
HEAD = Head(GENESIS, 0, 0, Moment(100, 1_700_000_000, 0, 5), 0, (("a", 0),))
ACCOUNTS = {
    Pubkey.new_unique(): Account(5, b"", OWNER, False, 0),
    Pubkey.new_unique(): Account(U64, b"\0" * 1_000, OWNER, False, U64),
    Pubkey.new_unique(): Account(7, b"code", OWNER, True, U64),
    Pubkey.new_unique(): Account(8, bytes(range(256)) * 1_000, OWNER, False, 1),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "chain.db"
    create(path, HEAD, ACCOUNTS.items())
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def _head(position: int, **changes: object) -> Head:
    return msgspec.structs.replace(HEAD, position=position, **changes)


def _rows(first: int, count: int, *keys: Pubkey) -> list[Row]:
    numbers = range(first, first + count)
    return [Row(n, 100 + n // 3, bytes([n % 256]) * 64, Place(n * 50, 40), keys) for n in numbers]


@pytest.mark.parametrize("account", ACCOUNTS.values())
def test_accounts_are_what_they_were(account: Account) -> None:
    assert unpack_account(pack_account(account)) == account


def test_everything_comes_back_with_programs_last(store: Store) -> None:
    found = list(store.accounts())
    assert dict(found) == ACCOUNTS
    assert found[-1][1].executable
    assert [bytes(key) for key, _ in found[:-1]] == sorted(bytes(key) for key, _ in found[:-1])
    assert store.head == HEAD
    assert store.programs() == [found[-1][0]]


def test_a_save_changes_adds_and_removes(store: Store, path: Path) -> None:
    gone, changed, program, large = ACCOUNTS
    new, larger = Pubkey.new_unique(), Pubkey.new_unique()
    large_account = Account(1, b"x" * 300_000, OWNER)
    store.save(
        Batch(
            _head(500),
            [
                (gone, None),
                (changed, Account(6, b"other", OWNER)),
                (program, Account(7, b"code", OWNER)),  # no program any more
                (new, Account(9, b"", OWNER)),
                (larger, large_account),
                (Pubkey.new_unique(), None),  # came and went between two saves
            ],
            _rows(0, 6, new, gone),
        )
    )
    for open_store in (store, Store(path)):
        assert dict(open_store.accounts()) == {
            changed: Account(6, b"other", OWNER),
            program: Account(7, b"code", OWNER),
            large: ACCOUNTS[large],
            new: Account(9, b"", OWNER),
            larger: large_account,
        }
        assert open_store.programs() == []
        assert open_store.count_accounts() == 5
        assert open_store.head == _head(500)
        assert [n for n, _ in open_store.naming(new, 10, -1)] == [5, 4, 3, 2, 1, 0]
    open_store.close()


def test_transactions_are_found_by_signature_slot_and_address(store: Store) -> None:
    one, other = Pubkey.new_unique(), Pubkey.new_unique()
    store.save(Batch(_head(1), [], _rows(0, 1_200, one)))
    store.save(Batch(_head(2), [], _rows(1_200, 10, one, other)))
    numbers = [number for number, _ in store.places_of(bytes([7]) * 64)]
    assert numbers == [7, 263, 519, 775, 1031]  # equal beginnings; whoever asks looks closer
    assert store.places_of(bytes([7]) * 63) == store.places_of(bytes([7]) * 64)
    assert store.in_slot(102) == [(n, Place(n * 50, 40)) for n in (6, 7, 8)]
    assert store.at_or_before(99) is None
    assert store.at_or_before(100) == (2, Place(100, 40))
    assert store.at_or_before(10**6) == (1_209, Place(1_209 * 50, 40))
    # more than one page, and none of them twice
    assert [n for n, _ in store.naming(one, 1_300, -1)] == list(range(1_209, -1, -1))
    assert [n for n, _ in store.naming(one, 700, 650)] == list(range(699, 650, -1))
    assert [n for n, _ in store.naming(other, 1_300, -1)] == list(range(1_209, 1_199, -1))
    assert list(store.naming(Pubkey.new_unique(), 1_300, -1)) == []


def test_history_before_the_first_kept_is_forgotten(store: Store) -> None:
    key = Pubkey.new_unique()
    store.save(Batch(_head(1), [], _rows(0, 30, key)))
    store.save(Batch(_head(2, first=500), [], _rows(30, 5, key)))
    assert [n for n, _ in store.naming(key, 100, -1)] == list(range(34, 9, -1))
    assert store.places_of(bytes([9]) * 64) == []
    assert store.at_or_before(102) is None
    assert store.in_slot(103) == [(n, Place(n * 50, 40)) for n in (10, 11)]


def test_a_replacement_takes_all_accounts_and_some_history(store: Store) -> None:
    key = Pubkey.new_unique()
    store.save(Batch(_head(1), [], _rows(0, 30, key)))
    accounts = {Pubkey.new_unique(): Account(1, b"only", OWNER)}
    store.replace(_head(9), iter(accounts.items()), 20)
    assert dict(store.accounts()) == accounts
    assert [n for n, _ in store.naming(key, 100, -1)] == list(range(19, -1, -1))
    assert store.head == _head(9)


@pytest.mark.parametrize("torn", range(0, 100, 9))
def test_a_save_that_was_torn_anywhere_is_as_if_it_had_not_begun(
    path: Path, tmp_path: Path, torn: int
) -> None:
    """What is on disk when the process or the machine dies in the middle of it: SQLite's log holds
    a part of what the save wrote."""
    store = Store(path)
    key = Pubkey.new_unique()
    store.save(Batch(_head(1), [(key, Account(1, b"one", OWNER))], _rows(0, 3, key)))
    before = tmp_path / "chain.db-wal"
    size = before.stat().st_size
    store.save(Batch(_head(2), [(key, Account(2, b"two" * 9_000, OWNER))], _rows(3, 300, key)))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for file in tmp_path.glob("chain.db*"):
        shutil.copy(file, crashed)
    store.close()
    log = crashed / "chain.db-wal"
    whole = log.stat().st_size
    os.truncate(log, size + (whole - size) * torn // 100)
    again = Store(crashed / "chain.db")
    assert again.head == _head(1)
    assert dict(again.accounts())[key] == Account(1, b"one", OWNER)
    assert [n for n, _ in again.naming(key, 1_000, -1)] == [2, 1, 0]
    again.close()


def test_a_disk_that_takes_no_more_leaves_the_store_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pages,) = store._writer.execute("pragma page_count").fetchone()
    store._writer.execute(f"pragma max_page_count = {pages + 2}")
    accounts = [(Pubkey.new_unique(), Account(1, b"x" * 60_000, OWNER)) for _ in range(20)]
    with pytest.raises(OSError, match="full"):
        store.save(Batch(_head(1), accounts, []))
    assert store.head == HEAD
    assert dict(store.accounts()) == ACCOUNTS
    store.save(Batch(_head(2), [], []))
    assert store.head == _head(2)


@pytest.mark.parametrize(
    "content", [b"", b"something else", b"SQLite format 3\0" + b"\xff" * 5_000]
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(content)
    with pytest.raises(Stop) as stop:
        Store(path)
    assert stop.value.exit_code in (1, 64)
    assert path.read_bytes() == content


def test_a_store_of_another_format_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[63] = 3  # SQLite's user_version
    path.write_bytes(content)
    with pytest.raises(Stop, match="format 3, this localnet reads format 2") as stop:
        Store(path)
    assert stop.value.exit_code == 64


@pytest.mark.parametrize(
    ("now", "count", "then", "transactions", "shared"),
    [
        ((("a", 0),), 200, (("a", 0),), 100, 100),
        ((("a", 0), ("b", 100)), 150, (("a", 0),), 180, 100),
        ((("a", 0), ("b", 100)), 150, (("a", 0), ("c", 50)), 80, 50),
        ((("a", 0), ("b", 100)), 150, (("a", 0), ("b", 100)), 120, 120),
        ((("a", 0), ("b", 100), ("c", 120)), 150, (("a", 0), ("b", 100)), 180, 120),
        ((("x", 0),), 200, (("a", 0),), 100, 0),
    ],
)
def test_which_transactions_a_snapshot_shares_with_the_chain(
    now: tuple[tuple[str, int], ...],
    count: int,
    then: tuple[tuple[str, int], ...],
    transactions: int,
    shared: int,
) -> None:
    ours = msgspec.structs.replace(HEAD, branches=now)
    theirs = msgspec.structs.replace(HEAD, branches=then, transactions=transactions)
    assert shared_transactions(ours, count, theirs) == shared
