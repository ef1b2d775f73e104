"""dispute_market: who has a position, or runs the platform, within the window."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope, update_config
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Side, State
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import Outcome

BOND = 3_000_000


def proposed(house: House, bond: int = BOND) -> tuple[Addresses, Keypair]:
    """A market with a proposed result, and who lost by it."""
    house.must(update_config(house.program, house.settings, bond), house.authority)
    at, _, no = with_bets(house, markets.Kind.DEGEN)
    house.propose(at, Side.YES)
    return at, no


def dispute(house: House, at: Addresses, actor: Keypair) -> Outcome:
    return house.send(markets.dispute_market(at, actor.pubkey()), actor)


def test_a_bettor_deposits_the_bond(house: House) -> None:
    at, bettor = proposed(house)
    before = house.chain.vm.get_balance(bettor.pubkey())
    outcome = dispute(house, at, bettor)
    assert outcome.error is None
    market = house.market(at)
    assert (market.state, market.state_since) == (State.DISPUTED, house.now)
    assert (market.disputer, market.dispute_bond) == (bettor.pubkey(), BOND)
    assert before is not None
    assert house.chain.vm.get_balance(bettor.pubkey()) == before - BOND
    rent = house.chain.rent(markets.MARKET_LENGTH)
    assert house.chain.vm.get_balance(at.market) == rent + BOND
    event = the_event(outcome)
    assert (event["actor"], event["new_state"]) == (bettor.pubkey(), "Disputed")


def test_without_a_bond_it_is_free(house: House) -> None:
    at, bettor = proposed(house, bond=0)
    before = house.chain.vm.get_balance(bettor.pubkey())
    assert dispute(house, at, bettor).error is None
    assert house.chain.vm.get_balance(bettor.pubkey()) == before


@pytest.mark.parametrize("role", ["authority", "guardian"])
def test_operators_pay_none_and_need_no_position(house: House, role: str) -> None:
    at, _ = proposed(house)
    assert dispute(house, at, getattr(house, role)).error is None
    assert house.market(at).dispute_bond == 0


def test_who_has_no_position_may_not(house: House) -> None:
    at, _ = proposed(house)
    for actor in (house.person(), house.resolver):
        assert dispute(house, at, actor).error == Error.NOT_INITIALIZED


def test_a_position_in_another_market_is_none(house: House) -> None:
    at, bettor = proposed(house)
    other = house.new()
    stranger = house.person()
    house.move_clock(house.market(other).created_at)
    house.bet(other, stranger, Side.YES)
    whole = markets.dispute_market(at, stranger.pubkey())
    for position in (other.position(stranger.pubkey()), at.position(bettor.pubkey())):
        accounts = [*whole.accounts[:3], markets.readonly(position), *whole.accounts[4:]]
        broken = type(whole)(whole.program_id, whole.data, accounts)
        assert house.send(broken, stranger).error == Error.CONSTRAINT_SEEDS


def test_within_the_window(house: House) -> None:
    at, bettor = proposed(house)
    end = house.market(at).state_since + house.settings.dispute_window
    house.move_clock(end)
    assert dispute(house, at, bettor).error == Error.TOO_LATE
    house.move_clock(end - 1)
    assert dispute(house, at, bettor).error is None


def test_only_a_proposed_result(house: House) -> None:
    at, yes, no = with_bets(house, markets.Kind.DEGEN)
    assert dispute(house, at, yes).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.YES)
    assert dispute(house, at, yes).error is None
    assert dispute(house, at, no).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert dispute(house, at, no).error == Error.MARKET_ALREADY_RESOLVED


@pytest.mark.parametrize("scope", Scope)
def test_in_every_pause_scope(house: House, scope: Scope) -> None:
    """The window does not wait for the platform."""
    at, bettor = proposed(house)
    if scope != Scope.NONE:
        house.pause(scope)
    assert dispute(house, at, bettor).error is None


def test_who_cannot_pay_the_bond(house: House) -> None:
    at, bettor = proposed(house, bond=10**13)
    assert dispute(house, at, bettor).error is not None
    assert house.market(at).state == State.PROPOSED
