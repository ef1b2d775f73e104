"""Methods of our own, for test suites and for `cbctl localnet`: clock, snapshots, a look inside.

Served only to this machine. They reach no file but the snapshots in the state folder, which they
name without a path.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from cbctl.localnet import snapshots
from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import INTERNAL_ERROR, RpcError, SnapshotError, invalid_params
from cbctl.localnet.rpc.params import U64, Params
from cbctl.localnet.snapshots import Named
from cbctl.localnet.summary import summary

_MS = 1000


class Advance(Struct, forbid_unknown_fields=True):
    """By how much: one of the two."""

    slots: U64 | None = None
    seconds: U64 | None = None


def status(bank: Bank, params: Params) -> object:
    """What `cbctl localnet status` shows."""
    params.expect(0, 0)
    _save(bank)
    return summary(bank.chain.folder, bank.chain.store)


def _save(bank: Bank) -> None:
    try:
        bank.save()
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"cannot save the store: {error}") from None


def _clock(bank: Bank) -> dict[str, object]:
    return {"slot": bank.slot, "unixTime": bank.unix_time}


def advance_clock(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    by = params.required(0, Advance)
    if (by.slots is None) == (by.seconds is None):
        raise invalid_params("by: {slots} or {seconds}")
    slot_ms = bank.genesis.slot_ms
    slots = by.slots if by.slots is not None else -(-(by.seconds or 0) * _MS // slot_ms)
    _advance(bank, slots)
    return _clock(bank)


def set_clock(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    unix_time = params.required(0, U64)
    ahead = unix_time - bank.unix_time
    if ahead < 0:
        raise invalid_params(
            f"unixTime: {unix_time} is before the chain's time, {bank.unix_time}, and the clock "
            "goes only forward"
        )
    _advance(bank, -(-ahead * _MS // bank.genesis.slot_ms))
    return _clock(bank)


def _advance(bank: Bank, slots: int) -> None:
    try:
        bank.advance(slots)
    except ValueError as error:
        raise invalid_params(str(error)) from None


def take_snapshot(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    name = params.required(0, str)
    try:
        path = Named(bank.chain.folder).place(name)
    except SnapshotError as error:
        raise invalid_params(str(error)) from None
    _save(bank)
    store = bank.chain.store
    try:
        count = snapshots.write(path, store.head, store.accounts())
    except OSError as error:
        what = f"cannot write the snapshot {name}: {error.strerror}"
        raise RpcError(INTERNAL_ERROR, what) from None
    return {**_clock(bank), "accounts": count, "bytes": path.stat().st_size}


def restore_snapshot(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    name = params.required(0, str)
    try:
        snapshot = snapshots.read(Named(bank.chain.folder).find(name))
        bank.restore(snapshot.head, snapshot.accounts)
    except SnapshotError as error:
        raise invalid_params(str(error)) from None
    except OSError as error:
        raise RpcError(INTERNAL_ERROR, f"cannot restore {name}: {error}") from None
    return {**_clock(bank), "accounts": bank.chain.store.count_accounts()}


def list_snapshots(bank: Bank, params: Params) -> object:
    params.expect(0, 0)
    return Named(bank.chain.folder).names()


def remove_snapshot(bank: Bank, params: Params) -> object:
    params.expect(1, 1)
    name = params.required(0, str)
    try:
        Named(bank.chain.folder).find(name).unlink()
    except SnapshotError as error:
        raise invalid_params(str(error)) from None
    return None


Method = Callable[[Bank, Params], object]

METHODS: dict[str, Method] = {
    "localnet_advanceClock": advance_clock,
    "localnet_removeSnapshot": remove_snapshot,
    "localnet_restoreSnapshot": restore_snapshot,
    "localnet_setClock": set_clock,
    "localnet_snapshots": list_snapshots,
    "localnet_status": status,
    "localnet_takeSnapshot": take_snapshot,
}
