"""For each instruction a situation in which it succeeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import (
    ARTIFACTS,
    Scope,
    accept_authority,
    config_address,
    emergency_pause,
    emergency_unpause,
    migrate,
    propose_authority,
    update_config,
)
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Side

IDL = json.loads((ARTIFACTS / "crypto_bet.idl.json").read_text())
ACCOUNTS = {
    entry["name"]: [account["name"] for account in entry["accounts"]]
    for entry in IDL["instructions"]
}
"""names of the accounts of each instruction"""


@dataclass(frozen=True)
class Scene:
    house: House
    instruction: Instruction
    signers: tuple[Keypair, ...] = ()

    def names(self) -> list[str]:
        prefix = bytes(self.instruction.data)[:8]
        (name,) = [
            entry["name"]
            for entry in IDL["instructions"]
            if bytes(entry["discriminator"]) == prefix
        ]
        return ACCOUNTS[name][: len(self.instruction.accounts)]

    def with_accounts(self, accounts: list[AccountMeta]) -> Scene:
        instruction = Instruction(self.instruction.program_id, self.instruction.data, accounts)
        return replace(self, instruction=instruction)


def by_authority(house: House, instruction: Instruction) -> Scene:
    return Scene(house, instruction, (house.authority,))


# -- of the platform


def _update_config(house: House, kind: Kind) -> Scene:
    return by_authority(house, update_config(house.program, house.settings.but(fee_bps=9)))


def _propose_authority(house: House, kind: Kind) -> Scene:
    return by_authority(house, propose_authority(house.program, house.person().pubkey()))


def _accept_authority(house: House, kind: Kind) -> Scene:
    successor = house.person()
    house.must(propose_authority(house.program, successor.pubkey()), house.authority)
    return Scene(house, accept_authority(house.program, successor.pubkey()), (successor,))


def _migrate(house: House, kind: Kind) -> Scene:
    address = config_address(house.program.id)
    data = house.chain.data(address)
    house.chain.put(address, data[:8] + b"\1" + data[9:], house.program.id)
    return by_authority(house, migrate(house.program))


def _emergency_pause(house: House, kind: Kind) -> Scene:
    actor = house.authority.pubkey()
    return by_authority(house, emergency_pause(house.program, actor, Scope.NEW_BETS))


def _emergency_unpause(house: House, kind: Kind) -> Scene:
    actor = house.authority.pubkey()
    house.must(emergency_pause(house.program, actor, Scope.NEW_BETS), house.authority)
    return by_authority(house, emergency_unpause(house.program, actor))


# -- of a market


def with_bets(house: House, kind: Kind) -> tuple[Addresses, Keypair, Keypair]:
    """A market, who bet on YES, who bet on NO."""
    at, yes, no = house.new(kind, house.person()), house.person(), house.person()
    house.bet(at, yes, Side.YES, 10_000_000)
    house.bet(at, no, Side.NO, 30_000_001)
    return at, yes, no


def _create_market(house: House, kind: Kind) -> Scene:
    owner = house.person()
    at = Addresses.of(house.program.id, 77, owner.pubkey(), kind)
    return Scene(house, markets.create_market(at, 77, house.terms(), house.mint), (owner,))


def _update_market(house: House, kind: Kind) -> Scene:
    owner = house.person()
    at = house.new(kind, owner)
    return Scene(house, markets.update_market(at, house.terms()), (owner,))


def _place_bet(house: House, kind: Kind) -> Scene:
    at, yes, _ = with_bets(house, kind)
    token = house.purse(yes.pubkey())
    instruction = markets.place_bet(at, yes.pubkey(), Side.NO, 5_000_000, token=token)
    return Scene(house, instruction, (yes,))


def _first_bet(house: House, kind: Kind) -> Scene:
    at, user = house.new(kind, house.person()), house.person()
    token = house.purse(user.pubkey())
    instruction = markets.place_bet(at, user.pubkey(), Side.NO, 5_000_000, token=token)
    return Scene(house, instruction, (user,))


def _resolve_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    house.move_clock(house.market(at).resolution_time)
    instruction = markets.resolve_market(at, house.resolver.pubkey(), Side.YES)
    return Scene(house, instruction, (house.resolver,))


def _dispute_market(house: House, kind: Kind) -> Scene:
    at, _, no = with_bets(house, kind)
    house.propose(at, Side.YES)
    return Scene(house, markets.dispute_market(at, no.pubkey()), (no,))


def disputed(house: House, kind: Kind) -> tuple[Addresses, Keypair]:
    """A market whose result YES was disputed, and by whom, for a bond."""
    house.must(update_config(house.program, house.settings, 3_000_000), house.authority)
    at, _, no = with_bets(house, kind)
    house.propose(at, Side.YES)
    house.must(markets.dispute_market(at, no.pubkey()), no)
    return at, no


def _rule_dispute(house: House, kind: Kind) -> Scene:
    at, _ = disputed(house, kind)
    return by_authority(house, markets.rule_dispute(at, house.authority.pubkey(), Side.NO))


def _finalize_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    house.propose(at, Side.YES)
    house.move_clock(house.now + house.settings.dispute_window)
    user = house.person()
    return Scene(house, markets.finalize_market(at, user.pubkey()), (user,))


def _cancel_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    return by_authority(house, markets.cancel_market(at, house.authority.pubkey()))


def _pause_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    instruction = markets.pause_market(at, house.guardian.pubkey())
    return Scene(house, instruction, (house.guardian,))


def _unpause_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    authority = house.authority.pubkey()
    house.must(markets.pause_market(at, authority), house.authority)
    return by_authority(house, markets.pause_market(at, authority, undo=True))


def _claim_winnings(house: House, kind: Kind) -> Scene:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    token = house.purse(yes.pubkey())
    return Scene(house, markets.claim_winnings(at, yes.pubkey(), Side.YES, token))


def _claim_refund(house: House, kind: Kind) -> Scene:
    at, yes, _ = with_bets(house, kind)
    house.cancel(at)
    return Scene(house, markets.claim_refund(at, yes.pubkey(), house.purse(yes.pubkey())))


def _withdraw_fees(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    token = house.purse(house.treasury)
    return Scene(house, markets.withdraw_fees(at, house.treasury, Side.NO, token))


def _sweep_market(house: House, kind: Kind) -> Scene:
    at, _, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    token = house.purse(house.treasury)
    authority = house.authority.pubkey()
    return by_authority(house, markets.sweep_market(at, authority, house.treasury, token))


def _settle_bond(house: House, kind: Kind) -> Scene:
    at, no = disputed(house, kind)
    instruction = markets.rule_dispute(at, house.authority.pubkey(), Side.NO)
    house.must(instruction, house.authority)
    return Scene(house, markets.settle_bond(at, no.pubkey()))


def _close_position(house: House, kind: Kind) -> Scene:
    at, _, no = with_bets(house, kind)
    house.resolve(at, Side.YES)
    return Scene(house, markets.close_position(at, no.pubkey()))


def _close_market(house: House, kind: Kind) -> Scene:
    at = house.new(kind, house.person())
    house.cancel(at)
    return Scene(house, markets.close_market(at))


SCENES: dict[str, Callable[[House, Kind], Scene]] = {
    "accept_authority": _accept_authority,
    "cancel_market": _cancel_market,
    "claim_refund": _claim_refund,
    "claim_winnings": _claim_winnings,
    "close_market": _close_market,
    "close_position": _close_position,
    "create_market": _create_market,
    "dispute_market": _dispute_market,
    "emergency_pause": _emergency_pause,
    "emergency_unpause": _emergency_unpause,
    "finalize_market": _finalize_market,
    "migrate": _migrate,
    "pause_market": _pause_market,
    "place_bet": _place_bet,
    "place_bet, the first": _first_bet,
    "propose_authority": _propose_authority,
    "resolve_market": _resolve_market,
    "rule_dispute": _rule_dispute,
    "settle_bond": _settle_bond,
    "sweep_market": _sweep_market,
    "unpause_market": _unpause_market,
    "update_config": _update_config,
    "update_market": _update_market,
    "withdraw_fees": _withdraw_fees,
}

OF_MONEY = {
    *("create_market", "place_bet", "place_bet, the first", "rule_dispute", "finalize_market"),
    *("claim_winnings", "claim_refund", "withdraw_fees", "sweep_market", "close_market"),
}
"""Those that deal with tokens in a Stable market."""

EVERY = [(name, kind) for name in SCENES for kind in Kind if kind == Kind.DEGEN or name in OF_MONEY]


def scene(house: House, name: str, kind: Kind = Kind.DEGEN) -> Scene:
    return SCENES[name](house, kind)


def stored(house: House, addresses: list[Pubkey]) -> list[object]:
    """Everything about these accounts that a transaction could change."""
    found: list[object] = []
    for address in addresses:
        account = house.chain.account(address)
        found.append(account and (account.lamports, bytes(account.data), account.owner))
    return found
