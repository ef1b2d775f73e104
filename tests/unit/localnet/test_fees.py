"""Prices that transactions of recent slots paid for their place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.pubkey import Pubkey
from tests.unit.localnet.rpc.calls import SOL, funded, payment, signed
from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank
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


def test_a_transaction_that_failed_has_paid_for_its_place_too(
    open_bank: Callable[[], Bank], time: Time
) -> None:
    bank = open_bank()
    payer, to = funded(bank), Pubkey.new_unique()
    time.slots(1)
    bank.tick()
    offer = [set_compute_unit_limit(1_000), set_compute_unit_price(4_000_000)]
    bank.submit(signed(bank, [*offer, payment(payer, to, 1_000 * SOL)], payer))
    assert bank.vm.balance(to) == 0
    assert bank.vm.balance(payer.pubkey()) == 100 * SOL - 5_000 - 4_000
    for keys in ([], [to], [payer.pubkey()]):
        assert bank.fees.until(bank.slot, keys)[-1] == (bank.slot, 4_000_000)


def test_only_the_newest_slots_are_remembered() -> None:
    fees = PriorityFees()
    for slot in range(MAX_SLOTS + 5):
        fees.add(slot, slot, [A])
    listed = fees.until(10**9, [A])
    assert listed == [(slot, slot) for slot in range(5, MAX_SLOTS + 5)]
