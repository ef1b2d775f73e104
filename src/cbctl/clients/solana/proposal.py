"""A transaction that only somebody else can sign: a multisig's vault.

The vault pays its fee, so that it is the only signer, as what proposes transactions to multisigs
wants it. Its blockhash is left empty: one that was put in now would be old before all have signed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from cbctl.clients.solana import base58
from cbctl.clients.solana.transaction import compile_message, unsigned


@dataclass(frozen=True)
class Proposal:
    """wire: a legacy transaction with an empty signature."""

    wire: bytes

    @property
    def base58(self) -> str:
        return base58.encode(self.wire)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.wire).decode()


def propose(vault: Pubkey, *instructions: Instruction) -> Proposal:
    return Proposal(unsigned(compile_message(instructions, vault, str(Hash.default()), None)))
