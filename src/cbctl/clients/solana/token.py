"""The SPL Token program: a mint of one's own, and tokens of it for its owner.

Numbers and layouts as in the programs' own sources (`TokenInstruction`,
`AssociatedTokenAccountInstruction`); what is on chain is read by solders.
"""

from __future__ import annotations

import struct

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import CreateAccountParams, create_account
from solders.token import ID as TOKEN
from solders.token.associated import get_associated_token_address
from solders.token.state import Mint

from cbctl.clients.solana.types import Account

ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MINT_LENGTH = 82
MOST = 2**64 - 1  # base units of one mint

_INITIALIZE_MINT_2 = 20
_MINT_TO = 7
_CREATE_IDEMPOTENT = 1


def read_mint(account: Account) -> Mint | None:
    """None when the account is no mint of this program."""
    if account.owner != TOKEN or len(account.data) != MINT_LENGTH:
        return None
    mint = Mint.from_bytes(account.data)
    return mint if mint.is_initialized else None


def create_mint(
    owner: Pubkey, mint: Pubkey, decimals: int, lamports: int
) -> tuple[Instruction, ...]:
    """A mint that `owner` pays and decides over; nobody can freeze its tokens. Both sign."""
    create = create_account(
        CreateAccountParams(
            from_pubkey=owner, to_pubkey=mint, lamports=lamports, space=MINT_LENGTH, owner=TOKEN
        )
    )
    data = struct.pack("<BB32sB", _INITIALIZE_MINT_2, decimals, bytes(owner), 0)
    return create, Instruction(TOKEN, data, [AccountMeta(mint, False, True)])


def mint_to(owner: Pubkey, mint: Pubkey, amount: int) -> tuple[Instruction, ...]:
    """New tokens for the mint's owner, in the account where wallets look for them."""
    account = get_associated_token_address(owner, mint)
    return (
        Instruction(
            ASSOCIATED,
            bytes([_CREATE_IDEMPOTENT]),
            [
                AccountMeta(owner, True, True),
                AccountMeta(account, False, True),
                AccountMeta(owner, False, False),
                AccountMeta(mint, False, False),
                AccountMeta(SYSTEM, False, False),
                AccountMeta(TOKEN, False, False),
            ],
        ),
        Instruction(
            TOKEN,
            struct.pack("<BQ", _MINT_TO, amount),
            [
                AccountMeta(mint, False, True),
                AccountMeta(account, False, True),
                AccountMeta(owner, True, False),
            ],
        ),
    )
