"""withdraw_fees: the fee of one market, once, to the treasury."""

from __future__ import annotations

from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope, update_config
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets

FEE = 40_000_001 * 250 // 10_000


def test_the_fee_goes_to_the_treasury(house: House, kind: Kind) -> None:
    at, _, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    before = house.money(kind, house.treasury)
    outcome = house.withdraw_fees(at, Side.NO)
    assert outcome.error is None
    assert house.money(kind, house.treasury) == before + FEE
    assert house.held(at, Side.NO) == 0
    config = house.config
    asset = config.usdc if kind == Kind.STABLE else config.sol
    assert (asset.fees_accrued, asset.fees_withdrawn) == (FEE, FEE)
    assert house.market(at).fee_withdrawn == 1
    event = the_event(outcome)
    assert (event["treasury"], event["amount"]) == (house.treasury, FEE)


def test_once(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.withdraw_fees(at, Side.NO).error is None
    assert house.withdraw_fees(at, Side.NO).error == Error.ALREADY_CLAIMED


def test_only_a_resolved_market(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    assert house.withdraw_fees(at, Side.NO).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert house.withdraw_fees(at, Side.NO).error == Error.MARKET_STATE_INVALID


def test_without_a_fee(house: House) -> None:
    settings = house.settings.but(fee_bps=0)
    house.must(update_config(house.program, settings), house.authority)
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.withdraw_fees(at, Side.NO).error == Error.NOTHING_TO_CLAIM


def test_nowhere_else(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.STABLE)
    house.resolve(at, Side.YES)
    to_another = markets.withdraw_fees(at, yes.pubkey(), Side.NO, house.purse(yes.pubkey()))
    assert house.send(to_another).error == Error.ACCOUNT_MISMATCH
    token = house.purse(yes.pubkey())
    to_his_account = markets.withdraw_fees(at, house.treasury, Side.NO, token)
    assert house.send(to_his_account).error == Error.ACCOUNT_MISMATCH


def test_a_new_treasury_gets_old_fees(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    successor = house.person().pubkey()
    settings = house.settings.but(treasury=successor)
    house.must(update_config(house.program, settings), house.authority)
    assert house.withdraw_fees(at, Side.NO).error == Error.ACCOUNT_MISMATCH
    house.must(markets.withdraw_fees(at, successor, Side.NO))


def test_the_winners_vault_is_not_touched(house: House, kind: Kind) -> None:
    at, _, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    assert house.withdraw_fees(at, Side.YES).error == Error.CONSTRAINT_SEEDS


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert house.withdraw_fees(at, Side.NO).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert house.withdraw_fees(at, Side.NO).error is None
