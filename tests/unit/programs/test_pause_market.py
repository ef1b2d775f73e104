"""pause_market: one market takes no bets for now."""

from __future__ import annotations

import pytest
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Side, State


@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_pauses_and_says_so(house: House, role: str) -> None:
    at, actor = house.new(), getattr(house, role)
    outcome = house.must(markets.pause_market(at, actor.pubkey()), actor)
    assert house.market(at).state == State.PAUSED
    event = the_event(outcome)
    assert (event["actor"], event["new_state"]) == (actor.pubkey(), "Paused")
    other = house.new()
    house.bet(other, house.person(), Side.YES)


def test_repeating_is_no_change(house: House) -> None:
    at = house.new()
    instruction = markets.pause_market(at, house.guardian.pubkey())
    house.must(instruction, house.guardian)
    before = house.market(at)
    outcome = house.must(instruction, house.guardian)
    assert outcome.events == []
    assert house.market(at) == before


def test_others_may_not(house: House) -> None:
    at = house.new()
    for actor in (house.resolver, house.anybody, house.person()):
        instruction = markets.pause_market(at, actor.pubkey())
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED


def test_not_once_a_result_is_proposed(house: House) -> None:
    at = house.new()
    house.propose(at, Side.YES)
    instruction = markets.pause_market(at, house.guardian.pubkey())
    assert house.send(instruction, house.guardian).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert house.send(instruction, house.guardian).error == Error.MARKET_ALREADY_RESOLVED
