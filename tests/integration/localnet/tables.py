"""Address lookup tables, made as any client makes one. Layouts: address-lookup-table-interface."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from tests.integration.localnet.support import Localnet

TABLE_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_SYSTEM = Pubkey.from_string("11111111111111111111111111111111")


def make_table(
    net: Localnet, payer: Keypair, addresses: Sequence[Pubkey]
) -> AddressLookupTableAccount:
    """Confirmed, and usable in the next transaction."""
    owner, slot = payer.pubkey(), net.slot() - 1
    table, bump = Pubkey.find_program_address(
        [bytes(owner), struct.pack("<Q", slot)], TABLE_PROGRAM
    )
    create = Instruction(
        TABLE_PROGRAM,
        struct.pack("<IQB", 0, slot, bump),
        [
            AccountMeta(table, is_signer=False, is_writable=True),
            AccountMeta(owner, is_signer=True, is_writable=False),
            AccountMeta(owner, is_signer=True, is_writable=True),
            AccountMeta(_SYSTEM, is_signer=False, is_writable=False),
        ],
    )
    extend = Instruction(
        TABLE_PROGRAM,
        struct.pack("<IQ", 2, len(addresses)) + b"".join(map(bytes, addresses)),
        create.accounts,
    )
    net.confirm(net.run([create, extend], payer))
    return AddressLookupTableAccount(table, list(addresses))


def send_with_table(
    net: Localnet,
    instructions: Sequence[Instruction],
    payer: Keypair,
    table: AddressLookupTableAccount,
) -> str:
    """The signature of a transaction of version 0."""
    message = MessageV0.try_compile(payer.pubkey(), list(instructions), [table], net.blockhash())
    return net.send(VersionedTransaction(message, [payer]))
