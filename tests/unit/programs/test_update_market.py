"""update_market: the terms may change while nobody has bet."""

from __future__ import annotations

import pytest
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error, Scope, emergency_pause
from tests.unit.programs.events import the_event
from tests.unit.programs.house import HOUR, House
from tests.unit.programs.markets import Side
from tests.unit.programs.svm import transfer

SECOND = 1 << 24
"""what a change adds to the number of the terms; the lower bits say which market it is"""


def test_the_terms_are_replaced(house: House) -> None:
    at = house.new()
    before = house.market(at)
    terms = house.terms().but(
        title="x", description="", betting_ends_at=house.now + HOUR, category="y" * 32
    )
    outcome = house.must(markets.update_market(at, terms))
    after = house.market(at)
    assert (after.title, after.description, after.category) == ("x", "", "y" * 32)
    assert after.betting_ends_at == house.now + HOUR
    assert (before.terms_version, after.terms_version) == (1, 1 + SECOND)
    assert (after.created_at, after.fee_bps) == (before.created_at, before.fee_bps)
    event = the_event(outcome)
    assert (event["name"], event["sequence"], event["terms_version"]) == (
        "MarketUpdated",
        2,
        1 + SECOND,
    )


def test_a_bet_for_the_terms_before_is_refused(house: House) -> None:
    at, user = house.new(), house.person()
    for_old_terms = markets.place_bet(at, user.pubkey(), Side.YES, 5_000_000, terms_version=1)
    house.must(markets.update_market(at, house.terms()))
    assert house.send(for_old_terms, user).error == Error.TERMS_CHANGED
    bet = markets.place_bet(at, user.pubkey(), Side.YES, 5_000_000, terms_version=1 + SECOND)
    house.must(bet, user)


def test_as_often_as_their_number_can_tell(house: House) -> None:
    at = house.new()
    house.forge(at.market, markets.MARKET_OFFSET["terms_version"], bytes([1, 0, 0, 254]))
    house.must(markets.update_market(at, house.terms()))
    assert house.market(at).terms_version == 1 + 255 * SECOND
    assert house.send(markets.update_market(at, house.terms())).error == Error.NUMBER_OVERFLOW


def test_not_after_the_first_bet(house: House) -> None:
    at = house.new()
    house.bet(at, house.person(), Side.NO)
    assert house.send(markets.update_market(at, house.terms())).error == Error.TERMS_FIXED


def test_not_after_a_proposal_or_the_end(house: House) -> None:
    at = house.new()
    house.propose(at, Side.YES)
    assert house.send(markets.update_market(at, house.terms())).error == Error.TERMS_FIXED
    house.cancel(at)
    outcome = house.send(markets.update_market(at, house.terms()))
    assert outcome.error == Error.MARKET_ALREADY_RESOLVED


def test_others_may_not(house: House) -> None:
    at = house.new(authority=house.person())
    for actor in (house.authority, house.resolver, house.person()):
        instruction = markets.update_market(at, house.terms())
        accounts = [markets.signer(actor.pubkey()), *instruction.accounts[1:]]
        by_another = type(instruction)(instruction.program_id, instruction.data, accounts)
        assert house.send(by_another, actor).error == Error.UNAUTHORIZED


@pytest.mark.parametrize(
    "changes",
    [{"title": ""}, {"betting_ends_at": 0}, {"resolution_time": 100}, {"category": "x" * 33}],
    ids=str,
)
def test_the_bounds_are_those_of_creation(house: House, changes: dict[str, object]) -> None:
    at = house.new()
    outcome = house.send(markets.update_market(at, house.terms().but(**changes)))
    assert outcome.error == Error.INVALID_PARAMETERS


def test_only_a_pause_of_everything_stops_it(house: House) -> None:
    at, authority = house.new(), house.authority
    for scope, error in ((Scope.NEW_BETS, None), (Scope.ALL_BUT_CLAIMS, Error.PLATFORM_PAUSED)):
        house.must(emergency_pause(house.program, authority.pubkey(), scope), authority)
        assert house.send(markets.update_market(at, house.terms())).error == error


def test_money_sent_to_the_vault_is_no_bet(house: House) -> None:
    at, stranger = house.new(), house.person()
    house.must(transfer(stranger.pubkey(), at.vault(Side.YES), 10**9), stranger)
    house.must(markets.update_market(at, house.terms()))
