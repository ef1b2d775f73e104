"""What transactions of recent slots paid for their place: agave, runtime `prioritization_fee`."""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from cbctl.localnet.outcome import Outcome
from cbctl.localnet.transactions import (
    LAMPORTS_PER_SIGNATURE,
    AnyMessage,
    budget_of,
    writable_keys,
)

# So many slots with transactions in them are remembered.
MAX_SLOTS = 150


class _Slot:
    """The lowest price of a slot, and of each account that was written to for more than that."""

    __slots__ = ("accounts", "lowest")

    def __init__(self, price: int) -> None:
        self.lowest = price
        self.accounts: dict[Pubkey, int] = {}

    def add(self, price: int, writable: Sequence[Pubkey]) -> None:
        if price < self.lowest:
            self.lowest = price
        accounts = self.accounts
        for key in writable:
            known = accounts.get(key)
            if known is None or price < known:
                accounts[key] = price

    def complete(self) -> None:
        """Whoever pays the lowest price of all pays enough for an account at that price."""
        self.accounts = {k: price for k, price in self.accounts.items() if price > self.lowest}


class PriorityFees:
    """In micro-lamports per compute unit; nothing of before a restart, as on a validator."""

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}
        self._newest = -1

    def landed(self, slot: int, message: AnyMessage, outcome: Outcome) -> None:
        """Takes a transaction in, also one that failed: it has had its place."""
        # Most offer nothing, and looking at every instruction takes longer than all the rest.
        base = message.header.num_required_signatures * LAMPORTS_PER_SIGNATURE
        price = budget_of(message).unit_price if outcome.fee > base else 0
        self.add(slot, price, writable_keys(message, outcome.keys, outcome.loaded))

    def add(self, slot: int, price: int, writable: Sequence[Pubkey]) -> None:
        """The same of a price and the accounts that were written to for it."""
        if slot != self._newest:
            if self._newest >= 0:
                self._slots[self._newest].complete()
            self._newest = slot
            self._slots[slot] = _Slot(price)
            if len(self._slots) > MAX_SLOTS:
                del self._slots[next(iter(self._slots))]
        self._slots[slot].add(price, writable)

    def until(self, slot: int, keys: Sequence[Pubkey]) -> list[tuple[int, int]]:
        """Slot and the price that would have been enough to write to `keys`, oldest first."""
        return [
            (number, max([found.lowest, *(found.accounts.get(key, 0) for key in keys)]))
            for number, found in self._slots.items()
            if number <= slot
        ]
