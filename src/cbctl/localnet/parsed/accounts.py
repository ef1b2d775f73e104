"""Which parser an account's owner has."""

from __future__ import annotations

from collections.abc import Callable

from solders.account import Account
from solders.pubkey import Pubkey

from cbctl.localnet.parsed.reader import Unparsable
from cbctl.localnet.parsed.states import (
    parse_config,
    parse_lookup_table,
    parse_nonce,
    parse_stake,
    parse_upgradeable_loader,
)
from cbctl.localnet.parsed.sysvars import parse_sysvar
from cbctl.localnet.parsed.token_state import parse_token_state
from cbctl.localnet.parsed.vote_state import parse_vote
from cbctl.localnet.tokens import TOKEN, TOKEN_2022

_BY_DATA: dict[str, tuple[str, Callable[[bytes], dict[str, object]]]] = {
    "AddressLookupTab1e1111111111111111111111111": ("address-lookup-table", parse_lookup_table),
    "BPFLoaderUpgradeab1e11111111111111111111111": (
        "bpf-upgradeable-loader",
        parse_upgradeable_loader,
    ),
    "Config1111111111111111111111111111111111111": ("config", parse_config),
    "11111111111111111111111111111111": ("nonce", parse_nonce),
    "Stake11111111111111111111111111111111111111": ("stake", parse_stake),
}
_BY_ADDRESS: dict[str, tuple[str, Callable[[str, bytes], dict[str, object]]]] = {
    "Sysvar1111111111111111111111111111111111111": ("sysvar", parse_sysvar),
    "Vote111111111111111111111111111111111111111": ("vote", parse_vote),
}
_TOKENS = {TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}


def parse_account(
    address: Pubkey,
    account: Account,
    account_of: Callable[[Pubkey], Account | None],
    now: int,
) -> dict[str, object] | None:
    """`program`, `parsed` and `space`; None when nobody here knows the layout.

    account_of  finds the mint of a token account
    now         Unix time, for mints whose amounts grow
    """
    data, owner = account.data, str(account.owner)
    try:
        if account.owner in _TOKENS:
            program = _TOKENS[account.owner]
            parsed = parse_token_state(data, account_of, now)
        elif owner in _BY_DATA:
            program, by_data = _BY_DATA[owner]
            parsed = by_data(data)
        elif owner in _BY_ADDRESS:
            program, by_address = _BY_ADDRESS[owner]
            parsed = by_address(str(address), data)
        else:
            return None
    except Unparsable:
        return None
    return {"program": program, "parsed": parsed, "space": len(data)}
