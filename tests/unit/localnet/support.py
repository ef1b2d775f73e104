"""A bank on a clock that stands until it is moved, opened again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cbctl.localnet import chain as chains
from cbctl.localnet.bank import Bank
from cbctl.localnet.chain import Chain
from cbctl.localnet.genesis import Genesis
from cbctl.localnet.slots import FIRST_SLOT, SlotClock

SOL = 1_000_000_000
START = 1_790_000_000
SLOT_SECONDS = 0.25  # sums of it are exact
GENESIS = Genesis("01" * 32, "02" * 32, "03" * 32, 10**17, FIRST_SLOT, START, "vm", 250)


class Time:
    """The clocks of the machine."""

    def __init__(self) -> None:
        self.now = 0.0

    def slots(self, count: int) -> None:
        self.now += SLOT_SECONDS * count


def open_bank(folder: Path, time: Time, reserved: int = 0) -> Bank:
    """A new chain or the one that is there.

    reserved  the slot that it begins at, unless it knows of a later one"""
    if not chains.exists(folder):
        folder.mkdir(exist_ok=True)
        chains.write(folder, GENESIS, {})
    chain = Chain(folder)
    slot = max(chain.last_slot() + 1, reserved)
    clock = SlotClock(slot, GENESIS.slot_ms, monotonic=lambda: time.now)
    return Bank(chain, clock, wall=lambda: START + time.now)


def banks(folder: Path, time: Time) -> Iterator[Callable[[], Bank]]:
    """A function that closes the bank it made before and opens the state again; nothing is saved
    that the bank did not save itself."""
    opened: list[Bank] = []

    def opener() -> Bank:
        while opened:
            opened.pop().close()
        opened.append(open_bank(folder, time))
        return opened[0]

    yield opener
    for bank in opened:
        bank.close()
