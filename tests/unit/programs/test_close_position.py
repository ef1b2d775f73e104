"""close_position: the rent back, once nothing is left to claim."""

from __future__ import annotations

from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import transfer


def test_the_rent_comes_back(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    before = house.chain.vm.get_balance(yes.pubkey()) or 0
    outcome = house.close_position(at, yes.pubkey())
    assert outcome.error is None
    rent = house.chain.rent(markets.POSITION_LENGTH)
    assert house.chain.vm.get_balance(yes.pubkey()) == before + rent
    assert house.chain.account(at.position(yes.pubkey())) is None
    market = house.market(at)
    assert (market.participants, market.open_positions) == (2, 1)
    event = the_event(outcome)
    assert (event["name"], event["user"]) == ("PositionClosed", yes.pubkey())
    assert house.close_position(at, yes.pubkey()).error == Error.NOT_INITIALIZED


def test_a_loser_has_nothing_to_claim(house: House) -> None:
    at, _, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.close_position(at, no.pubkey()).error is None


def test_not_before_the_end(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    assert house.close_position(at, yes.pubkey()).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.NO)
    assert house.close_position(at, yes.pubkey()).error == Error.MARKET_STATE_INVALID


def test_not_with_something_to_claim(house: House) -> None:
    at, yes, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.close_position(at, yes.pubkey()).error == Error.MONEY_STILL_OWED
    at, yes, no = with_bets(house, Kind.DEGEN)
    house.cancel(at)
    for user in (yes, no):
        assert house.close_position(at, user.pubkey()).error == Error.MONEY_STILL_OWED


def test_after_the_sweep(house: House) -> None:
    at, yes, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    assert house.sweep(at).error is None
    for user in (yes, no):
        assert house.close_position(at, user.pubkey()).error is None
    assert house.market(at).open_positions == 0


def test_lamports_sent_to_it_go_to_the_user(house: House) -> None:
    at, _, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.must(transfer(house.anybody.pubkey(), at.position(no.pubkey()), 999))
    before = house.chain.vm.get_balance(no.pubkey()) or 0
    assert house.close_position(at, no.pubkey()).error is None
    rent = house.chain.rent(markets.POSITION_LENGTH)
    assert house.chain.vm.get_balance(no.pubkey()) == before + rent + 999
