"""The program's 128-bit arithmetic against Python's integers, on the ELF.

This toolchain miscompiles u128 products and quotients silently (docs/adr/0002), so the program does
without; whatever a compiler makes of it is looked at here, over the whole range of u64. The markets
are forged: no bets could fill them.
"""

from __future__ import annotations

import random
import struct

import pytest
from solders.account import Account
from tests.unit.programs import markets, tokens
from tests.unit.programs.house import House
from tests.unit.programs.markets import MARKET_OFFSET, POSITION_OFFSET, Addresses, Kind, Side
from tests.unit.programs.scenes import with_bets

MOST = 2**64 - 1


@pytest.fixture
def resolved(house: House) -> tuple[House, Addresses, object]:
    at, yes, _ = with_bets(house, Kind.STABLE)
    house.resolve(at, Side.YES)
    return house, at, yes.pubkey()


def write(house: House, at: Addresses, offsets: dict[str, int], values: dict[str, int]) -> None:
    for name, value in values.items():
        house.forge(at.market, offsets[name], struct.pack("<Q", value))


def paid(house: House, at: Addresses, user: object, shares: int, yes: int, no: int) -> int:
    """What the program pays for the shares of a market with these pools."""
    fee = min((yes + no) * 250 // 10_000, no)
    write(
        house,
        at,
        MARKET_OFFSET,
        {
            "yes_pool": yes,
            "no_pool": no,
            "fee": fee,
            "payout_pool": yes + no - fee,
            "settled_shares": 0,
            "paid": 0,
        },
    )
    position, purse = at.position(user), house.purse(user)  # type: ignore[arg-type]
    house.forge(position, POSITION_OFFSET["yes_shares"], struct.pack("<Q", shares))
    house.forge(position, POSITION_OFFSET["claimed"], bytes(9))
    house.forge(at.vault(Side.YES), 64, struct.pack("<Q", yes + no - fee))
    house.forge(purse, 64, bytes(8))
    house.must(markets.claim_winnings(at, user, Side.YES, purse))  # type: ignore[arg-type]
    return tokens.balance(house.chain, purse)


def cases() -> list[tuple[int, int, int]]:
    """Shares, winning pool, losing pool."""
    chance = random.Random(20261126)
    found = [
        (1, 1, 1),
        (1, 1, MOST - 1),
        (1, MOST - 1, 1),
        (MOST - 1, MOST - 1, 1),
        (2**63, 2**63, 2**63 - 1),
        (2**32 - 1, 2**32, 2**32 + 1),
        (2**63 - 1, 2**63, 2**62),
        (3, 7, MOST - 7),
    ]
    while len(found) < 400:
        yes = chance.getrandbits(chance.randint(1, 64)) or 1
        no = chance.getrandbits(chance.randint(1, 64)) or 1
        if yes + no <= MOST:
            found.append((chance.randint(1, yes), yes, no))
    return found


def test_winnings_are_floored_quotients(resolved: tuple[House, Addresses, object]) -> None:
    house, at, user = resolved
    wide = 0
    for shares, yes, no in cases():
        pool = yes + no - min((yes + no) * 250 // 10_000, no)
        wide += shares * pool > MOST
        assert paid(house, at, user, shares, yes, no) == shares * pool // yes, (shares, yes, no)
    assert wide > 100, "products of more than 64 bits are what this is about"


def test_a_position_with_more_shares_than_the_market(
    resolved: tuple[House, Addresses, object],
) -> None:
    """Impossible, and never paid."""
    house, at, user = resolved
    with pytest.raises(AssertionError, match="6006"):
        paid(house, at, user, 11, 10, 10)


def test_fees_are_floored(house: House) -> None:
    """At settlement, with pools that only forged bets could reach."""
    chance = random.Random(7)
    for _ in range(40):
        at, _, _ = with_bets(house, Kind.STABLE)
        yes, no = chance.getrandbits(63) or 1, chance.getrandbits(chance.randint(1, 63)) or 1
        write(house, at, MARKET_OFFSET, {"yes_pool": yes, "no_pool": no})
        for side, pool in ((Side.YES, yes), (Side.NO, no)):
            account = house.chain.account(at.vault(side))
            assert account is not None
            data = bytes(account.data)
            full = data[:64] + struct.pack("<Q", pool) + data[72:]
            changed = Account(account.lamports, full, account.owner)
            house.chain.vm.set_account(at.vault(side), changed)
        house.resolve(at, Side.YES)
        market = house.market(at)
        assert market.fee == min((yes + no) * 250 // 10_000, no)
        assert house.held(at, Side.YES) == yes + no - market.fee
        house.move_clock(0)
