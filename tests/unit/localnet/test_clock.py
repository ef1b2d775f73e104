"""A clock that is moved: what programs see, what expires, what a restart keeps."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.unit.localnet.support import SLOT_SECONDS, SOL, START, Time

from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.history import Landed
from cbctl.localnet.slots import FIRST_SLOT, MAX_SLOT, SLOTS_PER_EPOCH, epoch_of

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
DAY_SLOTS = int(86_400 / SLOT_SECONDS)


def _clock(bank: Bank) -> tuple[int, int, int, int]:
    """Slot, epoch start, epoch and time, as programs see them."""
    account = bank.vm.account(CLOCK)
    assert account is not None
    slot, epoch_start, epoch, _, unix_time = struct.unpack("<QqQQq", account.data)
    return slot, epoch_start, epoch, unix_time


def _signed(bank: Bank, payer: Keypair) -> VersionedTransaction:
    pay = transfer(
        TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=SOL)
    )
    message = Message.new_with_blockhash([pay], payer.pubkey(), bank.hashes.at(bank.slot))
    return VersionedTransaction(message, [payer])


def test_slots_and_time_move_together(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    bank.advance(30 * DAY_SLOTS)
    assert bank.slot == FIRST_SLOT + 30 * DAY_SLOTS
    assert bank.unix_time == START + 30 * 86_400
    assert _clock(bank)[0::3] == (bank.slot, bank.unix_time)
    time.slots(8)
    bank.tick()
    assert _clock(bank)[0::3] == (FIRST_SLOT + 30 * DAY_SLOTS + 8, START + 30 * 86_400 + 2)


def test_a_restart_keeps_what_was_moved(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    bank.airdrop(Pubkey.new_unique(), SOL)
    bank.advance(365 * DAY_SLOTS)
    seen = bank.unix_time
    for save in (False, True):
        if save:
            bank.save()
        bank = open_bank()
        assert bank.slot > FIRST_SLOT + 365 * DAY_SLOTS
        assert bank.unix_time >= seen
    time.slots(4)
    bank.tick()
    assert bank.unix_time == seen + 1


def test_moved_twice_is_moved_by_the_sum(open_bank: Callable[[], Bank]) -> None:
    bank = open_bank()
    bank.advance(3)  # less than a second counts too
    bank.advance(DAY_SLOTS)
    bank = open_bank()
    bank.advance(1)
    assert bank.unix_time == START + 86_400 + 1


def test_blockhashes_expire_as_they_would(open_bank: Callable[[], Bank]) -> None:
    bank, payer = open_bank(), Keypair()
    bank.airdrop(payer.pubkey(), 10 * SOL)
    first, second = _signed(bank, payer), _signed(bank, payer)
    bank.advance(150)
    assert isinstance(bank.submit(first), Landed)
    bank.advance(1)
    assert bank.submit(second) == Refused("BlockhashNotFound")
    assert isinstance(bank.submit(_signed(bank, payer)), Landed)


def test_what_landed_before_is_final_after(open_bank: Callable[[], Bank]) -> None:
    bank = open_bank()
    landed = bank.history.get(bank.airdrop(Pubkey.new_unique(), SOL))
    assert landed is not None
    bank.advance(32)
    assert bank.commitment(landed) == "finalized"
    assert bank.time_of(landed.slot) == landed.unix_time
    # between the two slots time is taken to have passed evenly
    assert bank.time_of(landed.slot + 16) == START + 4


def test_an_epoch_begins_where_its_first_slot_would_have_been(
    open_bank: Callable[[], Bank], time: Time
) -> None:
    bank = open_bank()
    epoch, index = epoch_of(FIRST_SLOT)
    assert _clock(bank)[1:3] == (START, epoch)
    bank.advance(SLOTS_PER_EPOCH - index - 1)
    assert _clock(bank)[1:3] == (START, epoch)
    time.slots(3)
    bank.tick()
    begun = bank.unix_time - int(2 * SLOT_SECONDS)
    assert _clock(bank)[1:3] == (begun, epoch + 1)
    bank.advance(1_000)
    again = open_bank()
    assert _clock(again)[1:3] == (begun, epoch + 1)
    again.save()
    assert _clock(open_bank())[1:3] == (begun, epoch + 1)


def test_the_clock_does_not_go_back_nor_out_of_bounds(open_bank: Callable[[], Bank]) -> None:
    bank = open_bank()
    with pytest.raises(ValueError, match="only forward"):
        bank.advance(-1)
    for slots in (MAX_SLOT, 8_000 * 366 * DAY_SLOTS):
        with pytest.raises(ValueError, match="year 9999"):
            bank.advance(slots)
    assert (bank.slot, bank.unix_time) == (FIRST_SLOT, START)
    bank.advance(7_000 * 365 * DAY_SLOTS)
    assert _clock(bank)[0::3] == (bank.slot, bank.unix_time)


def test_slots_are_covered_before_they_are_shown(open_bank: Callable[[], Bank]) -> None:
    bank = open_bank()
    covered: list[int] = []
    bank._cover = covered.append
    bank.advance(DAY_SLOTS)
    assert covered[-1] >= bank.slot
