"""claim_winnings: what the shares are worth, once, to their owner."""

from __future__ import annotations

from itertools import permutations

import pytest
from solders.instruction import Instruction
from tests.unit.programs import markets, tokens
from tests.unit.programs.crypto_bet import Error, Scope
from tests.unit.programs.events import the_event
from tests.unit.programs.house import House
from tests.unit.programs.markets import Kind, Side
from tests.unit.programs.scenes import with_bets
from tests.unit.programs.svm import transfer


def test_a_winner_is_paid(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    payout = house.market(at).payout_pool
    before = house.money(kind, yes.pubkey())
    outcome = house.claim(at, yes.pubkey(), Side.YES)
    assert outcome.error is None
    assert house.money(kind, yes.pubkey()) == before + payout
    position, market = house.position(at, yes.pubkey()), house.market(at)
    assert (position.claimed, position.paid) == (1, payout)
    assert (market.settled_shares, market.paid) == (10_000_000, payout)
    assert the_event(outcome) == {
        "name": "PositionPaid",
        "sequence": market.event_sequence,
        "timestamp": house.now,
        "market": at.market,
        "user": yes.pubkey(),
        "amount": payout,
        "refund": False,
    }


def test_the_order_of_claims_changes_nothing(house: House) -> None:
    stakes = {Side.YES: (1_000_003, 3_333_331, 7_777_777), Side.NO: (5_000_011,)}
    paid = []
    for order in permutations(range(3)):
        at = house.new()
        users = [house.person() for _ in range(3)]
        for user, stake in zip(users, stakes[Side.YES], strict=True):
            house.bet(at, user, Side.YES, stake)
        house.bet(at, house.person(), Side.NO, stakes[Side.NO][0])
        house.resolve(at, Side.YES)
        for index in order:
            assert house.claim(at, users[index].pubkey(), Side.YES).error is None
        paid.append([house.position(at, user.pubkey()).paid for user in users])
        market = house.market(at)
        assert 0 <= market.payout_pool - market.paid < 3
    assert paid == [paid[0]] * 6


def test_once(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.ALREADY_CLAIMED


def test_not_twice_in_one_transaction(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    claim = markets.claim_winnings(at, yes.pubkey(), Side.YES)
    assert house.chain.send([claim, claim], house.anybody).error == Error.ALREADY_CLAIMED
    assert house.position(at, yes.pubkey()).claimed == 0


def test_losers_get_nothing(house: House) -> None:
    at, _, no = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    assert house.claim(at, no.pubkey(), Side.YES).error == Error.NOTHING_TO_CLAIM


def test_only_winning_shares_count(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.bet(at, yes, Side.NO, 9_000_000)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.position(at, yes.pubkey()).paid == house.market(at).payout_pool


def test_only_a_final_result(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.MARKET_STATE_INVALID
    house.propose(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.MARKET_STATE_INVALID
    house.cancel(at)
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.MARKET_STATE_INVALID


@pytest.mark.parametrize("scope", [Scope.NEW_BETS, Scope.ALL_BUT_CLAIMS])
def test_no_pause_reaches_a_claim(house: House, kind: Kind, scope: Scope) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    house.pause(scope)
    assert house.claim(at, yes.pubkey(), Side.YES).error is None


def test_not_after_the_sweep(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    house.move_clock(house.now + house.settings.sweep_delay)
    assert house.sweep(at).error is None
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.NOTHING_TO_CLAIM


def test_the_losing_sides_vault(house: House, kind: Kind) -> None:
    at, yes, _ = with_bets(house, kind)
    house.resolve(at, Side.YES)
    assert house.claim(at, yes.pubkey(), Side.NO).error == Error.CONSTRAINT_SEEDS


def test_tokens_go_to_an_account_of_the_user(house: House) -> None:
    """Anybody may ask for the payment, nobody may turn it aside."""
    at, yes, no = with_bets(house, Kind.STABLE)
    house.resolve(at, Side.YES)
    elsewhere = markets.claim_winnings(at, yes.pubkey(), Side.YES, house.purse(no.pubkey()))
    assert house.send(elsewhere).error == Error.ACCOUNT_MISMATCH
    other_mint = tokens.put_account(house.chain, house.person().pubkey(), yes.pubkey())
    wrong = markets.claim_winnings(at, yes.pubkey(), Side.YES, other_mint)
    assert house.send(wrong).error == Error.ACCOUNT_MISMATCH
    forged = house.person().pubkey()
    data = tokens.account_bytes(house.mint, yes.pubkey(), 0)
    house.chain.put(forged, data, tokens.TOKEN_2022)
    wrong = markets.claim_winnings(at, yes.pubkey(), Side.YES, forged)
    assert house.send(wrong).error == Error.OWNED_BY_WRONG_PROGRAM
    second = tokens.put_account(house.chain, house.mint, yes.pubkey())
    house.must(markets.claim_winnings(at, yes.pubkey(), Side.YES, second))
    assert tokens.balance(house.chain, second) == house.market(at).payout_pool


def test_a_vault_that_holds_less_than_it_owes(house: House, kind: Kind) -> None:
    """The first who claims must not be paid with what belongs to the others."""
    at, yes, _ = with_bets(house, kind)
    second = house.person()
    house.bet(at, second, Side.YES, 10_000_000)
    house.resolve(at, Side.YES)
    house.rob(at, Side.YES, 2)
    assert house.claim(at, yes.pubkey(), Side.YES).error == Error.INSOLVENT
    assert house.position(at, yes.pubkey()).claimed == 0


def test_an_owner_whose_wallet_is_empty(house: House) -> None:
    """A payment can open the wallet again."""
    at, yes, _ = with_bets(house, Kind.DEGEN)
    house.resolve(at, Side.YES)
    balance = house.chain.vm.get_balance(yes.pubkey())
    assert balance is not None
    house.must(transfer(yes.pubkey(), house.anybody.pubkey(), balance), yes)
    assert house.chain.account(yes.pubkey()) is None
    assert house.claim(at, yes.pubkey(), Side.YES).error is None
    assert house.chain.vm.get_balance(yes.pubkey()) == house.market(at).payout_pool


def test_arguments(house: House) -> None:
    at, yes, _ = with_bets(house, Kind.DEGEN)
    whole = markets.claim_winnings(at, yes.pubkey(), Side.YES)
    longer = Instruction(whole.program_id, bytes(whole.data) + b"\0", whole.accounts)
    assert house.send(longer).error == Error.DID_NOT_DESERIALIZE
