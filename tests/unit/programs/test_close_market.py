"""close_market: the rents back, once nobody needs the market."""

from __future__ import annotations

from tests.unit.programs import markets
from tests.unit.programs.crypto_bet import Error
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.scenes import disputed, with_bets
from tests.unit.programs.svm import Outcome
from tests.unit.programs.tokens import ACCOUNT_LENGTH


def close(house: House, at: Addresses) -> Outcome:
    return house.send(markets.close_market(at))


def finished(house: House, kind: Kind) -> Addresses:
    """A market in which everybody was paid."""
    at, yes, no = with_bets(house, kind)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    for user in (yes, no):
        assert house.close_position(at, user.pubkey()).error is None
    return at


def test_the_rents_come_back(house: House, kind: Kind) -> None:
    at = finished(house, kind)
    assert close(house, at).error == Error.MONEY_STILL_OWED, "the fee is still there"
    assert house.sweep(at).error is None
    last = house.market(at).event_sequence
    before = house.chain.vm.get_balance(at.authority) or 0
    outcome = close(house, at)
    assert outcome.error is None
    vault = house.chain.rent(ACCOUNT_LENGTH if kind == Kind.STABLE else 0)
    rents = house.chain.rent(markets.MARKET_LENGTH) + 2 * vault
    assert house.chain.vm.get_balance(at.authority) == before + rents
    for address in (at.market, at.vault(Side.YES), at.vault(Side.NO)):
        assert house.chain.account(address) is None
    assert the_event(outcome) == {
        "name": "MarketClosed",
        "sequence": last + 1,
        "timestamp": house.now,
        "market": at.market,
        "authority": at.authority,
    }
    assert close(house, at).error == Error.NOT_INITIALIZED


def test_a_market_in_which_nobody_bet(house: House, kind: Kind) -> None:
    at = house.new(kind)
    assert close(house, at).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert close(house, at).error is None


def test_gifts_must_be_swept_first(house: House) -> None:
    at = house.new(Kind.STABLE)
    house.cancel(at)
    house.rob(at, Side.YES, -1)
    assert close(house, at).error is not None
    assert house.sweep(at).error is None
    assert close(house, at).error is None


def test_gifts_after_the_sweep_keep_nothing_open(house: House, kind: Kind) -> None:
    """A stranger sends units to a vault that was swept: a token account with them cannot close."""
    at = finished(house, kind)
    assert house.sweep(at).error is None
    before = house.money(kind, house.treasury)
    house.rob(at, Side.NO, -7)
    if kind == Kind.STABLE:
        assert close(house, at).error is not None
    outcome = house.sweep(at)
    assert outcome.error is None
    assert the_event(outcome)["amount"] == 7
    assert house.money(kind, house.treasury) == before + 7
    assert house.sweep(at).error == Error.ALREADY_CLAIMED
    assert close(house, at).error is None


def test_not_with_an_open_position(house: House) -> None:
    at, yes, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    assert house.sweep(at).error is None
    for user in (yes, no):
        assert close(house, at).error == Error.MONEY_STILL_OWED
        assert house.close_position(at, user.pubkey()).error is None
    assert close(house, at).error is None


def test_not_with_a_bond(house: House) -> None:
    at, disputer = disputed(house, Kind.DEGEN)
    house.cancel(at)
    house.move_clock(house.now + house.settings.sweep_delay)
    assert house.sweep(at).error is None
    position = house.market(at).open_positions
    assert position == 2
    house.forge(at.market, markets.MARKET_OFFSET["open_positions"], bytes(8))
    assert close(house, at).error == Error.MONEY_STILL_OWED
    house.must(markets.settle_bond(at, disputer.pubkey()))
    assert close(house, at).error is None


def test_the_rent_goes_to_the_authority_alone(house: House) -> None:
    at = house.new(authority=house.person())
    house.cancel(at)
    whole = markets.close_market(at)
    accounts = [markets.writable(house.person().pubkey()), *whole.accounts[1:]]
    wrong = type(whole)(whole.program_id, whole.data, accounts)
    assert house.send(wrong).error == Error.ACCOUNT_MISMATCH
