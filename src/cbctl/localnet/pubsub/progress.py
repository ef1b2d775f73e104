"""Which slots have become confirmed or final since the last look."""

from __future__ import annotations

from collections.abc import Iterator

from cbctl.localnet.bank import Bank
from cbctl.localnet.commitment import CONFIRMED_AFTER, FINALIZED_AFTER

AFTER = {"confirmed": CONFIRMED_AFTER, "finalized": FINALIZED_AFTER}

# When the clock was moved far, so many of the empty slots are told of.
SPAN = 200


class Progress:
    """Goes through every slot that holds transactions, in order, once for each commitment."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._before = bank.genesis.first_slot - 1
        self.reached = {name: self._start(after) for name, after in AFTER.items()}

    def _start(self, after: int) -> int:
        return max(self._before, self._bank.slot - after)

    def skip(self) -> None:
        """Nobody listened for a while: what is long past is not told any more."""
        for name, after in AFTER.items():
            self.reached[name] = max(self.reached[name], self._start(after) - SPAN)

    def advance(self, commitment: str) -> Iterator[int]:
        """The slots that have now got so far."""
        bank, end = self._bank, self._bank.slot - AFTER[commitment]
        while (slot := self.reached[commitment] + 1) <= end:
            newest = bank.history.at_or_before(end)
            if newest is None or newest.slot < slot:
                slot = max(slot, end - SPAN + 1)
            last = bank.history.at_or_before(slot)
            if last is not None and bank.commitment(last) == "processed":
                return  # not on disk yet
            self.reached[commitment] = slot
            yield slot

    def behind(self) -> bool:
        """Whether a slot is old enough to be confirmed and only waits for the disk."""
        return self.reached["confirmed"] < self._bank.slot - CONFIRMED_AFTER
