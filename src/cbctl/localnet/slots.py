"""Slots that follow the monotonic clock, and the epochs that follow from slots."""

from __future__ import annotations

import time
from collections.abc import Callable

# Where the VM's own sysvars start. The activation slots of the mainnet feature set lie before it,
# so feature accounts read as active; starting at 0 would put them in the future.
FIRST_SLOT = 435_888_000

# The largest number that every client's JSON holds exactly, and the end of the year 9999.
MAX_SLOT = 2**53 - 1
MAX_UNIX_TIME = 253_402_300_799

# Mainnet's epoch schedule (solana-epoch-schedule): warm-up epochs double from 32 slots.
SLOTS_PER_EPOCH = 432_000
FIRST_NORMAL_EPOCH = 14
FIRST_NORMAL_SLOT = 524_256
_SHORTEST_EPOCH = 32


def epoch_of(slot: int) -> tuple[int, int]:
    """Epoch and index in it of a slot."""
    if slot < FIRST_NORMAL_SLOT:
        epoch = ((slot + _SHORTEST_EPOCH) // _SHORTEST_EPOCH).bit_length() - 1
        return epoch, slot - first_slot_of(epoch)
    epochs, index = divmod(slot - FIRST_NORMAL_SLOT, SLOTS_PER_EPOCH)
    return FIRST_NORMAL_EPOCH + epochs, index


def first_slot_of(epoch: int) -> int:
    """The first slot of an epoch, of those before the normal ones too."""
    if epoch < FIRST_NORMAL_EPOCH:
        return ((1 << epoch) - 1) * _SHORTEST_EPOCH
    return FIRST_NORMAL_SLOT + (epoch - FIRST_NORMAL_EPOCH) * SLOTS_PER_EPOCH


class SlotClock:
    """The current slot: `base` at construction, one more every `slot_ms` milliseconds."""

    def __init__(
        self, base: int, slot_ms: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.slot_ms = slot_ms
        self._base = base
        self._monotonic = monotonic
        self._start = monotonic()

    def slot(self) -> int:
        """The slot of this moment; never goes back."""
        return self._base + int(self._slots())

    def seconds_left(self) -> float:
        """Until the next slot begins."""
        return (1 - self._slots() % 1) * self.slot_ms / 1000

    def _slots(self) -> float:
        return (self._monotonic() - self._start) * 1000 / self.slot_ms

    def advance(self, slots: int) -> None:
        """Jumps ahead."""
        self._base += slots

    def restart(self, slot: int, slot_ms: int) -> None:
        """Goes on from a slot, perhaps at another pace."""
        self._base = slot
        self.slot_ms = slot_ms
        self._start = self._monotonic()
