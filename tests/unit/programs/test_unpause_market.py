"""unpause_market: the market takes bets again."""

from __future__ import annotations

from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Side, State


def paused(house: House) -> Addresses:
    at = house.new()
    house.must(markets.pause_market(at, house.guardian.pubkey()), house.guardian)
    return at


def test_bets_are_taken_again(house: House) -> None:
    at = paused(house)
    instruction = markets.pause_market(at, house.authority.pubkey(), undo=True)
    event = the_event(house.must(instruction, house.authority))
    assert (event["old_state"], event["new_state"]) == ("Paused", "Active")
    assert house.market(at).state == State.ACTIVE
    house.bet(at, house.person(), Side.YES)


def test_repeating_is_no_change(house: House) -> None:
    at = house.new()
    instruction = markets.pause_market(at, house.authority.pubkey(), undo=True)
    assert house.must(instruction, house.authority).events == []


def test_not_even_the_guardian(house: House) -> None:
    at = paused(house)
    for actor in (house.guardian, house.resolver, house.anybody):
        instruction = markets.pause_market(at, actor.pubkey(), undo=True)
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED


def test_a_proposed_result_stays(house: House) -> None:
    at = house.new()
    house.propose(at, Side.YES)
    instruction = markets.pause_market(at, house.authority.pubkey(), undo=True)
    assert house.send(instruction, house.authority).error == Error.MARKET_STATE_INVALID
