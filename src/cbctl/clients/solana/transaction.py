"""Signed transactions: legacy for the small ones, version 1 where more bytes help.

Sources: SIMD-0385 (transaction v1: 4,096 bytes, limits and priority fee in the message header; live
on mainnet-beta since 2026-09-15), Agave's PACKET_DATA_SIZE (1,232 bytes for legacy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from cbctl.clients.solana.signer import Signer

LEGACY_SIZE = 1_232
V1_SIZE = 4_096
BUDGET_UNITS = 150  # that each instruction of the compute budget takes


@dataclass(frozen=True)
class Limits:
    """What a transaction may use.

    units        compute units
    loaded_data  bytes of all accounts together; without it the cluster charges for 64 MiB. Only
                 in version 1: of a small legacy transaction it would take the room
    v1           as a transaction of version 1
    """

    units: int
    loaded_data: int | None = None
    v1: bool = True


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
    price: int = 0,
) -> Signed:
    """`signers` may repeat the payer and each other. For limits and price see `compile_message`."""
    keys = {key.pubkey(): key for key in (payer, *signers)}
    message = compile_message(instructions, payer.pubkey(), blockhash, limits, price)
    needed = message.account_keys[: message.header.num_required_signatures]
    # only those the message asks for: a superfluous one is an error
    signed = to_bytes_versioned(message)
    signatures = [keys[key].sign_message(signed) for key in needed]
    transaction = VersionedTransaction.populate(message, signatures)
    return Signed(str(transaction.signatures[0]), bytes(transaction))


def compile_message(
    instructions: Sequence[Instruction],
    payer: Pubkey,
    blockhash: str,
    limits: Limits | None,
    price: int = 0,
) -> Message | MessageV1:
    """
    limits  none: those of the cluster, in a legacy message
    price   of a compute unit, in millionths of a lamport, where there are limits
    """
    recent = Hash.from_string(blockhash)
    if limits is not None and limits.v1:
        header = TransactionConfig(
            compute_unit_limit=limits.units,
            loaded_accounts_data_size_limit=limits.loaded_data,
            priority_fee=priority_fee(limits, price) or None,
        )
        return MessageV1.try_compile(payer, instructions, recent, header)
    if limits is not None and price:
        budget = (
            set_compute_unit_limit(_with_budget(limits)),
            set_compute_unit_price(price),
        )
        return Message.new_with_blockhash([*budget, *instructions], payer, recent)
    return Message.new_with_blockhash(instructions, payer, recent)


def priority_fee(limits: Limits | None, price: int) -> int:
    """Lamports beside the fee for signatures, rounded up as the runtime does."""
    if limits is None or not price:
        return 0
    units = limits.units if limits.v1 else _with_budget(limits)
    return -(-units * price // 1_000_000)


def message_bytes(message: Message | MessageV1) -> bytes:
    """As it goes over the wire, with the version that it has."""
    return to_bytes_versioned(message)


def unsigned(message: Message | MessageV1) -> bytes:
    """With empty signatures, as a simulation takes it that checks none."""
    empty = [Signature.default()] * message.header.num_required_signatures
    return bytes(VersionedTransaction.populate(message, empty))


def legacy_size(
    instructions: Sequence[Instruction], payer: Pubkey, limits: Limits | None = None, price: int = 0
) -> int:
    """Bytes of the legacy transaction, signatures included."""
    message = compile_message(instructions, payer, str(Hash.default()), limits, price)
    return 1 + 64 * message.header.num_required_signatures + len(bytes(message))


def _with_budget(limits: Limits) -> int:
    return limits.units + 2 * BUDGET_UNITS
