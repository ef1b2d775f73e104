"""What landed: by signature, by address, by slot.

The signed bytes stay in the ledger; here is what only running a transaction tells.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
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
    ) -> Landed:
        """Appends; slots never go back."""
        index = len(self._all)
        landed = Landed(signature, index, slot, unix_time, place, outcome)
        self._all.append(landed)
        self._slots.append(slot)
        self._by_signature[signature] = index
        for key in outcome.keys:
            self._by_address.setdefault(key, []).append(index)
        return landed

    def get(self, signature: str) -> Landed | None:
        """By signature."""
        index = self._by_signature.get(signature)
        return None if index is None else self._all[index]

    def of_address(self, address: Pubkey) -> list[Landed]:
        """Newest first."""
        return [self._all[i] for i in reversed(self._by_address.get(address, []))]

    def index_in_slot(self, landed: Landed) -> int:
        """How many landed in its slot before it."""
        return landed.number - self.count_until(landed.slot - 1)

    def in_slot(self, slot: int) -> list[Landed]:
        """In the order in which they ran."""
        return self._all[bisect_left(self._slots, slot) : bisect_right(self._slots, slot)]

    def count_until(self, slot: int) -> int:
        """How many transactions there are in the chain up to a slot."""
        newest = self.at_or_before(slot)
        return 0 if newest is None else newest.number + 1

    def addresses(self) -> Iterable[Pubkey]:
        """Every address that a transaction named."""
        return self._by_address

    def at_or_before(self, slot: int) -> Landed | None:
        """The newest transaction that is not after a slot."""
        end = bisect_right(self._slots, slot)
        return self._all[end - 1] if end else None

    def __len__(self) -> int:
        return len(self._all)
