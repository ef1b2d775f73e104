"""What landed: by signature, by address, by slot.

The signed bytes stay in the ledger; here is what only running a transaction tells.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from solders.pubkey import Pubkey

from cbctl.localnet.ledger import Place
from cbctl.localnet.vm import Outcome


class Landed(NamedTuple):
    """A transaction in the chain; `number` counts them from the beginning of the chain."""

    signature: str
    number: int
    slot: int
    unix_time: int
    place: Place
    outcome: Outcome


class History:
    """Every landed transaction, in order."""

    def __init__(self) -> None:
        self._all: list[Landed] = []
        self._slots: list[int] = []
        self._by_signature: dict[str, int] = {}
        self._by_address: dict[Pubkey, list[int]] = {}

    def add(
        self, signature: str, slot: int, unix_time: int, place: Place, outcome: Outcome
    ) -> None:
        """Appends; slots never go back."""
        index = len(self._all)
        self._all.append(Landed(signature, index, slot, unix_time, place, outcome))
        self._slots.append(slot)
        self._by_signature[signature] = index
        for key in outcome.keys:
            self._by_address.setdefault(key, []).append(index)

    def get(self, signature: str) -> Landed | None:
        """By signature."""
        index = self._by_signature.get(signature)
        return None if index is None else self._all[index]

    def of_address(self, address: Pubkey) -> list[Landed]:
        """Newest first."""
        return [self._all[i] for i in reversed(self._by_address.get(address, []))]

    def in_slot(self, slot: int) -> list[Landed]:
        """In the order in which they ran."""
        return self._all[bisect_left(self._slots, slot) : bisect_right(self._slots, slot)]

    def at_or_before(self, slot: int) -> Landed | None:
        """The newest transaction that is not after a slot."""
        end = bisect_right(self._slots, slot)
        return self._all[end - 1] if end else None

    def __len__(self) -> int:
        return len(self._all)
