"""The sysvars that hold the hashes of slots. They change with every slot, and hold too many hashes
to be made for everyone: they are made for those who read them."""

from __future__ import annotations

import struct
from collections.abc import Callable

from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.solders import LiteSVM

from cbctl.localnet.blockhash import MAX_AGE
from cbctl.localnet.nonce import RECENT_BLOCKHASHES, SYSVARS
from cbctl.localnet.transactions import LAMPORTS_PER_SIGNATURE, SLOT_HASHES

SLOT_HASHES_LENGTH = 512  # solana-slot-hashes MAX_ENTRIES


class HashSysvars:
    """SlotHashes and RecentBlockhashes of the VM, each made once in a slot."""

    def __init__(self, svm: LiteSVM, blockhash_at: Callable[[int], Hash]) -> None:
        self._svm = svm
        self._blockhash_at = blockhash_at
        self._slot = -1
        self._provided: set[Pubkey] = set()

    def enter(self, slot: int) -> None:
        """A slot begins."""
        self._slot = slot
        self._provided.clear()

    def provide(self, address: Pubkey) -> None:
        """Makes one of the two; does nothing for other addresses."""
        if address in self._provided:
            return
        if address == SLOT_HASHES:
            newest = self._slot - 1
            slots = range(newest, newest - SLOT_HASHES_LENGTH, -1)
            self._svm.set_slot_hashes([(s, self._blockhash_at(s)) for s in slots])
        elif address == RECENT_BLOCKHASHES:
            self._svm.set_account(RECENT_BLOCKHASHES, Account(1, self._blockhashes(), SYSVARS))
        else:
            return
        self._provided.add(address)

    def _blockhashes(self) -> bytes:
        """u64 length, then hash and u64 fee, newest first."""
        slots = range(self._slot, self._slot - MAX_AGE, -1)
        fee = struct.pack("<Q", LAMPORTS_PER_SIGNATURE)
        entries = b"".join(bytes(self._blockhash_at(slot)) + fee for slot in slots)
        return struct.pack("<Q", MAX_AGE) + entries
