"""What landed: by signature, by address, by slot.

In memory is only where in the ledger the newest transactions are; the store has the rest of that,
and the ledger everything else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from cbctl.localnet.ledger import Ledger, Place
from cbctl.localnet.outcome import Outcome
from cbctl.localnet.records import Entry, unpack
from cbctl.localnet.store import Row, Store
from cbctl.localnet.tokens import TokenBalance
from cbctl.localnet.transactions import Loaded


class Landed(NamedTuple):
    """A transaction in the chain; `number` counts them from the beginning of the chain."""

    signature: str
    number: int
    slot: int
    unix_time: int
    place: Place
    outcome: Outcome
    raw: bytes


# A TokenBalance with its three addresses one after the other: place, addresses, amount, decimals.
_Tokens = list[tuple[int, bytes, int, int]]


class _Details(msgspec.Struct, array_like=True):
    """An Outcome without what the signed bytes tell; addresses one after the other. Ledgers from
    before token balances were kept end with `after`."""

    error: object
    fee: int
    meta: bytes
    writable: bytes
    readonly: bytes
    before: list[int]
    after: list[int]
    tokens_before: _Tokens = []
    tokens_after: _Tokens = []
    loaded_bytes: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Details).decode


def pack_details(outcome: Outcome) -> bytes:
    """What only running a transaction tells, for the ledger."""
    return _encode(
        _Details(
            outcome.error,
            outcome.fee,
            bytes(outcome.meta),
            b"".join(map(bytes, outcome.loaded.writable)),
            b"".join(map(bytes, outcome.loaded.readonly)),
            outcome.before,
            outcome.after,
            _packed(outcome.tokens_before),
            _packed(outcome.tokens_after),
            outcome.loaded_bytes,
        )
    )


def _packed(balances: Sequence[TokenBalance]) -> _Tokens:
    return [
        (place, bytes(mint) + bytes(owner) + bytes(program), amount, decimals)
        for place, mint, owner, program, amount, decimals in balances
    ]


def _unpacked(tokens: _Tokens) -> list[TokenBalance]:
    balances = []
    for place, joined, amount, decimals in tokens:
        mint, owner, program = _addresses(joined)
        balances.append(TokenBalance(place, mint, owner, program, amount, decimals))
    return balances


def _addresses(joined: bytes) -> list[Pubkey]:
    return [Pubkey(joined[at : at + 32]) for at in range(0, len(joined), 32)]


class _Fresh:
    """Transactions that are not in the store yet; `first` is the number of the first of them."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.rows: list[Row] = []
        self._by_signature: dict[bytes, int] = {}
        self._by_address: dict[Pubkey, list[int]] = {}

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self._by_signature[row.signature] = row.number
        for key in row.keys:
            self._by_address.setdefault(key, []).append(row.number)

    def find(self, signature: bytes) -> Row | None:
        number = self._by_signature.get(signature)
        return None if number is None else self.rows[number - self.first]

    def naming(self, address: Pubkey) -> Iterator[Row]:
        return (self.rows[n - self.first] for n in reversed(self._by_address.get(address, ())))

    def until(self, slot: int) -> int:
        """How many are not after a slot."""
        return bisect_right(self.rows, slot, key=lambda row: row.slot)


class History:
    """Every transaction that landed and is still kept, in order."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store
        self._fresh = _Fresh(store.head.transactions)
        self._saving: _Fresh | None = None

    def add(self, signature: Signature, slot: int, place: Place, keys: list[Pubkey]) -> int:
        """Appends, and returns the number; slots never go back."""
        number = len(self)
        self._fresh.add(Row(number, slot, bytes(signature), place, keys))
        return number

    def begin_saving(self) -> list[Row]:
        """What the store is to take in; until `saved` it is answered from memory."""
        assert self._saving is None
        self._saving, self._fresh = self._fresh, _Fresh(len(self))
        return self._saving.rows

    def saved(self) -> None:
        """The store has it now."""
        self._saving = None

    def not_saved(self) -> None:
        """The store has not taken it in."""
        assert self._saving is not None
        newer, self._fresh, self._saving = self._fresh.rows, self._saving, None
        for row in newer:
            self._fresh.add(row)

    def _in_memory(self) -> Iterator[_Fresh]:
        """Newest first."""
        yield self._fresh
        if self._saving is not None:
            yield self._saving

    @property
    def _stored(self) -> int:
        """How many are only in the store. It may have more already: `saved` comes later."""
        return self._fresh.first if self._saving is None else self._saving.first

    def get(self, signature: str) -> Landed | None:
        """By signature."""
        return self.find(Signature.from_string(signature))

    def find(self, signature: Signature) -> Landed | None:
        """The same."""
        wanted = bytes(signature)
        for fresh in self._in_memory():
            row = fresh.find(wanted)
            if row is not None:
                return self._load(row.number, row.place)
        for number, place in self._store.places_of(wanted):
            if number < self._stored:
                found = self._load(number, place)
                if found.signature == str(signature):
                    return found
        return None

    def of_address(
        self, address: Pubkey, below: int | None = None, above: int = -1
    ) -> Iterator[Landed]:
        """Newest first; only those with numbers between the two."""
        limit = len(self) if below is None else below
        for fresh in self._in_memory():
            for row in fresh.naming(address):
                if above < row.number < limit:
                    yield self._load(row.number, row.place)
        for number, place in self._store.naming(address, min(limit, self._stored), above):
            yield self._load(number, place)

    def index_in_slot(self, landed: Landed) -> int:
        """How many landed in its slot before it."""
        return landed.number - self.count_until(landed.slot - 1)

    def in_slot(self, slot: int) -> list[Landed]:
        """In the order in which they ran."""
        found = [item for item in self._store.in_slot(slot) if item[0] < self._stored]
        for fresh in reversed(list(self._in_memory())):
            rows = fresh.rows[fresh.until(slot - 1) : fresh.until(slot)]
            found += [(row.number, row.place) for row in rows]
        return [self._load(number, place) for number, place in found]

    def count_until(self, slot: int) -> int:
        """How many transactions there are in the chain up to a slot."""
        newest = self._newest(slot)
        return self._oldest[0] if newest is None else newest[0] + 1

    @property
    def first_slot(self) -> int:
        """The oldest slot of which nothing is forgotten, 0 if nothing ever was."""
        number, slot = self._oldest
        return slot + 1 if number else 0

    @property
    def _oldest(self) -> tuple[int, int]:
        """Number and slot of the oldest transaction that is kept."""
        stored = self._store.oldest()
        if stored is not None:
            return stored
        row = next((fresh.rows[0] for fresh in reversed([*self._in_memory()]) if fresh.rows), None)
        return (len(self), 0) if row is None else (row.number, row.slot)

    def at_or_before(self, slot: int) -> Landed | None:
        """The newest transaction that is not after a slot."""
        newest = self._newest(slot)
        return None if newest is None else self._load(*newest)

    def _newest(self, slot: int) -> tuple[int, Place] | None:
        for fresh in self._in_memory():
            if count := fresh.until(slot):
                row = fresh.rows[count - 1]
                return row.number, row.place
        return self._store.at_or_before(slot)

    def _load(self, number: int, place: Place) -> Landed:
        entry = unpack(self._ledger.read(place))
        assert isinstance(entry, Entry)
        transaction = VersionedTransaction.from_bytes(entry.raw)
        details = _decode(entry.details)
        loaded = Loaded(_addresses(details.writable), _addresses(details.readonly))
        outcome = Outcome(
            error=details.error,
            landed=True,
            fee=details.fee,
            meta=TransactionMetadata.from_bytes(details.meta),
            keys=[*transaction.message.account_keys, *loaded.writable, *loaded.readonly],
            loaded=loaded,
            before=details.before,
            after=details.after,
            tokens_before=_unpacked(details.tokens_before),
            tokens_after=_unpacked(details.tokens_after),
            loaded_bytes=details.loaded_bytes,
        )
        return Landed(
            str(transaction.signatures[0]),
            number,
            entry.slot,
            entry.unix_time,
            place,
            outcome,
            entry.raw,
        )

    def __len__(self) -> int:
        """How many landed since the beginning of the chain, also those that are forgotten."""
        return self._fresh.first + len(self._fresh.rows)
