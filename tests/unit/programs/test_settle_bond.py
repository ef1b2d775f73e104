"""settle_bond: back to a disputer who was right, else to the treasury."""

from __future__ import annotations

from solders.pubkey import Pubkey
from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.scenes import disputed, with_bets
from tests.unit.programs.svm import transfer

BOND = 3_000_000


def rule(house: House, at: Addresses, side: Side) -> None:
    house.must(markets.rule_dispute(at, house.authority.pubkey(), side), house.authority)


def settled(house: House, at: Addresses, receiver: Pubkey) -> int:
    """What the receiver got."""
    before = house.chain.vm.get_balance(receiver) or 0
    event = the_event(house.must(markets.settle_bond(at, receiver)))
    assert (event["name"], event["receiver"], event["amount"]) == ("BondSettled", receiver, BOND)
    assert house.market(at).dispute_bond == 0
    rent = house.chain.rent(markets.MARKET_LENGTH)
    assert house.chain.vm.get_balance(at.market) == rent
    return (house.chain.vm.get_balance(receiver) or 0) - before


def test_a_right_dispute(house: House, kind: Kind) -> None:
    at, disputer = disputed(house, kind)
    rule(house, at, Side.NO)
    assert house.send(markets.settle_bond(at, house.treasury)).error == Error.ACCOUNT_MISMATCH
    assert settled(house, at, disputer.pubkey()) == BOND


def test_a_wrong_dispute(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    rule(house, at, Side.YES)
    refused = house.send(markets.settle_bond(at, disputer.pubkey()))
    assert refused.error == Error.ACCOUNT_MISMATCH
    assert settled(house, at, house.treasury) == BOND


def test_a_cancelled_market(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    house.cancel(at)
    assert settled(house, at, disputer.pubkey()) == BOND


def test_once(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    house.cancel(at)
    settled(house, at, disputer.pubkey())
    again = house.send(markets.settle_bond(at, disputer.pubkey()))
    assert again.error == Error.NOTHING_TO_CLAIM


def test_not_before_the_ruling(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    outcome = house.send(markets.settle_bond(at, disputer.pubkey()))
    assert outcome.error == Error.MARKET_STATE_INVALID


def test_without_a_bond(house: House) -> None:
    at, _, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    outcome = house.send(markets.settle_bond(at, house.treasury))
    assert outcome.error == Error.NOTHING_TO_CLAIM


def test_lamports_sent_to_the_market_are_no_bond(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    house.must(transfer(house.anybody.pubkey(), at.market, 777))
    house.cancel(at)
    before = house.chain.vm.get_balance(disputer.pubkey()) or 0
    house.must(markets.settle_bond(at, disputer.pubkey()))
    assert (house.chain.vm.get_balance(disputer.pubkey()) or 0) - before == BOND
