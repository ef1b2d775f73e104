"""rule_dispute: the platform's authority decides, and that is final."""

from __future__ import annotations

import pytest
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope, update_config
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Result, Side, State
from tests.unit.programs.scenes import disputed


@pytest.mark.parametrize("side", Side)
def test_the_ruling_is_final(house: House, kind: Kind, side: Side) -> None:
    at, _ = disputed(house, kind)
    instruction = markets.rule_dispute(at, house.authority.pubkey(), side)
    outcome = house.must(instruction, house.authority)
    market = house.market(at)
    assert (market.state, market.result) == (State.RESOLVED, side + 1)
    assert market.proposed == Result.YES, "what had been proposed remains to be seen"
    event = the_event(outcome)
    assert (event["old_state"], event["new_state"]) == ("Disputed", "Resolved")
    again = markets.rule_dispute(at, house.authority.pubkey(), Side(1 - side))
    assert house.send(again, house.authority).error == Error.MARKET_ALREADY_RESOLVED


def test_others_may_not(house: House) -> None:
    at, _ = disputed(house, Kind.DEGEN)
    for actor in (house.resolver, house.guardian, house.anybody, house.person()):
        instruction = markets.rule_dispute(at, actor.pubkey(), Side.NO)
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED


def test_only_a_dispute(house: House) -> None:
    at = house.new()
    instruction = markets.rule_dispute(at, house.authority.pubkey(), Side.NO)
    assert house.send(instruction, house.authority).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.YES)
    assert house.send(instruction, house.authority).error == Error.MARKET_STATE_INVALID


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at, _ = disputed(house, Kind.DEGEN)
    instruction = markets.rule_dispute(at, house.authority.pubkey(), Side.NO)
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert house.send(instruction, house.authority).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert house.send(instruction, house.authority).error is None


@pytest.mark.parametrize("side", Side)
def test_a_side_without_bets_means_refunds(house: House, kind: Kind, side: Side) -> None:
    house.must(update_config(house.program, house.settings, 0), house.authority)
    at, user = house.new(kind), house.person()
    house.bet(at, user, Side.YES)
    house.propose(at, Side.YES)
    house.must(markets.dispute_market(at, user.pubkey()), user)
    house.must(markets.rule_dispute(at, house.authority.pubkey(), side), house.authority)
    market = house.market(at)
    assert (market.state, market.result, market.fee) == (State.CANCELLED, Result.UNDECIDED, 0)
