"""How sure what landed is: how many slots ago it was, and whether the disk has it."""

from __future__ import annotations

from collections import deque

from cbctl.localnet.ledger import Ledger

# Slots behind the newest after which a transaction is confirmed and finalized.
CONFIRMED_AFTER = 1
FINALIZED_AFTER = 32


class Commitments:
    """Never more than "processed" before it is on disk."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Slots of which not all was on disk when last looked, and how long the ledger must be for
        # it.
        self._waiting: deque[tuple[int, int]] = deque()

    def landed(self, slot: int, end: int) -> None:
        """The ledger holds a transaction of a slot up to a position."""
        if self._waiting and self._waiting[-1][0] == slot:
            self._waiting.pop()
        self._waiting.append((slot, end))

    def of(self, age: int, end: int) -> str:
        """Of a transaction.

        age  how many slots ago it landed
        end  the ledger's size from which on it is complete
        """
        if age < CONFIRMED_AFTER or self._ledger.synced < end:
            return "processed"
        return "finalized" if age >= FINALIZED_AFTER else "confirmed"

    def slot(self, commitment: str, newest: int) -> int:
        """The last slot that has got so far, with all that landed in it."""
        if commitment == "processed":
            return newest
        waiting = self._waiting
        while waiting and waiting[0][1] <= self._ledger.synced:
            waiting.popleft()
        slot = newest - (CONFIRMED_AFTER if commitment == "confirmed" else FINALIZED_AFTER)
        return min(slot, waiting[0][0] - 1) if waiting else slot
