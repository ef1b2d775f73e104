"""resolve_market: the resolver proposes, in its time."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope, update_config
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Result, Side, State
from tests.unit.programs.svm import Outcome


def resolve(house: House, at: Addresses, side: Side = Side.YES) -> Outcome:
    return house.send(markets.resolve_market(at, house.resolver.pubkey(), side), house.resolver)


@pytest.mark.parametrize("side", Side)
def test_a_result_is_proposed(house: House, side: Side) -> None:
    at = house.new()
    house.move_clock(house.market(at).resolution_time)
    outcome = resolve(house, at, side)
    market = house.market(at)
    assert (market.state, market.proposed) == (State.PROPOSED, side + 1)
    assert market.result == Result.UNDECIDED
    assert market.resolver == house.resolver.pubkey()
    assert market.state_since == house.now
    assert the_event(outcome) == {
        "name": "MarketStateChanged",
        "sequence": 2,
        "timestamp": house.now,
        "market": at.market,
        "actor": house.resolver.pubkey(),
        "old_state": "Active",
        "new_state": "Proposed",
        "proposed": side.name.capitalize(),
        "result": "Undecided",
        "fee": 0,
        "payout_pool": 0,
    }


def test_its_time(house: House) -> None:
    at = house.new()
    start = house.market(at).resolution_time
    end = start + house.settings.resolution_window
    for moment, error in (
        (start - 1, Error.TOO_EARLY),
        (end, Error.TOO_LATE),
        (end - 1, None),
    ):
        house.move_clock(moment)
        assert resolve(house, at).error == error


def test_a_paused_market_is_resolved_too(house: House) -> None:
    at = house.new()
    house.must(markets.pause_market(at, house.guardian.pubkey()), house.guardian)
    house.propose(at, Side.NO)
    assert house.market(at).state == State.PROPOSED


def test_once(house: House) -> None:
    at = house.new()
    house.propose(at, Side.YES)
    assert resolve(house, at, Side.NO).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert resolve(house, at, Side.NO).error == Error.MARKET_ALREADY_RESOLVED


def test_others_may_not(house: House) -> None:
    at = house.new()
    house.move_clock(house.market(at).resolution_time)
    for actor in (house.authority, house.guardian, house.anybody, house.person()):
        instruction = markets.resolve_market(at, actor.pubkey(), Side.YES)
        assert house.send(instruction, actor).error == Error.UNAUTHORIZED


def test_a_replaced_resolver_may_not_decide_old_markets(house: House) -> None:
    at, successor = house.new(), house.person()
    settings = house.settings.but(resolver=successor.pubkey())
    house.must(update_config(house.program, settings), house.authority)
    house.move_clock(house.market(at).resolution_time)
    assert resolve(house, at).error == Error.UNAUTHORIZED
    house.must(markets.resolve_market(at, successor.pubkey(), Side.YES), successor)


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at = house.new()
    house.move_clock(house.market(at).resolution_time)
    house.pause(Scope.ALL_BUT_CLAIMS)
    assert resolve(house, at).error == Error.PLATFORM_PAUSED
    house.pause(Scope.NEW_BETS)
    assert resolve(house, at).error is None


def test_arguments(house: House) -> None:
    at = house.new()
    whole = markets.resolve_market(at, house.resolver.pubkey(), Side.YES)
    data = bytes(whole.data)
    for broken in (data[:8], data[:8] + b"\2", data + b"\0"):
        instruction = Instruction(whole.program_id, broken, whole.accounts)
        assert house.send(instruction, house.resolver).error == Error.DID_NOT_DESERIALIZE
