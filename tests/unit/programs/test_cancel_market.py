"""cancel_market: by whom and when."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Result, Side, State
from tests.unit.programs.scenes import disputed, with_bets
from tests.unit.programs.svm import Outcome


def cancel(house: House, at: Addresses, actor: Keypair) -> Outcome:
    return house.send(markets.cancel_market(at, actor.pubkey()), actor)


def test_everything_is_to_be_paid_back(house: House, kind: Kind) -> None:
    at, _, _ = with_bets(house, kind)
    outcome = cancel(house, at, house.authority)
    market = house.market(at)
    assert (market.state, market.result) == (State.CANCELLED, Result.UNDECIDED)
    assert (market.fee, market.payout_pool) == (0, 40_000_001)
    assert (house.held(at, Side.YES), house.held(at, Side.NO)) == (10_000_000, 30_000_001)
    event = the_event(outcome)
    assert (event["old_state"], event["new_state"]) == ("Active", "Cancelled")
    config = house.config
    asset = config.usdc if kind == Kind.STABLE else config.sol
    assert (asset.volume, asset.fees_accrued) == (40_000_001, 0)


def test_the_platforms_authority_in_every_open_state(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.must(markets.pause_market(at, house.guardian.pubkey()), house.guardian)
    assert cancel(house, at, house.authority).error is None
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.propose(at, Side.YES)
    assert cancel(house, at, house.authority).error is None
    at, _ = disputed(house, Kind.DEGEN)
    assert cancel(house, at, house.authority).error is None
    assert cancel(house, at, house.authority).error == Error.MARKET_ALREADY_RESOLVED


def test_not_when_it_is_resolved(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert cancel(house, at, house.authority).error == Error.MARKET_ALREADY_RESOLVED


def test_the_markets_authority_while_nobody_has_bet(house: House) -> None:
    owner = house.person()
    at = house.new(authority=owner)
    assert cancel(house, at, owner).error is None
    at = house.new(authority=owner)
    house.bet(at, owner, Side.YES)
    assert cancel(house, at, owner).error == Error.UNAUTHORIZED


def test_others_may_not_in_time(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    deadline = house.market(at).resolution_time + house.settings.resolution_window
    house.move_clock(deadline - 1)
    for actor in (yes, house.resolver, house.guardian, house.anybody):
        assert cancel(house, at, actor).error == Error.UNAUTHORIZED


@pytest.mark.parametrize("paused", [False, True])
def test_anybody_once_the_result_is_overdue(house: House, paused: bool) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    if paused:
        house.must(markets.pause_market(at, house.guardian.pubkey()), house.guardian)
    house.move_clock(house.market(at).resolution_time + house.settings.resolution_window)
    assert cancel(house, at, house.person()).error is None


def test_anybody_once_a_ruling_is_overdue(house: House) -> None:
    at, _ = disputed(house, Kind.DEGEN)
    deadline = house.market(at).state_since + house.settings.resolution_window
    house.move_clock(deadline - 1)
    assert cancel(house, at, house.anybody).error == Error.UNAUTHORIZED
    house.move_clock(deadline)
    assert cancel(house, at, house.anybody).error is None


def test_nobody_else_while_a_result_waits_to_be_final(house: House) -> None:
    """Whoever lost could cancel it before somebody made it final."""
    at, _, no = with_bets(house, Kind.DEGEN)
    house.propose(at, Side.YES)
    house.move_clock(house.now + 10 * house.settings.resolution_window)
    assert cancel(house, at, no).error == Error.UNAUTHORIZED
    house.finalize(at)


def test_anybody_once_a_pause_keeps_a_result_from_becoming_final(house: House) -> None:
    """A guardian's key alone must not lock money."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.propose(at, Side.YES)
    house.pause(Scope.ALL_BUT_CLAIMS)
    final = house.market(at).state_since + house.settings.dispute_window
    deadline = final + house.settings.resolution_window
    house.move_clock(deadline - 1)
    assert cancel(house, at, house.anybody).error == Error.UNAUTHORIZED
    house.move_clock(deadline)
    finalize = markets.finalize_market(at, house.anybody.pubkey())
    assert house.send(finalize).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert cancel(house, at, house.anybody).error == Error.UNAUTHORIZED, "it can become final"
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert cancel(house, at, house.anybody).error is None
    assert house.refund(at, yes.pubkey()).error is None


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
def test_in_every_pause_scope(house: House, scope: Scope) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.pause(scope)
    house.move_clock(house.market(at).resolution_time + house.settings.resolution_window)
    assert cancel(house, at, house.anybody).error is None
    assert house.refund(at, yes.pubkey()).error is None
