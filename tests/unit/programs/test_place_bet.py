"""place_bet: a share for each base unit, until betting ends."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.unit.programs import markets, tokens
from tests.unit.programs.crypto_bet import Error, Scope, emergency_pause
from tests.unit.programs.events import the_event
from tests.unit.programs.house import BET, House
from tests.unit.programs.markets import Addresses, Kind, Side
from tests.unit.programs.svm import Outcome, transfer

DOCUMENTED = {Kind.DEGEN: (1_000_000, 1_000_000_000_000), Kind.STABLE: (100_000, 100_000_000_000)}


def bet(
    house: House, at: Addresses, user: Keypair, side: Side, amount: int, **guard: int
) -> Outcome:
    token = house.purse(user.pubkey())
    return house.send(
        markets.place_bet(at, user.pubkey(), side, amount, token=token, **guard), user
    )


def test_the_first_bet_opens_a_position(house: House, kind: Kind) -> None:
    at, user = house.new(kind), house.person()
    before = house.money(kind, user.pubkey())
    outcome = bet(house, at, user, Side.NO, BET)
    assert outcome.error is None
    position = house.position(at, user.pubkey())
    assert (position.version, position.user, position.market) == (1, user.pubkey(), at.market)
    assert (position.yes_shares, position.no_shares, position.claimed) == (0, BET, 0)
    market = house.market(at)
    assert (market.yes_pool, market.no_pool) == (0, BET)
    assert (market.participants, market.open_positions) == (1, 1)
    assert (house.held(at, Side.YES), house.held(at, Side.NO)) == (0, BET)
    rent = house.chain.rent(markets.POSITION_LENGTH) if kind == Kind.DEGEN else 0
    assert house.money(kind, user.pubkey()) == before - BET - rent
    assert the_event(outcome) == {
        "name": "BetPlaced",
        "sequence": 2,
        "timestamp": house.now,
        "market": at.market,
        "user": user.pubkey(),
        "side": "No",
        "amount": BET,
        "yes_pool": 0,
        "no_pool": BET,
    }


def test_bets_add_up_on_both_sides(house: House, kind: Kind) -> None:
    at, user, other = house.new(kind), house.person(), house.person()
    for side, amount in ((Side.NO, BET), (Side.YES, BET + 1), (Side.NO, BET + 2)):
        assert bet(house, at, user, side, amount).error is None
    assert bet(house, at, other, Side.YES, BET).error is None
    position, market = house.position(at, user.pubkey()), house.market(at)
    assert (position.yes_shares, position.no_shares) == (BET + 1, 2 * BET + 2)
    assert (market.yes_pool, market.no_pool) == (2 * BET + 1, 2 * BET + 2)
    assert (market.participants, market.open_positions) == (2, 2)


def test_the_configuration_is_not_changed(house: House) -> None:
    """Bets in different markets must not wait for each other."""
    at, user = house.new(), house.person()
    before = house.config
    bet(house, at, user, Side.NO, BET)
    assert house.config == before


def test_amounts(house: House, kind: Kind) -> None:
    at, user = house.new(kind), house.person(10**14, 10**14)
    low, high = DOCUMENTED[kind]
    for amount, error in (
        (0, Error.BET_AMOUNT_TOO_SMALL),
        (low - 1, Error.BET_AMOUNT_TOO_SMALL),
        (low, None),
        (high, None),
        (high + 1, Error.BET_AMOUNT_TOO_LARGE),
        (2**64 - 1, Error.BET_AMOUNT_TOO_LARGE),
    ):
        assert bet(house, at, user, Side.YES, amount).error == error


def test_who_has_not_enough_changes_nothing(house: House, kind: Kind) -> None:
    at, user = house.new(kind), house.person(BET, BET // 2)
    assert bet(house, at, user, Side.YES, BET).error is not None
    assert house.chain.account(at.position(user.pubkey())) is None
    assert house.market(at).yes_pool == 0


def test_until_betting_ends(house: House) -> None:
    at, user = house.new(), house.person()
    end = house.market(at).betting_ends_at
    house.move_clock(end - 1)
    assert bet(house, at, user, Side.YES, BET).error is None
    house.move_clock(end)
    assert bet(house, at, user, Side.YES, BET).error == Error.BETTING_CLOSED


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
def test_not_while_paused(house: House, scope: Scope) -> None:
    at, user, authority = house.new(), house.person(), house.authority
    house.must(emergency_pause(house.program, authority.pubkey(), scope), authority)
    assert bet(house, at, user, Side.YES, BET).error == Error.PLATFORM_PAUSED


def test_not_in_every_state(house: House) -> None:
    at, user = house.new(), house.person()
    house.must(markets.pause_market(at, house.guardian.pubkey()), house.guardian)
    assert bet(house, at, user, Side.YES, BET).error == Error.BETTING_CLOSED
    house.cancel(at)
    assert bet(house, at, user, Side.YES, BET).error == Error.MARKET_ALREADY_RESOLVED
    at = house.new()
    house.propose(at, Side.YES)
    assert bet(house, at, user, Side.YES, BET).error == Error.MARKET_STATE_INVALID


def test_other_terms(house: House) -> None:
    at, user = house.new(), house.person()
    for version in (0, 2):
        outcome = bet(house, at, user, Side.YES, BET, terms_version=version)
        assert outcome.error == Error.TERMS_CHANGED


def test_the_payout_guard(house: House, kind: Kind) -> None:
    """What the bet would win were betting to end right after it: to the unit."""
    at = house.new(kind)
    house.bet(at, house.person(), Side.YES, 7_000_003)
    house.bet(at, house.person(), Side.NO, 90_000_001)
    user, amount = house.person(), 11_111_111
    total = 7_000_003 + 90_000_001 + amount
    winning = 7_000_003 + amount
    exact = amount * (total - total * 250 // 10_000) // winning
    outcome = bet(house, at, user, Side.YES, amount, min_payout=exact + 1)
    assert outcome.error == Error.PAYOUT_TOO_LOW
    assert bet(house, at, user, Side.YES, amount, min_payout=exact).error is None

    house.resolve(at, Side.YES)
    before = house.money(kind, user.pubkey())
    assert house.claim(at, user.pubkey(), Side.YES).error is None
    assert house.money(kind, user.pubkey()) - before == exact


def test_the_guard_while_nobody_bets_against(house: House) -> None:
    """The bet would be paid back."""
    at, user = house.new(), house.person()
    outcome = bet(house, at, user, Side.YES, BET, min_payout=BET + 1)
    assert outcome.error == Error.PAYOUT_TOO_LOW
    assert bet(house, at, user, Side.YES, BET, min_payout=BET).error is None


def test_a_pool_that_would_overflow(house: House) -> None:
    at, user = house.new(), house.person()
    house.bet(at, user, Side.NO, BET)
    for name, other in (("yes_pool", "no_pool"), ("no_pool", "yes_pool")):
        before = house.chain.data(at.market)
        house.forge(at.market, markets.MARKET_OFFSET[name], (2**64 - 2 * BET).to_bytes(8, "little"))
        house.forge(at.market, markets.MARKET_OFFSET[other], BET.to_bytes(8, "little"))
        for side in Side:
            assert bet(house, at, user, side, BET + 1).error == Error.NUMBER_OVERFLOW
        house.chain.put(at.market, before, house.program.id)


def test_money_at_the_positions_address_does_not_block(house: House) -> None:
    at, user = house.new(), house.person()
    gift = transfer(house.anybody.pubkey(), at.position(user.pubkey()), house.chain.rent(0))
    house.must(gift)
    assert bet(house, at, user, Side.YES, BET).error is None
    rent = house.chain.rent(markets.POSITION_LENGTH)
    assert house.chain.vm.get_balance(at.position(user.pubkey())) == rent


def test_an_unknown_side_and_other_lengths(house: House) -> None:
    at, user = house.new(), house.person()
    whole = markets.place_bet(at, user.pubkey(), Side.YES, BET)
    data = bytes(whole.data)
    for broken in (data[:8] + b"\2" + data[9:], data[:-1], data + b"\0"):
        outcome = house.send(Instruction(whole.program_id, broken, whole.accounts), user)
        assert outcome.error == Error.DID_NOT_DESERIALIZE


def test_the_other_sides_vault(house: House, kind: Kind) -> None:
    at, user = house.new(kind), house.person()
    token = house.purse(user.pubkey())
    whole = markets.place_bet(at, user.pubkey(), Side.YES, BET, token=token)
    accounts = list(whole.accounts)
    accounts[4] = markets.writable(at.vault(Side.NO))
    outcome = house.send(Instruction(whole.program_id, whole.data, accounts), user)
    assert outcome.error == Error.CONSTRAINT_SEEDS


def test_anothers_token_account_cannot_pay(house: House) -> None:
    at, user, victim = house.new(Kind.STABLE), house.person(), house.person()
    token = house.purse(victim.pubkey())
    instruction = markets.place_bet(at, user.pubkey(), Side.YES, BET, token=token)
    assert house.send(instruction, user).error is not None
    assert tokens.balance(house.chain, token) == 10**12


def test_a_stable_market_needs_its_token_accounts(house: House) -> None:
    at, user = house.new(Kind.STABLE), house.person()
    token = house.purse(user.pubkey())
    whole = markets.place_bet(at, user.pubkey(), Side.YES, BET, token=token)
    for count, error in ((6, Error.NOT_ENOUGH_KEYS), (7, Error.NOT_ENOUGH_KEYS)):
        shorter = Instruction(whole.program_id, whole.data, whole.accounts[:count])
        assert house.send(shorter, user).error == error
