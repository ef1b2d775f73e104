"""Durable nonces: as on a validator, also for what fails, and over a restart."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_nonce_account,
    transfer,
)
from solders.transaction import VersionedTransaction
from tests.unit.localnet.support import SOL, Time

from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.history import Landed
from cbctl.localnet.nonce import RECENT_BLOCKHASHES, durable

PAYER, NONCE = Keypair(), Keypair()


@pytest.fixture
def bank(open_bank: Callable[[], Bank], time: Time) -> Bank:
    """A nonce account that was made in an earlier slot."""
    bank = open_bank()
    bank.airdrop(PAYER.pubkey(), 100 * SOL)
    steps = create_nonce_account(PAYER.pubkey(), NONCE.pubkey(), PAYER.pubkey(), SOL)
    message = Message.new_with_blockhash(list(steps), PAYER.pubkey(), bank.hashes.at(bank.slot))
    made = bank.submit(VersionedTransaction(message, [PAYER, NONCE]))
    assert isinstance(made, Landed)
    assert made.outcome.error is None
    time.slots(1)
    bank.tick()
    return bank


def _value(bank: Bank) -> Hash:
    account = bank.vm.account(NONCE.pubkey())
    assert account is not None
    return Hash(bytes(account.data[40:72]))


ADVANCE = advance_nonce_account(
    AdvanceNonceAccountParams(nonce_pubkey=NONCE.pubkey(), authorized_pubkey=PAYER.pubkey())
)


def _pay(to: Pubkey, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=to, lamports=lamports))


def _signed(value: Hash, *steps: Instruction) -> VersionedTransaction:
    message = Message.new_with_blockhash(list(steps), PAYER.pubkey(), value)
    return VersionedTransaction(message, [PAYER])


def test_it_waits_as_long_as_it_likes_and_lands_once(
    bank: Bank, open_bank: Callable[[], Bank], time: Time
) -> None:
    to = Pubkey.new_unique()
    waiting = _signed(_value(bank), ADVANCE, _pay(to, SOL))
    time.slots(10_000)
    bank = open_bank()
    landed = bank.submit(waiting)
    assert isinstance(landed, Landed)
    assert landed.outcome.error is None
    assert bank.vm.balance(to) == SOL
    assert bytes(_value(bank)) == durable(bank.hashes.at(bank.slot))
    time.slots(1)
    assert bank.submit(waiting) == Refused("BlockhashNotFound")
    used = bank.vm.account(NONCE.pubkey())
    assert open_bank().vm.account(NONCE.pubkey()) == used


def test_a_failed_one_has_used_it_too(
    bank: Bank, open_bank: Callable[[], Bank], time: Time
) -> None:
    before, value = bank.vm.balance(PAYER.pubkey()), _value(bank)
    failing = _signed(value, ADVANCE, _pay(Pubkey.new_unique(), 10_000 * SOL))
    landed = bank.submit(failing)
    assert isinstance(landed, Landed)
    assert landed.outcome.error == {"InstructionError": [1, {"Custom": 1}]}
    assert bank.vm.balance(PAYER.pubkey()) == before - 5_000
    assert bytes(_value(bank)) == durable(bank.hashes.at(bank.slot))
    time.slots(1)
    bank.tick()
    assert bank.submit(failing) == Refused("BlockhashNotFound")
    assert _value(open_bank()) == _value(bank)


def test_it_serves_once_in_a_slot(bank: Bank, time: Time) -> None:
    assert isinstance(bank.submit(_signed(_value(bank), ADVANCE)), Landed)
    again = _signed(_value(bank), ADVANCE, _pay(Pubkey.new_unique(), SOL))
    assert bank.submit(again) == Refused("BlockhashNotFound")
    # also when a recent blockhash makes it land: the program refuses
    recent = bank.submit(_signed(bank.hashes.at(bank.slot), ADVANCE))
    assert isinstance(recent, Landed)
    assert recent.outcome.error == {"InstructionError": [0, {"Custom": 7}]}
    time.slots(1)
    bank.tick()
    assert isinstance(bank.submit(again), Landed)


def test_with_a_recent_blockhash_a_failed_one_leaves_the_nonce(bank: Bank) -> None:
    value = _value(bank)
    steps = (ADVANCE, _pay(Pubkey.new_unique(), 10_000 * SOL))
    failed = bank.submit(_signed(bank.hashes.at(bank.slot), *steps))
    assert isinstance(failed, Landed)
    assert failed.outcome.error is not None
    assert _value(bank) == value


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([_pay(PAYER.pubkey(), 1)], id="no nonce at all"),
        pytest.param([_pay(PAYER.pubkey(), 1), ADVANCE], id="not the first instruction"),
        pytest.param(
            [
                Instruction(
                    Pubkey.default(),
                    struct.pack("<I", 4),
                    [AccountMeta(NONCE.pubkey(), False, False), *ADVANCE.accounts[1:]],
                )
            ],
            id="not writable",
        ),
        pytest.param(
            [
                Instruction(
                    Pubkey.default(),
                    struct.pack("<I", 4),
                    [*ADVANCE.accounts[:2], AccountMeta(Pubkey.new_unique(), False, False)],
                )
            ],
            id="not its authority",
        ),
        pytest.param(
            [Instruction(Pubkey.default(), struct.pack("<I", 4), [])], id="without accounts"
        ),
        pytest.param([Instruction(Pubkey.default(), b"", [])], id="without data"),
    ],
)
def test_what_does_not_use_it_rightly_needs_a_recent_blockhash(
    bank: Bank, steps: list[Instruction]
) -> None:
    assert bank.submit(_signed(_value(bank), *steps)) == Refused("BlockhashNotFound")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\0" + data[1:],  # of the version before nonces were durable
        lambda data: data[:4] + b"\0" + data[5:],  # not initialized
        lambda data: data + b"\0",
    ],
)
def test_an_account_that_is_no_nonce_does_not_serve(
    bank: Bank, change: Callable[[bytes], bytes]
) -> None:
    account = bank.vm.account(NONCE.pubkey())
    assert account is not None
    signed = _signed(_value(bank), ADVANCE)
    bank.vm.load([(NONCE.pubkey(), Account(SOL, change(bytes(account.data)), account.owner))])
    assert bank.submit(signed) == Refused("BlockhashNotFound")


def test_programs_and_clients_see_the_recent_blockhashes(bank: Bank) -> None:
    account = bank.vm.account(RECENT_BLOCKHASHES)
    assert account is not None
    data = bytes(account.data)
    assert len(data) == 6_008
    assert struct.unpack("<Q", data[:8]) == (150,)
    assert Hash(data[8:40]) == bank.hashes.at(bank.slot)
    assert Hash(data[48:80]) == bank.hashes.at(bank.slot - 1)
    assert struct.unpack("<Q", data[40:48]) == (5_000,)
