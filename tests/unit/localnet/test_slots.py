"""Slots and epochs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbctl.localnet.reasons import describe
from cbctl.localnet.slots import FIRST_SLOT, SlotClock, epoch_of, first_slot_of


def test_slots_follow_the_clock() -> None:
    now = 10.0
    clock = SlotClock(1_000, 200, monotonic=lambda: now)
    assert clock.slot() == 1_000
    now = 10.199
    assert clock.slot() == 1_000
    now = 11.0
    assert clock.slot() == 1_005


def test_the_first_epoch_is_where_mainnet_puts_it() -> None:
    epoch, index = epoch_of(FIRST_SLOT)
    assert 524_256 + (epoch - 14) * 432_000 + index == FIRST_SLOT
    assert epoch_of(FIRST_SLOT - index + 432_000) == (epoch + 1, 0)


def test_epochs_double_until_they_are_as_long_as_all_others() -> None:
    assert [epoch_of(slot) for slot in (0, 31, 32, 95, 96)] == [
        (0, 0),
        (0, 31),
        (1, 0),
        (1, 63),
        (2, 0),
    ]
    assert epoch_of(524_255) == (13, 262_143)
    assert epoch_of(524_256) == (14, 0)


@given(st.integers(0, 2**40))
def test_an_epoch_begins_where_its_slots_say(slot: int) -> None:
    epoch, index = epoch_of(slot)
    assert first_slot_of(epoch) + index == slot < first_slot_of(epoch + 1)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("BlockhashNotFound", "Blockhash not found"),
        (
            {"InstructionError": [2, {"Custom": 6001}]},
            "Error processing Instruction 2: custom program error: 0x1771",
        ),
        (
            {"InstructionError": [0, "MissingRequiredSignature"]},
            "Error processing Instruction 0: missing required signature for instruction",
        ),
        (
            {"InsufficientFundsForRent": {"account_index": 1}},
            "Transaction results in an account (1) with insufficient funds for rent",
        ),
        (
            {"DuplicateInstruction": 3},
            "Transaction contains a duplicate instruction (3) that is not allowed",
        ),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_errors_read_as_on_a_validator(error: object, sentence: str) -> None:
    assert describe(error) == sentence
