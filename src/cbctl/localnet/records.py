"""What the ledger holds, as bytes (all little endian).

    transaction  u8 1 | u8 flags | u64 slot | i64 unix time | u32 length | signed bytes | details
    clock        u8 2 | u64 slot | i64 unix time | i64 offset in ms | i64 start of the epoch

Slot and time are what the VM's clock said when the transaction ran; blockhashes are a function of
the slot (see blockhash.py). Together they are all that running it again needs. The details are what
only running it tells (see history.py): there they are read from, so that nobody has to run it again
to know.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_TRANSACTION = struct.Struct("<BBQqI")
_CLOCK = struct.Struct("<BQqqq")
_TRANSACTION_KIND = 1
_CLOCK_KIND = 2
_SUCCEEDED = 1
_BY_NONCE = 2


class Entry(NamedTuple):
    """A transaction that landed.

    by_nonce  it came with a durable nonce in place of a recent blockhash
    """

    slot: int
    unix_time: int
    succeeded: bool
    by_nonce: bool
    raw: bytes
    details: bytes


class Moment(NamedTuple):
    """The chain's clock. In the ledger where it is not what follows from the records before.

    offset_ms    how far the chain's time is ahead of the wall's
    epoch_start  unix time at which the slot's epoch began
    """

    slot: int
    unix_time: int
    offset_ms: int
    epoch_start: int


def pack(record: Entry | Moment) -> bytes:
    """A record as the ledger keeps it."""
    if isinstance(record, Moment):
        return _CLOCK.pack(_CLOCK_KIND, *record)
    flags = record.succeeded * _SUCCEEDED | record.by_nonce * _BY_NONCE
    head = _TRANSACTION.pack(
        _TRANSACTION_KIND, flags, record.slot, record.unix_time, len(record.raw)
    )
    return head + record.raw + record.details


def unpack(payload: bytes) -> Entry | Moment:
    """ValueError for a record of an unknown kind."""
    kind = payload[0]
    if kind == _CLOCK_KIND and len(payload) == _CLOCK.size:
        return Moment(*_CLOCK.unpack(payload)[1:])
    if kind != _TRANSACTION_KIND or len(payload) < _TRANSACTION.size:
        raise ValueError(f"a record of unknown kind {kind}")
    _, flags, slot, unix_time, length = _TRANSACTION.unpack_from(payload)
    end = _TRANSACTION.size + length
    return Entry(
        slot,
        unix_time,
        bool(flags & _SUCCEEDED),
        bool(flags & _BY_NONCE),
        payload[_TRANSACTION.size : end],
        payload[end:],
    )
