"""Transactions without signatures: to be simulated, or to be signed by somebody else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from cbctl.clients.solana import base58
from cbctl.clients.solana.transaction import compile_message


@dataclass(frozen=True)
class Exported:
    """The same transaction in the two encodings that multisigs and wallets take."""

    base58: str
    base64: str


def unsigned(instructions: Sequence[Instruction], payer: Pubkey, blockhash: str) -> bytes:
    message = compile_message(instructions, payer, blockhash, None)
    empty = [Signature.default()] * message.header.num_required_signatures
    return bytes(VersionedTransaction.populate(message, empty))


def export(instructions: Sequence[Instruction], payer: Pubkey, blockhash: str) -> Exported:
    """The blockhash is replaced by whoever signs: a multisig keeps the instructions alone."""
    wire = unsigned(instructions, payer, blockhash)
    return Exported(base58.encode(wire), base64.b64encode(wire).decode())
