"""Recent blockhashes: one per slot, valid for 150 slots.

A blockhash is sha256(seed, slot). The seed is random and belongs to the state folder, so nobody
outside can foresee a hash, no two states share one, and a restart knows every past hash again
without a record for each.
"""

from __future__ import annotations

import hashlib

from solders.hash import Hash

# solana-clock MAX_PROCESSING_AGE: a transaction lands while its blockhash is at most this old.
MAX_AGE = 150

# Hashes are known for longer, because a client may look at the chain as it was finalized.
_KEPT = MAX_AGE + 64


class BlockhashQueue:
    """The hashes that a transaction may name at the current slot."""

    def __init__(self, seed: bytes, first_slot: int) -> None:
        self._seed = seed
        self._first = first_slot
        self._slot = first_slot - 1
        self._slots: dict[str, int] = {}

    def at(self, slot: int) -> Hash:
        """The blockhash of any slot."""
        return Hash(hashlib.sha256(self._seed + slot.to_bytes(8, "little")).digest())

    def advance(self, slot: int) -> None:
        """Moves to `slot`: adds what is new, forgets what is too old."""
        for new in range(max(self._slot + 1, slot - _KEPT, self._first), slot + 1):
            self._slots[str(self.at(new))] = new
        self._slot = slot
        # Insertion order is slot order, so the old ones are in front.
        while self._slots:
            oldest = next(iter(self._slots))
            if self._slots[oldest] >= slot - _KEPT:
                break
            del self._slots[oldest]

    def is_valid(self, blockhash: str, slot: int | None = None) -> bool:
        """Whether a transaction may name this blockhash at a slot (the newest, if none is said)."""
        at = self._slot if slot is None else slot
        made = self._slots.get(blockhash)
        return made is not None and at - MAX_AGE <= made <= at

    def __len__(self) -> int:
        return len(self._slots)
