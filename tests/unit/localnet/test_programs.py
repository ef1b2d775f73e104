"""Visibility of program code when another program calls it."""

from __future__ import annotations

from collections.abc import Callable

from solders.account import Account
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.localnet.programs import UPGRADEABLE_LOADER, ProgramVisibility
from cbctl.localnet.slots import FIRST_SLOT
from cbctl.localnet.vm import Vm

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


def _create_associated_account(payer: Keypair, mint: Pubkey) -> VersionedTransaction:
    """The associated token program, which calls the token program."""
    owner = payer.pubkey()
    address, _ = Pubkey.find_program_address([bytes(owner), bytes(TOKEN), bytes(mint)], ASSOCIATED)
    accounts = [
        AccountMeta(owner, True, True),
        AccountMeta(address, False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(Pubkey.default(), False, False),
        AccountMeta(TOKEN, False, False),
    ]
    message = Message.new_with_blockhash(
        [Instruction(ASSOCIATED, b"\x01", accounts)], owner, Hash.default()
    )
    return VersionedTransaction(message, [payer])


def _vm_with_token_deployed_in(slot: int) -> tuple[Vm, Keypair, Pubkey]:
    vm = Vm(lambda _: Hash.default())
    vm.enter(slot, 0, 0)
    payer, mint = Keypair(), Pubkey.new_unique()
    vm.load([(payer.pubkey(), Account(10**12, b"", Pubkey.default()))])
    svm = vm._svm
    # spl-token Mint: no authority, supply 0, 6 decimals, initialized, no freeze authority.
    data = bytes(36) + bytes(8) + b"\x06\x01" + bytes(36)
    svm.set_account(mint, Account(10**9, data, TOKEN))
    program = svm.get_account(TOKEN)
    assert program is not None
    code_address = Pubkey.from_bytes(bytes(program.data[4:36]))
    code = svm.get_account(code_address)
    assert code is not None
    changed = code.data[:4] + slot.to_bytes(8, "little") + code.data[12:]
    svm.set_account(code_address, Account(code.lamports, changed, UPGRADEABLE_LOADER))
    return vm, payer, mint


def test_new_code_cannot_be_called_by_another_program_in_its_slot() -> None:
    slot = FIRST_SLOT + 10
    vm, payer, mint = _vm_with_token_deployed_in(slot)
    vm._programs.after_transaction([UPGRADEABLE_LOADER, TOKEN], slot)
    transaction = _create_associated_account(payer, mint)

    early = vm.execute(transaction)
    assert early.landed
    assert early.error == {"InstructionError": [0, "UnsupportedProgramId"]}
    assert "Program is not deployed" in early.meta.logs()
    # Being named by a transaction must not make it callable either.
    assert vm.execute(transaction).error == early.error

    vm.enter(slot + 1, 0, 0)
    assert vm.execute(transaction).error is None


def test_code_of_an_earlier_slot_stays_callable() -> None:
    slot = FIRST_SLOT + 10
    vm, payer, mint = _vm_with_token_deployed_in(slot)
    vm.enter(slot + 1, 0, 0)
    vm._programs.after_transaction([UPGRADEABLE_LOADER, TOKEN], slot + 1)
    assert vm.execute(_create_associated_account(payer, mint)).error is None


def test_other_transactions_leave_programs_alone() -> None:
    class Untouchable:
        get_account: Callable[[Pubkey], Account | None]

        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    visibility = ProgramVisibility(Untouchable())  # type: ignore[arg-type]
    visibility.after_transaction([TOKEN, ASSOCIATED], FIRST_SLOT)
    visibility.enter_slot()
