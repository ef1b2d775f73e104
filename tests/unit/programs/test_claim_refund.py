"""claim_refund: everything back, once, to its owner."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets


def test_both_sides_come_back(house: House, kind: Kind) -> None:
    at, yes, no = with_bets(house, kind)
    house.bet(at, yes, Side.NO, 7_000_007)
    house.cancel(at)
    before = house.money(kind, yes.pubkey())
    outcome = house.refund(at, yes.pubkey())
    assert outcome.error is None
    assert house.money(kind, yes.pubkey()) == before + 17_000_007
    position, market = house.position(at, yes.pubkey()), house.market(at)
    assert (position.claimed, position.paid) == (1, 17_000_007)
    assert (market.settled_shares, market.paid) == (17_000_007, 17_000_007)
    event = the_event(outcome)
    assert (event["name"], event["amount"], event["refund"]) == ("PositionPaid", 17_000_007, True)

    assert house.refund(at, no.pubkey()).error is None
    assert (house.held(at, Side.YES), house.held(at, Side.NO)) == (0, 0)


def test_once(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.cancel(at)
    assert house.refund(at, yes.pubkey()).error is None
    assert house.refund(at, yes.pubkey()).error == Error.ALREADY_CLAIMED


def test_only_a_cancelled_market(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    assert house.refund(at, yes.pubkey()).error == Error.MARKET_STATE_INVALID
    house.resolve(at, Side.YES)
    assert house.refund(at, yes.pubkey()).error == Error.MARKET_STATE_INVALID


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
def test_no_pause_reaches_a_refund(house: House, scope: Scope) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.cancel(at)
    house.pause(scope)
    assert house.refund(at, yes.pubkey()).error is None


def test_not_after_the_sweep(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.cancel(at)
    house.move_clock(house.now + house.settings.sweep_delay)
    assert house.sweep(at).error is None
    assert house.refund(at, yes.pubkey()).error == Error.NOTHING_TO_CLAIM


def test_who_never_bet(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.cancel(at)
    assert house.refund(at, house.person().pubkey()).error == Error.NOT_INITIALIZED


def test_vaults_in_the_wrong_order(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.cancel(at)
    whole = markets.claim_refund(at, yes.pubkey(), house.purse(yes.pubkey()))
    accounts = list(whole.accounts)
    accounts[3], accounts[4] = accounts[4], accounts[3]
    outcome = house.send(Instruction(whole.program_id, whole.data, accounts))
    assert outcome.error == Error.CONSTRAINT_SEEDS


def test_a_vault_that_holds_too_little(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.cancel(at)
    house.rob(at, Side.YES, 1)
    assert house.refund(at, yes.pubkey()).error is not None
    assert house.position(at, yes.pubkey()).claimed == 0


def test_tokens_go_to_an_account_of_the_user(house: House) -> None:
    at, yes, no = with_bets(house, Kind.STABLE)
    house.cancel(at)
    elsewhere = markets.claim_refund(at, yes.pubkey(), house.purse(no.pubkey()))
    assert house.send(elsewhere).error == Error.ACCOUNT_MISMATCH
