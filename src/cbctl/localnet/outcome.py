"""What a transaction finds, does and would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from cbctl.localnet.nonce import nonce_address
from cbctl.localnet.tokens import TokenBalance
from cbctl.localnet.transactions import AnyMessage, Loaded, writable_keys


class Found(NamedTuple):
    """What a transaction finds before it runs.

    keys    all that it names, those out of lookup tables (`loaded`) last
    before  their lamports
    tokens  what those hold that are token accounts
    size    bytes of all accounts that it loads
    """

    keys: list[Pubkey]
    loaded: Loaded
    before: list[int]
    tokens: Sequence[TokenBalance]
    size: int


class Outcome(NamedTuple):
    """What running a transaction did.

    error         the TransactionError in serde's JSON form, None when it succeeded
    landed        whether the fee was taken; if not, nothing changed
    fee           lamports
    before        lamports of `keys`, and `after`
    tokens_*      what those of `keys` held that are token accounts
    loaded_bytes  size of all accounts that it loaded
    """

    error: object
    landed: bool
    fee: int
    meta: TransactionMetadata
    keys: list[Pubkey]
    loaded: Loaded
    before: list[int]
    after: list[int]
    tokens_before: Sequence[TokenBalance]
    tokens_after: Sequence[TokenBalance]
    loaded_bytes: int


def changed_keys(message: AnyMessage, outcome: Outcome, by_nonce: bool) -> list[Pubkey]:
    """The accounts that a transaction which landed may have changed."""
    if outcome.error is None:
        return writable_keys(message, outcome.keys, outcome.loaded)
    # A failed one has paid its fee and used up its nonce.
    payer = outcome.keys[0]
    nonce = nonce_address(message) if by_nonce else None
    return [payer] if nonce in (None, payer) else [payer, nonce]


class Simulation(NamedTuple):
    """What running a transaction would do.

    fee       None when it would not have come so far as to pay one
    accounts  what it would leave behind
    """

    error: object
    fee: int | None
    meta: TransactionMetadata
    found: Found
    after: list[int]
    tokens_after: Sequence[TokenBalance]
    accounts: dict[Pubkey, Account]
