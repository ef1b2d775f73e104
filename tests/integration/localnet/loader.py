"""The upgradeable loader's instructions, as a deploy tool sends them.

Layout: solana-loader-v3-interface.
"""

from __future__ import annotations

import struct

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.solders import LiteSVM
from solders.system_program import CreateAccountParams, create_account
from tests.integration.localnet.support import Localnet

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
SYSTEM = Pubkey.from_string("11111111111111111111111111111111")


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


def _create(net: Localnet, payer: Keypair, address: Pubkey, space: int) -> Instruction:
    return create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=address,
            lamports=net.rent(space),
            space=space,
            owner=LOADER,
        )
    )


def upload(net: Localnet, payer: Keypair, elf: bytes) -> Pubkey:
    """A buffer account that holds the ELF."""
    buffer, size = Keypair(), 37 + len(elf)
    net.run(
        [
            _create(net, payer, buffer.pubkey(), size),
            _loader(0, b"", (buffer.pubkey(), False, True), (payer.pubkey(), False, False)),
        ],
        payer,
        buffer,
    )
    for offset in range(0, len(elf), 1_000):
        chunk = elf[offset : offset + 1_000]
        net.run(
            [
                _loader(
                    1,
                    struct.pack("<IQ", offset, len(chunk)) + chunk,
                    (buffer.pubkey(), False, True),
                    (payer.pubkey(), True, False),
                )
            ],
            payer,
            skipPreflight=True,
        )
    return buffer.pubkey()


def deploy_instructions(
    net: Localnet, payer: Keypair, program: Pubkey, buffer: Pubkey, length: int
) -> list[Instruction]:
    return [
        _create(net, payer, program, 36),
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
