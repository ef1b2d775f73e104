"""sweep_market: remains of rounding at once, unclaimed money after a long time."""

from __future__ import annotations

from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets


def test_what_nobody_claimed(house: House, kind: Kind) -> None:
    at, _, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    end = house.market(at).state_since + house.settings.sweep_delay
    house.move_clock(end - 1)
    assert house.sweep(at).error == Error.TOO_EARLY
    house.move_clock(end)
    before = house.money(kind, house.treasury)
    outcome = house.sweep(at)
    assert outcome.error is None
    assert house.money(kind, house.treasury) == before + 40_000_001
    assert (house.held(at, Side.YES), house.held(at, Side.NO)) == (0, 0)
    market, config = house.market(at), house.config
    assert (market.swept, market.fee_withdrawn) == (1, 1)
    asset = config.usdc if kind == Kind.STABLE else config.sol
    assert asset.fees_withdrawn == asset.fees_accrued == market.fee
    event = the_event(outcome)
    assert (event["treasury"], event["amount"]) == (house.treasury, 40_000_001)
    assert house.sweep(at).error == Error.ALREADY_CLAIMED


def test_at_once_when_everybody_was_paid(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    second = house.person()
    house.bet(at, second, Side.YES, 3_333_333)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.sweep(at).error == Error.TOO_EARLY
    assert house.claim(at, second.pubkey(), Side.YES).error is None
    assert house.withdraw_fees(at, Side.NO).error is None
    dust = house.held(at, Side.YES)
    assert 0 <= dust < 2
    before = house.money(kind, house.treasury)
    assert house.sweep(at).error is None
    assert house.money(kind, house.treasury) == before + dust


def test_gifts_are_swept(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    house.rob(at, Side.YES, -5_000)
    house.rob(at, Side.NO, -300)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.withdraw_fees(at, Side.NO).error is None
    before = house.money(kind, house.treasury)
    assert house.sweep(at).error is None
    assert house.money(kind, house.treasury) == before + 5_300


def test_refunds_nobody_asked_for(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.cancel(at)
    assert house.refund(at, yes.pubkey()).error is None
    assert house.sweep(at).error == Error.TOO_EARLY
    house.move_clock(house.now + house.settings.sweep_delay)
    before = house.money(kind, house.treasury)
    assert house.sweep(at).error is None
    assert house.money(kind, house.treasury) == before + 30_000_001


def test_not_before_the_end(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    assert house.sweep(at).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.YES)
    assert house.sweep(at).error == Error.MARKET_STATE_INVALID


def test_only_the_authority_and_only_to_the_treasury(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    for actor in (house.guardian, house.resolver, house.person()):
        instruction = markets.sweep_market(at, actor.pubkey(), house.treasury)
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED
    thief = house.person().pubkey()
    instruction = markets.sweep_market(at, house.authority.pubkey(), thief)
    assert house.send(instruction, house.authority).error == Error.ACCOUNT_MISMATCH


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert house.sweep(at).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert house.sweep(at).error is None
