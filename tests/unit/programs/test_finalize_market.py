"""finalize_market: by anybody, once nobody disputed the result."""

from __future__ import annotations

import pytest
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Result, Side, State
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import Outcome


def finalize(house: House, at: Addresses) -> Outcome:
    return house.send(markets.finalize_market(at, house.anybody.pubkey()))


@pytest.mark.parametrize("side", Side)
def test_the_money_is_divided(house: House, kind: Kind, side: Side) -> None:
    at, _, _ = with_bets(house, kind)
    house.propose(at, side)
    outcome = house.finalize(at)
    market = house.market(at)
    total = 10_000_000 + 30_000_001
    fee = total * 250 // 10_000
    assert (market.state, market.result) == (State.RESOLVED, side + 1)
    assert (market.fee, market.payout_pool) == (fee, total - fee)
    assert market.state_since == house.now
    assert house.held(at, side) == total - fee
    assert house.held(at, Side(1 - side)) == fee
    event = the_event(outcome)
    assert (event["new_state"], event["fee"], event["payout_pool"]) == (
        "Resolved",
        fee,
        total - fee,
    )
    config = house.config
    asset = config.usdc if kind == Kind.STABLE else config.sol
    assert (asset.volume, asset.fees_accrued, asset.fees_withdrawn) == (total, fee, 0)


def test_no_winner_gets_less_than_what_he_paid(house: House, kind: Kind) -> None:
    """The fee is at most what the losing side has."""
    at, many, few = house.new(kind), house.person(), house.person()
    house.bet(at, many, Side.YES, 900_000_007)
    house.bet(at, few, Side.NO, 1_000_000)
    house.resolve(at, Side.YES)
    market = house.market(at)
    assert (market.fee, market.payout_pool) == (1_000_000, 900_000_007)
    before = house.money(kind, many.pubkey())
    assert house.claim(at, many.pubkey(), Side.YES).error is None
    assert house.money(kind, many.pubkey()) == before + 900_000_007


@pytest.mark.parametrize("side", Side)
def test_one_sided_markets_are_refunded(house: House, kind: Kind, side: Side) -> None:
    at, user = house.new(kind), house.person()
    house.bet(at, user, Side.YES, 77_000_001)
    house.propose(at, side)
    house.finalize(at)
    market = house.market(at)
    assert (market.state, market.result, market.fee) == (State.CANCELLED, Result.UNDECIDED, 0)
    before = house.money(kind, user.pubkey())
    assert house.refund(at, user.pubkey()).error is None
    assert house.money(kind, user.pubkey()) == before + 77_000_001


def test_a_market_without_bets(house: House) -> None:
    at = house.new()
    house.resolve(at, Side.YES)
    assert house.market(at).state == State.CANCELLED


def test_after_the_window(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.propose(at, Side.YES)
    end = house.market(at).state_since + house.settings.dispute_window
    house.move_clock(end - 1)
    assert finalize(house, at).error == Error.TOO_EARLY
    house.move_clock(end)
    assert finalize(house, at).error is None
    assert finalize(house, at).error == Error.MARKET_ALREADY_RESOLVED


def test_only_an_undisputed_proposal(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    assert finalize(house, at).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.YES)
    house.must(markets.dispute_market(at, yes.pubkey()), yes)
    house.move_clock(house.now + house.settings.dispute_window)
    assert finalize(house, at).error == Error.MARKET_STATE_INVALID


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.propose(at, Side.YES)
    house.move_clock(house.now + house.settings.dispute_window)
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert finalize(house, at).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert finalize(house, at).error is None


def test_a_vault_that_holds_less_than_it_owes(house: House, kind: Kind) -> None:
    """Impossible, and if it happened it must be seen before anybody is paid."""
    at, _, _ = with_bets(house, kind)
    house.propose(at, Side.YES)
    house.rob(at, Side.YES, 1)
    house.move_clock(house.now + house.settings.dispute_window)
    assert finalize(house, at).error == Error.INSOLVENT


def test_a_gift_to_a_vault_changes_nothing(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    for side in Side:
        house.rob(at, side, -12_345)
    house.resolve(at, Side.YES)
    market = house.market(at)
    assert market.fee + market.payout_pool == 40_000_001
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.held(at, Side.YES) == 12_345
