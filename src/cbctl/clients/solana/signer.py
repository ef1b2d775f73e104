"""Who can sign: all that sending a transaction needs to know of a key."""

from __future__ import annotations

from typing import Protocol

from solders.pubkey import Pubkey
from solders.signature import Signature


class Signer(Protocol):
    """A `Keypair` is one; so is a key that stays where it is."""

    def pubkey(self) -> Pubkey:
        """The address that signs."""

    def sign_message(self, message: bytes) -> Signature:
        """The signature of a transaction's message."""
