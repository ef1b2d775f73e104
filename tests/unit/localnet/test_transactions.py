"""What a message asks for: locks, units, fees."""

from __future__ import annotations

import struct

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from cbctl.localnet.cost import cost_units
from cbctl.localnet.locks import writable
from cbctl.localnet.programs import UPGRADEABLE_LOADER
from cbctl.localnet.transactions import Loaded, budget_of, writable_keys

PAYER, TO, PROGRAM = (Pubkey.new_unique() for _ in range(3))
SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
ED25519 = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")
PAY = transfer(TransferParams(from_pubkey=PAYER, to_pubkey=TO, lamports=1))
NOTHING = Loaded([], [])


def _message(*instructions: Instruction) -> Message:
    return Message.new_with_blockhash(list(instructions), PAYER, Hash.default())


def _call(program: Pubkey, *accounts: tuple[Pubkey, bool, bool], data: bytes = b"") -> Instruction:
    return Instruction(program, data, [AccountMeta(k, s, w) for k, s, w in accounts])


def test_accounts_that_a_message_asks_to_write_to() -> None:
    signer, reader = Pubkey.new_unique(), Pubkey.new_unique()
    message = _message(
        _call(PROGRAM, (signer, True, False), (TO, False, True), (reader, False, False))
    )
    loaded = Loaded([Pubkey.new_unique()], [Pubkey.new_unique()])
    keys = [*message.account_keys, *loaded.writable, *loaded.readonly]
    assert writable_keys(message, keys, loaded) == [PAYER, TO, *loaded.writable]


def test_what_nobody_may_write_to_is_not_writable() -> None:
    message = _message(
        _call(PROGRAM, (CLOCK, False, True), (SYSTEM, False, True), (TO, False, True))
    )
    assert writable(message, message.account_keys, NOTHING) == {PAYER, TO}


def test_a_called_program_is_writable_only_beside_its_loader() -> None:
    alone = _message(_call(PROGRAM, (PROGRAM, False, True)))
    assert writable(alone, alone.account_keys, NOTHING) == {PAYER}
    beside = _message(_call(PROGRAM, (PROGRAM, False, True), (UPGRADEABLE_LOADER, False, False)))
    assert writable(beside, beside.account_keys, NOTHING) == {PAYER, PROGRAM}


def test_the_price_is_rounded_up_and_paid_for_the_limit() -> None:
    priced = _message(set_compute_unit_limit(1_001), set_compute_unit_price(1_500), PAY)
    budget = budget_of(priced)
    assert (budget.unit_limit, budget.priority, budget.fee) == (1_001, 2, 5_002)
    assert budget.unit_price == 2 * 1_000_000 // 1_001


@pytest.mark.parametrize(
    ("instructions", "units"),
    [
        ([PAY], 3_000),
        ([PAY, set_compute_unit_price(1)], 6_000),
        ([PAY, _call(PROGRAM)], 203_000),
        ([_call(PROGRAM)] * 9, 1_400_000),
        ([set_compute_unit_limit(2_000_000)], 1_400_000),
    ],
)
def test_the_limit_of_a_message_that_names_none(
    instructions: list[Instruction], units: int
) -> None:
    assert budget_of(_message(*instructions)).unit_limit == units


def test_a_version_1_header_says_limit_and_fee_itself() -> None:
    config = TransactionConfig(compute_unit_limit=700, priority_fee=9)
    message = MessageV1.try_compile(PAYER, [PAY], Hash.default(), config)
    budget = budget_of(message)
    assert (budget.unit_limit, budget.fee, budget.unit_price) == (700, 5_009, 12_857)
    silent = MessageV1.try_compile(PAYER, [PAY], Hash.default(), TransactionConfig())
    assert (budget_of(silent).fee, budget_of(silent).unit_price) == (5_000, 0)


def test_signatures_that_a_precompile_checks_are_paid_for() -> None:
    assert budget_of(_message(_call(ED25519, data=bytes([3, 0])))).signatures == 4
    assert budget_of(_message(_call(ED25519))).signatures == 1


def test_the_cost_of_a_transfer_is_the_documented_one() -> None:
    # A signature, two locks, 150 units of the system program, 12 bytes, one page of accounts.
    message = MessageV0.try_compile(PAYER, [PAY], [], Hash.default())
    assert cost_units(message, 2, 150, 100) == 720 + 600 + 150 + 3 + 8 == 1_481


def test_the_cost_of_what_a_transaction_loads_and_checks() -> None:
    message = _message(_call(ED25519, data=struct.pack("<BB", 2, 0)))
    base = 720 + 300
    assert cost_units(message, 1, 0, 0) == base + 2 * 2_400
    assert cost_units(message, 1, 0, 32_768) == base + 2 * 2_400 + 8
    assert cost_units(message, 1, 0, 32_769) == base + 2 * 2_400 + 16
