"""Where airdrops come from; it also stands for the one node of this cluster."""

from __future__ import annotations

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction


class Faucet:
    """An account that a chain begins with."""

    def __init__(self, seed: str) -> None:
        self._keypair = Keypair.from_seed(bytes.fromhex(seed))

    @property
    def address(self) -> Pubkey:
        """Of the account."""
        return self._keypair.pubkey()

    def airdrop(
        self, to: Pubkey, lamports: int, blockhash: Hash, number: int
    ) -> VersionedTransaction:
        """A transfer. Equal airdrops of one slot would be one transaction: as its unit limit, their
        number makes them different."""
        pay = TransferParams(from_pubkey=self.address, to_pubkey=to, lamports=lamports)
        message = Message.new_with_blockhash(
            [set_compute_unit_limit(10_000 + number % 1_000_000), transfer(pay)],
            self.address,
            blockhash,
        )
        return VersionedTransaction(message, [self._keypair])
