"""Methods about tokens. Messages: agave, rpc/src/rpc.rs and parsed_token_accounts.rs."""

from __future__ import annotations

from msgspec import Struct
from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import RpcError, invalid_params
from cbctl.localnet.parsed.amounts import MintTerms, ui_amount
from cbctl.localnet.parsed.reader import Unparsable
from cbctl.localnet.parsed.token_state import mint_terms
from cbctl.localnet.rpc.accounts import only_readable
from cbctl.localnet.rpc.context import with_context
from cbctl.localnet.rpc.params import Commitment, Params, check_context, to_pubkey
from cbctl.localnet.rpc.shown import AccountConfig, Shower
from cbctl.localnet.tokens import (
    DELEGATE_OFFSET,
    NATIVE_DECIMALS,
    NATIVE_MINT,
    OWNER_OFFSET,
    TOKEN,
    TOKEN_PROGRAMS,
    amount_of,
    holds_token_account,
    mint_of,
    supply_of,
)

_LARGEST = 20
_SOME = (1).to_bytes(4, "little")


class CommitmentConfig(Struct):
    commitment: Commitment | None = None


class TokenFilter(Struct, rename="camel"):
    """One of the two."""

    mint: str | None = None
    program_id: str | None = None


def _refused(reason: str) -> RpcError:
    return invalid_params(f"Invalid param: {reason}")


def _mint(bank: Bank, mint: Pubkey) -> tuple[Pubkey, MintTerms]:
    """The program of a mint, and what its amounts depend on."""
    if mint == NATIVE_MINT:
        return TOKEN, MintTerms(NATIVE_DECIMALS)
    account = bank.vm.account(mint)
    if account is None:
        raise _refused("could not find mint")
    try:
        return account.owner, mint_terms(account.data)
    except Unparsable:
        raise _refused("Token mint could not be unpacked") from None


def get_token_account_balance(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    address = params.pubkey(0)
    params.config(1, CommitmentConfig)
    account = bank.vm.account(address)
    if account is None:
        raise _refused("could not find account")
    data = account.data
    if account.owner not in TOKEN_PROGRAMS or not holds_token_account(data):
        raise _refused("not a Token account")
    terms = _mint(bank, mint_of(data))[1]
    return with_context(bank.slot, ui_amount(amount_of(data), terms, bank.unix_time))


def get_token_supply(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    mint = params.pubkey(0)
    params.config(1, CommitmentConfig)
    account = bank.vm.account(mint)
    if account is None:
        raise _refused("could not find account")
    if account.owner not in TOKEN_PROGRAMS:
        raise _refused("not a Token mint")
    try:
        terms = mint_terms(account.data)
    except Unparsable:
        raise _refused("mint could not be unpacked") from None
    return with_context(bank.slot, ui_amount(supply_of(account.data), terms, bank.unix_time))


def get_token_largest_accounts(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    mint = params.pubkey(0)
    params.config(1, CommitmentConfig)
    program, terms = _mint(bank, mint)
    if program not in TOKEN_PROGRAMS:
        raise _refused("not a Token mint")
    balances = [
        (amount_of(account.data), key) for key, account in _accounts(bank, program, [(0, mint)])
    ]
    balances.sort(key=lambda item: (item[0], bytes(item[1])), reverse=True)
    return with_context(
        bank.slot,
        [
            {"address": str(key), **ui_amount(amount, terms, bank.unix_time)}
            for amount, key in balances[:_LARGEST]
        ],
    )


def get_token_accounts_by_owner(bank: Bank, params: Params) -> object:
    return _accounts_by(bank, params, OWNER_OFFSET)


def get_token_accounts_by_delegate(bank: Bank, params: Params) -> object:
    return _accounts_by(bank, params, DELEGATE_OFFSET)


def _accounts_by(bank: Bank, params: Params, offset: int) -> object:
    params.expect(2, 3)
    key = params.pubkey(0)
    wanted = params.required(1, TokenFilter)
    config = params.config(2, AccountConfig)
    check_context(bank.slot, config.min_context_slot)
    at = [(offset, key)]
    if wanted.mint is not None:
        mint = to_pubkey(wanted.mint)
        program = _mint(bank, mint)[0]
        if program not in TOKEN_PROGRAMS:
            raise _refused("not a Token mint")
        at.append((0, mint))
    elif wanted.program_id is not None:
        program = to_pubkey(wanted.program_id)
        if program not in TOKEN_PROGRAMS:
            raise _refused("unrecognized Token program id")
    else:
        raise invalid_params("Invalid params: expected `mint` or `programId`.")
    shower = Shower(bank, config.encoding or "binary", config.data_slice)
    shown = shower.keyed(_accounts(bank, program, at))
    return with_context(bank.slot, only_readable(shown, program, config.encoding))


def _accounts(
    bank: Bank, program: Pubkey, at: list[tuple[int, Pubkey]]
) -> list[tuple[Pubkey, Account]]:
    """Token accounts of a program that have these addresses at these offsets."""
    # A delegate is optional: four bytes say that there is one.
    wanted = [
        (offset, (_SOME if offset == DELEGATE_OFFSET else b"") + bytes(key)) for offset, key in at
    ]
    return [
        (key, account)
        for key, account in bank.vm.program_accounts(program)
        if holds_token_account(data := account.data)
        and all(data[start : start + len(part)] == part for start, part in wanted)
    ]
