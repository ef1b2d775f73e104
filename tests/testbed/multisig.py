"""A Squads v4 multisig as the program would have made it, and who signs what it is asked to."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction

SQUADS = "SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf"
MULTISIG = bytes([224, 116, 121, 186, 68, 161, 79, 236])  # discriminator of the account
ALL_PERMISSIONS = 7  # initiate, vote, execute


def multisig_account(threshold: int, members: int) -> bytes:
    """programs/squads_multisig_program/src/state/multisig.rs of Squads-Protocol/v4."""
    create_key, config_authority = bytes(Keypair().pubkey()), bytes(32)
    time_lock, transaction_index, stale_index = 0, 12, 3
    rent_collector, bump = b"\0" + bytes(32), 254
    keys = [bytes(Keypair().pubkey()) for _ in range(members)]
    return (
        MULTISIG
        + create_key
        + config_authority
        + struct.pack("<HIQQ", threshold, time_lock, transaction_index, stale_index)
        + rent_collector
        + struct.pack("<BI", bump, members)
        + b"".join(key + bytes([ALL_PERMISSIONS]) for key in keys)
    )


def account_file(folder: Path, address: Pubkey, data: bytes, owner: str = SQUADS) -> Path:
    """As `solana account --output json` writes it."""
    path = folder / f"{address}.json"
    account = {
        "lamports": 10_000_000,
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": owner,
        "executable": False,
        "rentEpoch": 0,
        "space": len(data),
    }
    path.write_text(json.dumps({"pubkey": str(address), "account": account}))
    return path


def signed(transaction: str, blockhash: Hash, key: Keypair) -> VersionedTransaction:
    """The unsigned transaction, base64, signed by the only key that it asks for."""
    message = Transaction.from_bytes(base64.b64decode(transaction)).message
    assert message.account_keys[: message.header.num_required_signatures] == [key.pubkey()]
    fresh = Message.new_with_compiled_instructions(
        message.header.num_required_signatures,
        message.header.num_readonly_signed_accounts,
        message.header.num_readonly_unsigned_accounts,
        message.account_keys,
        blockhash,
        message.instructions,
    )
    return VersionedTransaction(fresh, [key])
