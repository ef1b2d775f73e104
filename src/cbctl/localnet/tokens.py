"""What the two token programs keep in accounts, as far as balances need it.

Layouts: spl-token and spl-token-2022, `state`; a Token-2022 account is the older layout, padded to
165 bytes, then one byte for its type and the extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_PROGRAMS = frozenset((TOKEN, TOKEN_2022))

# Wrapped SOL, whose mint every new cluster has.
NATIVE_MINT = Pubkey.from_string("So11111111111111111111111111111111111111112")
NATIVE_DECIMALS = 9

ACCOUNT_BYTES = 165
MINT_BYTES = 82
MULTISIG_BYTES = 355
TYPE_OFFSET = ACCOUNT_BYTES
_TYPE_MINT = 1
_TYPE_ACCOUNT = 2

OWNER_OFFSET = 32
_AMOUNT_OFFSET = 64
DELEGATE_OFFSET = 72
_STATE_OFFSET = 108
_SUPPLY_OFFSET = 36
DECIMALS_OFFSET = 44
_MINT_INITIALIZED_OFFSET = 45


def native_mint() -> bytes:
    """The state of the mint of wrapped SOL: nobody's, nothing supplied."""
    state = bytearray(MINT_BYTES)
    state[DECIMALS_OFFSET] = NATIVE_DECIMALS
    state[_MINT_INITIALIZED_OFFSET] = 1
    return bytes(state)


class TokenBalance(NamedTuple):
    """What one account of a transaction held; `place` counts the transaction's keys."""

    place: int
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    decimals: int


def holds_token_account(data: bytes) -> bool:
    """Whether this is the state of an initialized token account."""
    return _is(data, ACCOUNT_BYTES, _TYPE_ACCOUNT) and data[_STATE_OFFSET] != 0


def holds_mint(data: bytes) -> bool:
    """Whether this is the state of an initialized mint."""
    return _is(data, MINT_BYTES, _TYPE_MINT) and data[_MINT_INITIALIZED_OFFSET] != 0


def _is(data: bytes, length: int, kind: int) -> bool:
    if len(data) == length:
        return True
    return len(data) > TYPE_OFFSET and len(data) != MULTISIG_BYTES and data[TYPE_OFFSET] == kind


def mint_of(data: bytes) -> Pubkey:
    """The mint of a token account."""
    return Pubkey.from_bytes(data[:OWNER_OFFSET])


def amount_of(data: bytes) -> int:
    """What a token account holds."""
    return int.from_bytes(data[_AMOUNT_OFFSET : _AMOUNT_OFFSET + 8], "little")


def supply_of(data: bytes) -> int:
    """How much of a mint there is."""
    return int.from_bytes(data[_SUPPLY_OFFSET : _SUPPLY_OFFSET + 8], "little")


def token_balances(
    keys: Iterable[Pubkey], account_of: Callable[[Pubkey], Account | None]
) -> list[TokenBalance]:
    """The balances of those keys that are token accounts with a mint of the same program."""
    found = []
    for place, key in enumerate(keys):
        account = account_of(key)
        if account is None or account.owner not in TOKEN_PROGRAMS:
            continue
        data = account.data
        if not holds_token_account(data):
            continue
        address = mint_of(data)
        mint = account_of(address)
        if mint is None or mint.owner != account.owner or not holds_mint(mint.data):
            continue
        owner = Pubkey.from_bytes(data[OWNER_OFFSET:_AMOUNT_OFFSET])
        decimals = mint.data[DECIMALS_OFFSET]
        found.append(TokenBalance(place, address, owner, account.owner, amount_of(data), decimals))
    return found
