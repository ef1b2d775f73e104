"""Signed transactions: legacy for the small ones, version 1 where more bytes help.

Sources: SIMD-0385 (transaction v1: 4,096 bytes, limits and price in the message header; live on
mainnet-beta since 2026-09-15), Agave's PACKET_DATA_SIZE (1,232 bytes for legacy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from cbctl.clients.solana.signer import Signer

LEGACY_SIZE = 1_232
V1_SIZE = 4_096


@dataclass(frozen=True)
class Limits:
    """Header of a v1 message.

    units        compute units
    loaded_data  bytes of all accounts together; without it the cluster charges for 64 MiB
    """

    units: int
    loaded_data: int


@dataclass(frozen=True)
class Signed:
    signature: str
    wire: bytes


def sign(
    instructions: Sequence[Instruction],
    payer: Signer,
    signers: Sequence[Signer],
    blockhash: str,
    limits: Limits | None = None,
) -> Signed:
    """limits given: version 1, else legacy. `signers` may repeat the payer and each other."""
    keys = {key.pubkey(): key for key in (payer, *signers)}
    message = compile_message(instructions, payer.pubkey(), blockhash, limits)
    needed = message.account_keys[: message.header.num_required_signatures]
    # only those the message asks for: a superfluous one is an error
    signed = to_bytes_versioned(message)
    signatures = [keys[key].sign_message(signed) for key in needed]
    transaction = VersionedTransaction.populate(message, signatures)
    return Signed(str(transaction.signatures[0]), bytes(transaction))


def compile_message(
    instructions: Sequence[Instruction], payer: Pubkey, blockhash: str, limits: Limits | None
) -> Message | MessageV1:
    recent = Hash.from_string(blockhash)
    if limits is None:
        return Message.new_with_blockhash(instructions, payer, recent)
    header = TransactionConfig(
        compute_unit_limit=limits.units, loaded_accounts_data_size_limit=limits.loaded_data
    )
    return MessageV1.try_compile(payer, instructions, recent, header)


def legacy_size(instructions: Sequence[Instruction], payer: Pubkey) -> int:
    """Bytes of the legacy transaction, signatures included."""
    message = Message.new_with_blockhash(instructions, payer, Hash.default())
    return 1 + 64 * message.header.num_required_signatures + len(bytes(message))
