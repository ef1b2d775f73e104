"""Accounts as bytes, in a layout of our own: it must outlast any version of the library."""

from __future__ import annotations

import struct

from solders.account import Account
from solders.pubkey import Pubkey

# lamports, rent epoch, executable, owner; the data follows
_HEAD = struct.Struct("<QQ?32s")


def pack_account(account: Account) -> bytes:
    """An account as stores and snapshots keep it."""
    head = _HEAD.pack(
        account.lamports, account.rent_epoch, account.executable, bytes(account.owner)
    )
    return head + account.data


def unpack_account(value: bytes) -> Account:
    """The reverse."""
    lamports, rent_epoch, executable, owner = _HEAD.unpack_from(value)
    return Account(lamports, value[_HEAD.size :], Pubkey(owner), executable, rent_epoch)
