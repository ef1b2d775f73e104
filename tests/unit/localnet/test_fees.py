"""Prices that transactions of recent slots paid for their place."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey

from cbctl.localnet.fees import MAX_SLOTS, PriorityFees

A, B, C = (Pubkey.new_unique() for _ in range(3))


@pytest.fixture
def fees() -> PriorityFees:
    found = PriorityFees()
    found.add(10, 500, [A, B])
    found.add(10, 300, [B])
    found.add(10, 900, [C])
    found.add(12, 0, [A])
    found.add(12, 70, [C])
    return found


def test_a_slot_without_transactions_is_not_listed(fees: PriorityFees) -> None:
    assert [slot for slot, _ in fees.until(99, [])] == [10, 12]


@pytest.mark.parametrize(
    ("keys", "prices"),
    [
        ([], [300, 0]),
        ([Pubkey.new_unique()], [300, 0]),
        ([A], [500, 0]),
        ([B], [300, 0]),
        ([C], [900, 70]),
        ([A, B, C], [900, 70]),
    ],
)
def test_the_price_is_what_would_have_been_enough_for_all_accounts(
    fees: PriorityFees, keys: list[Pubkey], prices: list[int]
) -> None:
    assert [price for _, price in fees.until(99, keys)] == prices
    fees.add(13, 1, [])  # the slot before is complete, and says the same
    assert [price for _, price in fees.until(12, keys)] == prices


def test_slots_after_the_asked_one_are_left_out(fees: PriorityFees) -> None:
    assert fees.until(11, []) == [(10, 300)]
    assert fees.until(9, []) == []


def test_only_the_newest_slots_are_remembered() -> None:
    fees = PriorityFees()
    for slot in range(MAX_SLOTS + 5):
        fees.add(slot, slot, [A])
    listed = fees.until(10**9, [A])
    assert listed == [(slot, slot) for slot in range(5, MAX_SLOTS + 5)]
