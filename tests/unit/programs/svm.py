"""A Solana VM with mainnet's features and programs deployed by the real upgradeable loader."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

SYSTEM_PROGRAM = Pubkey.from_string("11111111111111111111111111111111")
LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
RENT_SYSVAR = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK_SYSVAR = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")

BUFFER_HEADER = 37
PROGRAM_LENGTH = 36
# the largest Write beside one signature in a legacy transaction is a little over this
WRITE_LENGTH = 900
# for ELFs that replace a smaller one
ROOM = 100_000


@dataclass(frozen=True)
class Outcome:
    """What became of a transaction. `error`: a custom error's number, else its text."""

    error: int | str | None
    logs: list[str]
    compute_units: int

    @property
    def events(self) -> list[bytes]:
        """What the program logged as data; of a failed transaction too."""
        prefix = "Program data: "
        return [base64.b64decode(line[len(prefix) :]) for line in self.logs if prefix in line]


@dataclass(frozen=True)
class Program:
    """A deployed program."""

    id: Pubkey
    data: Pubkey
    upgrade_authority: Keypair


@dataclass
class Chain:
    """One VM. Every transaction gets a blockhash of its own, so that it may be repeated."""

    vm: LiteSVM = field(default_factory=lambda: _mainnet_vm())
    key: Callable[[], Keypair] = Keypair
    """New keys; where figures must not depend on chance, always the same ones."""

    def funded(self, lamports: int = 10**12) -> Keypair:
        """A new account with money."""
        keypair = self.key()
        self.vm.airdrop(keypair.pubkey(), lamports)
        return keypair

    def send(self, instructions: Sequence[Instruction], *signers: Keypair) -> Outcome:
        """Sends one transaction; the first signer pays."""
        self.vm.expire_blockhash()
        message = Message(instructions, signers[0].pubkey())
        result = self.vm.send_transaction(
            Transaction(list(signers), message, self.vm.latest_blockhash())
        )
        if isinstance(result, FailedTransactionMetadata):
            meta = result.meta()
            reason = result.err()
            code = getattr(getattr(reason, "err", None), "code", None)
            error = code if isinstance(code, int) else str(reason)
            return Outcome(error, meta.logs(), meta.compute_units_consumed())
        return Outcome(None, result.logs(), result.compute_units_consumed())

    def must(self, instructions: Sequence[Instruction], *signers: Keypair) -> Outcome:
        """Sends one transaction that has to succeed."""
        outcome = self.send(instructions, *signers)
        assert outcome.error is None, "\n".join([str(outcome.error), *outcome.logs])
        return outcome

    def account(self, address: Pubkey) -> Account | None:
        return self.vm.get_account(address)

    def data(self, address: Pubkey) -> bytes:
        account = self.account(address)
        assert account is not None, f"{address} does not exist"
        return bytes(account.data)

    def put(self, address: Pubkey, data: bytes, owner: Pubkey) -> None:
        """Forges an account: states that no transaction leads to."""
        lamports = self.rent(len(data))
        self.vm.set_account(address, Account(lamports, data, owner))

    def rent(self, length: int) -> int:
        return self.vm.minimum_balance_for_rent_exemption(length)

    def next_slot(self) -> None:
        """A program deployed in one slot can be called from the next."""
        self.vm.warp_to_slot(self.vm.get_clock().slot + 1)

    def deploy(self, elf: bytes, authority: Keypair, program: Keypair | None = None) -> Program:
        """Buffer, writes and DeployWithMaxDataLen, as a deploy tool does it."""
        owner = authority.pubkey()
        program = program or Keypair()
        program_data = program_data_address(program.pubkey())
        writable_buffer = AccountMeta(self._buffer(elf, authority), False, True)
        signing_owner = AccountMeta(owner, True, False)
        self.must(
            [
                _create_account(owner, program.pubkey(), self.rent(PROGRAM_LENGTH), PROGRAM_LENGTH),
                _loader(
                    2,
                    struct.pack("<Q", max(len(elf), ROOM)),
                    [
                        AccountMeta(owner, True, True),
                        AccountMeta(program_data, False, True),
                        AccountMeta(program.pubkey(), False, True),
                        writable_buffer,
                        AccountMeta(RENT_SYSVAR, False, False),
                        AccountMeta(CLOCK_SYSVAR, False, False),
                        AccountMeta(SYSTEM_PROGRAM, False, False),
                        signing_owner,
                    ],
                ),
            ],
            authority,
            program,
        )
        self.next_slot()
        return Program(program.pubkey(), program_data, authority)

    def upgrade(self, program: Program, elf: bytes) -> None:
        """Replaces the code; the new one can be called from the next slot."""
        authority = program.upgrade_authority
        accounts = [
            AccountMeta(program.data, False, True),
            AccountMeta(program.id, False, True),
            AccountMeta(self._buffer(elf, authority), False, True),
            AccountMeta(authority.pubkey(), False, True),
            AccountMeta(RENT_SYSVAR, False, False),
            AccountMeta(CLOCK_SYSVAR, False, False),
            AccountMeta(authority.pubkey(), True, False),
        ]
        self.must([_loader(3, b"", accounts)], authority)
        self.next_slot()

    def _buffer(self, elf: bytes, authority: Keypair) -> Pubkey:
        owner, buffer = authority.pubkey(), Keypair()
        writable_buffer = AccountMeta(buffer.pubkey(), False, True)
        size = BUFFER_HEADER + len(elf)
        self.must(
            [
                _create_account(owner, buffer.pubkey(), self.rent(size), size),
                _loader(0, b"", [writable_buffer, AccountMeta(owner, False, False)]),
            ],
            authority,
            buffer,
        )
        for offset in range(0, len(elf), WRITE_LENGTH):
            chunk = elf[offset : offset + WRITE_LENGTH]
            body = struct.pack("<IQ", offset, len(chunk)) + chunk
            accounts = [writable_buffer, AccountMeta(owner, True, False)]
            self.must([_loader(1, body, accounts)], authority)
        return buffer.pubkey()

    def set_upgrade_authority(self, program: Program, new: Pubkey | None) -> None:
        """Hands the program on, or makes it immutable."""
        accounts = [
            AccountMeta(program.data, False, True),
            AccountMeta(program.upgrade_authority.pubkey(), True, False),
        ]
        if new is not None:
            accounts.append(AccountMeta(new, False, False))
        self.must([_loader(4, b"", accounts)], program.upgrade_authority)


def program_data_address(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def transfer(source: Pubkey, target: Pubkey, lamports: int) -> Instruction:
    return Instruction(
        SYSTEM_PROGRAM,
        struct.pack("<IQ", 2, lamports),
        [AccountMeta(source, True, True), AccountMeta(target, False, True)],
    )


def _create_account(payer: Pubkey, new: Pubkey, lamports: int, space: int) -> Instruction:
    return Instruction(
        SYSTEM_PROGRAM,
        struct.pack("<IQQ", 0, lamports, space) + bytes(LOADER),
        [AccountMeta(payer, True, True), AccountMeta(new, True, True)],
    )


def _loader(tag: int, body: bytes, accounts: list[AccountMeta]) -> Instruction:
    return Instruction(LOADER, struct.pack("<I", tag) + body, accounts)


def _mainnet_vm() -> LiteSVM:
    return (
        LiteSVM.default()
        .with_mainnet_features()
        .with_builtins()
        .with_lamports(10**18)
        .with_sysvars()
        .with_feature_accounts()
        .with_default_programs()
        .with_sigverify(True)
        .with_blockhash_check(True)
    )
