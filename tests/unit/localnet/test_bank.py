"""The chain without HTTP: panics, the disk, the clock, running the log again."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank, Refused
from cbctl.localnet.errors import VmPanic
from cbctl.localnet.history import Landed
from cbctl.localnet.rpc.dispatch import answer
from cbctl.localnet.slots import FIRST_SLOT

SOL = 1_000_000_000
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


def _pay(bank: Bank, payer: Keypair, to: Pubkey, lamports: int) -> VersionedTransaction:
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
    bank.tick()
    blockhash = bank.hashes.at(bank.slot)
    message = Message.new_with_blockhash([pay], payer.pubkey(), blockhash)
    return VersionedTransaction(message, [payer])


class PanicException(BaseException):
    """What pyo3 raises when Rust panics."""


def test_a_panic_costs_only_the_transaction_that_caused_it(
    open_bank: Callable[[], Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 10 * SOL)
    broken = bank.vm

    def panic(_: object) -> Any:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(broken, "execute", panic)
    bad = _pay(bank, payer, to, SOL)
    with pytest.raises(VmPanic, match="index out of bounds"):
        bank.submit(bad)
    assert bank.vm is not broken
    assert bank.history.get(str(bad.signatures[0])) is None
    assert bank.vm.balance(payer.pubkey()) == 10 * SOL

    assert isinstance(bank.submit(_pay(bank, payer, to, 2 * SOL)), Landed)
    monkeypatch.setattr(bank.vm, "simulate", panic)
    with pytest.raises(VmPanic):
        bank.simulate(bad)
    assert bank.vm.balance(to) == 2 * SOL
    assert open_bank().vm.balance(to) == 2 * SOL


@pytest.mark.parametrize("part", ["enter", "balance", "simulate"])
def test_a_panic_anywhere_reaches_one_client_and_the_next_one_is_served(
    open_bank: Callable[[], Bank], time: Time, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 10 * SOL)
    pay = base64.b64encode(bytes(_pay(bank, payer, to, SOL))).decode()
    calls: dict[str, list[object]] = {
        "getBalance": [str(payer.pubkey())],
        "simulateTransaction": [pay, {"encoding": "base64"}],
    }
    asked = "simulateTransaction" if part == "simulate" else "getBalance"
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": asked, "params": calls[asked]})

    def panic(*_: object) -> Any:
        raise PanicException("poisoned")

    time.slots(1)
    broken = bank.vm
    monkeypatch.setattr(broken, part, panic)
    refused = json.loads(answer(bank, body.encode()))
    assert refused["error"]["message"] == "Internal error: the VM panicked: poisoned"
    assert bank.vm is not broken
    assert "result" in json.loads(answer(bank, body.encode()))
    assert bank.vm.balance(payer.pubkey()) == 10 * SOL


def test_nothing_is_confirmed_before_it_is_on_disk(
    open_bank: Callable[[], Bank], time: Time
) -> None:
    bank = open_bank()
    signature = bank.airdrop(Pubkey.new_unique(), SOL)
    landed = bank.history.get(signature)
    assert landed is not None
    assert bank.commitment(landed) == "processed"
    time.slots(40)
    bank.tick()
    assert bank.commitment(landed) == "processed"
    bank._ledger.sync()
    assert bank.commitment(landed) == "finalized"


def test_commitment_follows_the_slots(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    landed = bank.history.get(bank.airdrop(Pubkey.new_unique(), SOL))
    assert landed is not None
    bank._ledger.sync()
    seen = []
    for _ in range(34):
        bank.tick()
        seen.append(bank.commitment(landed))
        time.slots(1)
    assert seen == ["processed"] + ["confirmed"] * 31 + ["finalized"] * 2


def test_programs_see_the_real_time(open_bank: Callable[[], Bank], time: Time) -> None:
    bank = open_bank()
    time.slots(50)
    bank.tick()
    account = bank.vm.account(CLOCK)
    assert account is not None
    slot, _, _, _, unix_time = struct.unpack("<QqQQq", account.data)
    assert (slot, unix_time) == (FIRST_SLOT + 50, 1_790_000_010)


def test_equal_airdrops_of_one_slot_are_two(open_bank: Callable[[], Bank]) -> None:
    bank, to = open_bank(), Pubkey.new_unique()
    assert bank.airdrop(to, SOL) != bank.airdrop(to, SOL)
    assert bank.vm.balance(to) == 2 * SOL


def test_what_cannot_land_leaves_no_trace(open_bank: Callable[[], Bank], time: Time) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    poor = _pay(bank, payer, to, SOL)
    assert bank.submit(poor) == Refused("AccountNotFound")
    bank.airdrop(payer.pubkey(), 10 * SOL)
    good = _pay(bank, payer, to, SOL)
    unsigned = VersionedTransaction.populate(good.message, [Keypair().sign_message(b"x")])
    assert bank.submit(unsigned) == Refused("SignatureFailure")
    assert isinstance(bank.submit(good), Landed)
    assert bank.submit(good) == Refused("AlreadyProcessed")
    late = _pay(bank, payer, to, 2 * SOL)
    time.slots(151)
    assert bank.submit(late) == Refused("BlockhashNotFound")
    assert len(bank.history) == 2
    assert len(open_bank().history) == 2


def test_a_version_1_header_pays_its_priority_fee(open_bank: Callable[[], Bank]) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 10 * SOL)

    def send(lamports: int, priority: int) -> Landed | Refused:
        pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
        config = TransactionConfig(priority_fee=priority, compute_unit_limit=1_000)
        blockhash = bank.hashes.at(bank.slot)
        message = MessageV1.try_compile(payer.pubkey(), [pay], blockhash, config)
        return bank.submit(VersionedTransaction(message, [payer]))

    assert isinstance(send(SOL, 700), Landed)
    assert bank.vm.balance(payer.pubkey()) == 9 * SOL - 5_700
    failed = send(20 * SOL, 300)
    assert isinstance(failed, Landed)
    assert failed.outcome.error is not None
    assert bank.vm.balance(payer.pubkey()) == 9 * SOL - 11_000
    assert send(SOL, 10 * SOL) == Refused("InsufficientFundsForFee")
    assert bank.vm.balance(payer.pubkey()) == 9 * SOL - 11_000


def test_lookup_tables_work_and_are_run_again(open_bank: Callable[[], Bank], time: Time) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 10 * SOL)
    time.slots(3)
    bank.tick()
    recent = bank.slot - 1
    owner = payer.pubkey()
    table, bump = Pubkey.find_program_address([bytes(owner), struct.pack("<Q", recent)], TABLES)
    table_accounts = [
        AccountMeta(table, False, True),
        AccountMeta(owner, True, False),
        AccountMeta(owner, True, True),
        AccountMeta(Pubkey.default(), False, False),
    ]
    create_table = Instruction(TABLES, struct.pack("<IQB", 0, recent, bump), table_accounts)
    extend = Instruction(TABLES, struct.pack("<IQ", 2, 1) + bytes(to), table_accounts)

    def send(message: Any) -> Landed | Refused:
        return bank.submit(VersionedTransaction(message, [payer]))

    made = send(
        Message.new_with_blockhash([create_table, extend], owner, bank.hashes.at(bank.slot))
    )
    assert isinstance(made, Landed)
    assert made.outcome.error is None
    time.slots(1)
    bank.tick()

    from solders.address_lookup_table_account import AddressLookupTableAccount

    pay = transfer(TransferParams(from_pubkey=owner, to_pubkey=to, lamports=SOL))
    known = AddressLookupTableAccount(table, [to])
    used = send(MessageV0.try_compile(owner, [pay], [known], bank.hashes.at(bank.slot)))
    assert isinstance(used, Landed)
    assert used.outcome.error is None
    assert used.outcome.loaded.writable == [to]

    again = open_bank()
    assert again.vm.balance(to) == SOL
    assert again.vm.account(table) == bank.vm.account(table)


def test_the_log_gives_the_same_chain_again(open_bank: Callable[[], Bank], time: Time) -> None:
    bank, payer, to = open_bank(), Keypair(), Pubkey.new_unique()
    bank.airdrop(payer.pubkey(), 100 * SOL)
    for n in range(50):
        time.slots(n % 3)
        bank.submit(_pay(bank, payer, to, SOL + n))
    system = Pubkey.default()
    before = bank.vm.program_accounts(system)
    history = bank.history.of_address(to)
    again = open_bank()
    assert again.vm.program_accounts(system) == before
    found = again.history.of_address(to)
    assert [(i.signature, i.slot, i.unix_time, i.place) for i in found] == [
        (i.signature, i.slot, i.unix_time, i.place) for i in history
    ]
    assert again.genesis_hash == bank.genesis_hash
    assert again.slot > history[0].slot
    assert Hash.default() != again.genesis_hash
