"""Methods that read accounts.

The VM holds only the newest state, so accounts are those of the newest slot whatever commitment is
asked for, and the context says which slot that is. Limits: agave, rpc/src/rpc.rs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from solders.pubkey import Pubkey

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import invalid_params
from cbctl.localnet.parsed.reader import Unparsable
from cbctl.localnet.parsed.states import locked_until
from cbctl.localnet.rpc.context import with_context
from cbctl.localnet.rpc.filters import AnyFilter, Matcher
from cbctl.localnet.rpc.params import (
    MAX_U64,
    U64,
    AccountEncoding,
    Commitment,
    ContextConfig,
    DataSlice,
    Params,
    check_context,
    to_hash,
    to_pubkey,
    too_many,
)
from cbctl.localnet.rpc.shown import AccountConfig, Shower
from cbctl.localnet.slots import epoch_of
from cbctl.localnet.tokens import TOKEN_PROGRAMS

MAX_ACCOUNTS = 100
_LARGEST = 20
_STAKE_PROGRAM = Pubkey.from_string("Stake11111111111111111111111111111111111111")


class ProgramAccountsConfig(Struct, rename="camel"):
    """AccountConfig with filters; results are sorted in any case."""

    encoding: AccountEncoding | None = None
    commitment: Commitment | None = None
    data_slice: DataSlice | None = None
    min_context_slot: U64 | None = None
    filters: list[AnyFilter] | None = None
    with_context: bool | None = None
    sort_results: bool | None = None


class AirdropConfig(Struct, rename="camel"):
    recent_blockhash: str | None = None
    commitment: Commitment | None = None


class LargestConfig(Struct, rename="camel"):
    commitment: Commitment | None = None
    filter: Literal["circulating", "nonCirculating"] | None = None
    sort_results: bool | None = None


class SupplyConfig(Struct, rename="camel"):
    commitment: Commitment | None = None
    exclude_non_circulating_accounts_list: bool = False


def get_balance(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    address = params.pubkey(0)
    check_context(bank.slot, params.config(1, ContextConfig).min_context_slot)
    return with_context(bank.slot, bank.vm.balance(address))


def get_account_info(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    address = params.pubkey(0)
    config = params.config(1, AccountConfig)
    check_context(bank.slot, config.min_context_slot)
    shower = Shower(bank, config.encoding or "binary", config.data_slice)
    return with_context(bank.slot, shower.show(address, bank.vm.account(address)))


def get_multiple_accounts(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    texts = params.required(0, list[str])
    if len(texts) > MAX_ACCOUNTS:
        raise too_many(MAX_ACCOUNTS)
    addresses = [to_pubkey(text) for text in texts]
    config = params.config(1, AccountConfig)
    check_context(bank.slot, config.min_context_slot)
    shower = Shower(bank, config.encoding or "base64", config.data_slice)
    return with_context(bank.slot, [shower.show(key, bank.vm.account(key)) for key in addresses])


def get_program_accounts(bank: Bank, params: Params) -> object:
    params.expect(1, 2)
    program = params.pubkey(0)
    config = params.config(1, ProgramAccountsConfig)
    check_context(bank.slot, config.min_context_slot)
    matches = Matcher(config.filters or [])
    found = [item for item in bank.vm.program_accounts(program) if matches(item[1])]
    shown = Shower(bank, config.encoding or "binary", config.data_slice).keyed(found)
    shown = only_readable(shown, program, config.encoding)
    return with_context(bank.slot, shown) if config.with_context else shown


def only_readable(
    shown: list[dict[str, object]], program: Pubkey, encoding: AccountEncoding | None
) -> list[dict[str, object]]:
    """Without accounts of a token program that cannot be parsed although they should be, as
    validators have it."""
    if encoding != "jsonParsed" or program not in TOKEN_PROGRAMS:
        return shown
    return [
        item
        for item in shown
        if isinstance(account := item["account"], dict) and isinstance(account["data"], dict)
    ]


def request_airdrop(bank: Bank, params: Params) -> object:
    params.expect(2, 3)
    to = params.pubkey(0)
    lamports: int = params.required(1, U64)
    if lamports > MAX_U64:
        raise invalid_params(f"Invalid params: invalid number `{lamports}`, expected u64.")
    blockhash = params.config(2, AirdropConfig).recent_blockhash
    return bank.airdrop(to, lamports, None if blockhash is None else to_hash(blockhash))


def get_largest_accounts(bank: Bank, params: Params) -> object:
    params.expect(0, 1)
    wanted = params.config(0, LargestConfig).filter
    locked = _locked(bank) if wanted else set()
    balances = [
        (lamports, key)
        for key, lamports in bank.balances().items()
        if not wanted or (key in locked) == (wanted == "nonCirculating")
    ]
    balances.sort(key=lambda item: (-item[0], bytes(item[1])))
    return with_context(
        bank.slot,
        [{"address": str(key), "lamports": lamports} for lamports, key in balances[:_LARGEST]],
    )


def get_supply(bank: Bank, params: Params) -> object:
    """What circulates is all but stakes that are locked up; no account is set apart here."""
    params.expect(0, 1)
    config = params.config(0, SupplyConfig)
    balances, locked = bank.balances(), _locked(bank)
    total = sum(balances.values())
    outside = sum(balances.get(key, 0) for key in locked)
    shown = [] if config.exclude_non_circulating_accounts_list else sorted(map(str, locked))
    return with_context(
        bank.slot,
        {
            "total": total,
            "circulating": total - outside,
            "nonCirculating": outside,
            "nonCirculatingAccounts": shown,
        },
    )


def _locked(bank: Bank) -> set[Pubkey]:
    """Stakes whose lockup is in force."""
    locked = set()
    epoch = epoch_of(bank.slot)[0]
    for key, account in bank.vm.program_accounts(_STAKE_PROGRAM):
        try:
            until_time, until_epoch = locked_until(account.data)
        except Unparsable:
            continue
        if until_time > bank.unix_time or until_epoch > epoch:
            locked.add(key)
    return locked
