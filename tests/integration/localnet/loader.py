"""The upgradeable loader's instructions, as a deploy tool sends them.

Layout: solana-loader-v3-interface.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Protocol

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.solders import LiteSVM
from solders.system_program import CreateAccountParams, create_account

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SYSTEM = Pubkey.from_string("11111111111111111111111111111111")


class Net(Protocol):
    """A chain that a tool deploys to."""

    def rent(self, length: int) -> int: ...

    def run(
        self, instructions: Sequence[Instruction], *signers: Keypair, **config: object
    ) -> str: ...


def memo_elf() -> bytes:
    """A small real program: it logs its data and succeeds."""
    account = LiteSVM().get_account(MEMO)
    assert account is not None
    return bytes(account.data)


def programdata_of(program: Pubkey) -> Pubkey:
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def _loader(tag: int, rest: bytes, *accounts: tuple[Pubkey, bool, bool]) -> Instruction:
    return Instruction(
        LOADER, struct.pack("<I", tag) + rest, [AccountMeta(k, s, w) for k, s, w in accounts]
    )


def create(net: Net, payer: Keypair, address: Pubkey, space: int, owner: Pubkey) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=address,
            lamports=net.rent(space),
            space=space,
            owner=owner,
        )
    )


def buffer_instructions(
    net: Net, payer: Keypair, buffer: Keypair, size: int
) -> tuple[Instruction, Instruction]:
    """An account for the ELF, which its own key signs too."""
    return (
        create(net, payer, buffer.pubkey(), size, LOADER),
        _loader(0, b"", (buffer.pubkey(), False, True), (payer.pubkey(), False, False)),
    )


def write_instructions(payer: Keypair, buffer: Pubkey, elf: bytes) -> Iterator[Instruction]:
    """One for each transaction."""
    for offset in range(0, len(elf), 1_000):
        chunk = elf[offset : offset + 1_000]
        yield _loader(
            1,
            struct.pack("<IQ", offset, len(chunk)) + chunk,
            (buffer, False, True),
            (payer.pubkey(), True, False),
        )


def upload(net: Net, payer: Keypair, elf: bytes) -> Pubkey:
    """A buffer account that holds the ELF."""
    buffer = Keypair()
    net.run(buffer_instructions(net, payer, buffer, 37 + len(elf)), payer, buffer)
    for write in write_instructions(payer, buffer.pubkey(), elf):
        net.run([write], payer, skipPreflight=True)
    return buffer.pubkey()


def deploy_instructions(
    net: Net, payer: Keypair, program: Pubkey, buffer: Pubkey, length: int
) -> list[Instruction]:
    return [
        create(net, payer, program, 36, LOADER),
        _loader(
            2,
            struct.pack("<Q", length),
            (payer.pubkey(), True, True),
            (programdata_of(program), False, True),
            (program, False, True),
            (buffer, False, True),
            (RENT, False, False),
            (CLOCK, False, False),
            (SYSTEM, False, False),
            (payer.pubkey(), True, False),
        ),
    ]


def upgrade_instruction(program: Pubkey, buffer: Pubkey, authority: Pubkey) -> Instruction:
    return _loader(
        3,
        b"",
        (programdata_of(program), False, True),
        (program, False, True),
        (buffer, False, True),
        (authority, False, True),
        (RENT, False, False),
        (CLOCK, False, False),
        (authority, True, False),
    )


def close_instruction(program: Pubkey, authority: Pubkey) -> Instruction:
    return _loader(
        5,
        b"",
        (programdata_of(program), False, True),
        (authority, False, True),
        (authority, True, False),
        (program, False, True),
    )


def call_instruction(program: Pubkey, signer: Pubkey, data: bytes = b"hello") -> Instruction:
    return Instruction(program, data, [AccountMeta(signer, True, False)])


def extend_instruction(program: Pubkey, payer: Pubkey, length: int) -> Instruction:
    return _loader(
        6,
        struct.pack("<I", length),
        (programdata_of(program), False, True),
        (program, False, True),
        (SYSTEM, False, False),
        (payer, True, True),
    )
