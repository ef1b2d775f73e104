"""Durable nonces: a transaction that names the value of a nonce account instead of a recent
blockhash, and so waits as long as it likes.

Rules: agave, runtime/src/bank/check_transactions.rs; layout: solana-nonce, `Versions`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey

from cbctl.localnet.transactions import AnyMessage, Loaded, writable_keys

RECENT_BLOCKHASHES = Pubkey.from_string("SysvarRecentB1ockHashes11111111111111111111")
SYSVARS = Pubkey.from_string("Sysvar1111111111111111111111111111111111111")

_SYSTEM = Pubkey.default()
_ADVANCE = struct.pack("<I", 4)  # SystemInstruction::AdvanceNonceAccount
# u32 version (1: current) | u32 state (1: initialized) | authority | nonce | u64 fee
_DATA = struct.Struct("<II32s32sQ")
_USABLE = (1, 1)


def durable(blockhash: Hash) -> bytes:
    """The value that a nonce takes on from a blockhash."""
    return hashlib.sha256(b"DURABLE_NONCE" + bytes(blockhash)).digest()


def nonce_address(message: AnyMessage) -> Pubkey | None:
    """The nonce account that a message begins with advancing; None when it does not."""
    instructions, keys = message.instructions, message.account_keys
    if not instructions or keys[instructions[0].program_id_index] != _SYSTEM:
        return None
    accounts = bytes(instructions[0].accounts)
    if bytes(instructions[0].data[:4]) != _ADVANCE or not accounts:
        return None
    # Not one of a lookup table, whose accounts come after the message's own.
    address = keys[accounts[0]] if accounts[0] < len(keys) else None
    return address if address in writable_keys(message, keys, Loaded([], [])) else None


def lasts(
    message: AnyMessage, account_of: Callable[[Pubkey], Account | None], newest: Hash
) -> bool:
    """Whether a message names the value of a nonce account, and so may land at any time.

    newest  the blockhash that the nonce's next value follows from: it is used once with each
    """
    address = nonce_address(message)
    account = None if address is None else account_of(address)
    if account is None or account.owner != _SYSTEM or len(account.data) != _DATA.size:
        return False
    version, state, authority, value, _ = _DATA.unpack(bytes(account.data))
    if (version, state) != _USABLE or value != bytes(message.recent_blockhash):
        return False
    keys, signed = message.account_keys, message.header.num_required_signatures
    signers = {bytes(keys[i]) for i in bytes(message.instructions[0].accounts) if i < signed}
    return authority in signers and value != durable(newest)


def advanced(account: Account, newest: Hash, lamports_per_signature: int) -> Account:
    """A nonce account as using it leaves it."""
    version, state, authority, _, _ = _DATA.unpack(bytes(account.data))
    data = _DATA.pack(version, state, authority, durable(newest), lamports_per_signature)
    return Account(account.lamports, data, account.owner, account.executable, account.rent_epoch)
