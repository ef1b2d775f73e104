"""Mints and token accounts, put where the tests need them."""

from __future__ import annotations

import struct

from solders.pubkey import Pubkey
from tests.unit.programs.svm import Chain

TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
MINT_LENGTH = 82
ACCOUNT_LENGTH = 165


def mint_bytes(authority: Pubkey, supply: int = 2**63) -> bytes:
    """Layout of spl-token: authority, supply, decimals, initialized, no freeze authority."""
    return struct.pack("<I32sQBBI32s", 1, bytes(authority), supply, 6, 1, 0, bytes(32))


def account_bytes(mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    """Mint, owner, amount, no delegate, state initialized, not native, no close authority."""
    head = bytes(mint) + bytes(owner) + struct.pack("<Q", amount)
    return head + bytes(36) + b"\1" + bytes(12) + bytes(8) + bytes(36)


def put_mint(chain: Chain, address: Pubkey, owner: Pubkey = TOKEN_PROGRAM) -> None:
    chain.put(address, mint_bytes(Pubkey.new_unique()), owner)


def put_account(chain: Chain, mint: Pubkey, owner: Pubkey, amount: int = 0) -> Pubkey:
    address = chain.key().pubkey()
    chain.put(address, account_bytes(mint, owner, amount), TOKEN_PROGRAM)
    return address


def balance(chain: Chain, account: Pubkey) -> int:
    (amount,) = struct.unpack_from("<Q", chain.data(account), 64)
    assert isinstance(amount, int)
    return amount
