"""A chain without HTTP on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.localnet.support import Time

from cbctl.localnet.bank import Bank
from cbctl.localnet.ledger import Genesis, Ledger, create
from cbctl.localnet.slots import FIRST_SLOT, SlotClock


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def open_bank(tmp_path: Path, time: Time) -> Iterator[Callable[[], Bank]]:
    """A function that opens the same state again, as a restart does."""
    path = tmp_path / "ledger"
    create(path, Genesis("01" * 32, "02" * 32, "03" * 32, 10**17, FIRST_SLOT, 1_790_000_000, "vm"))
    ledgers: list[Ledger] = []

    def opener() -> Bank:
        if ledgers:
            ledgers.pop().close()
        ledger = Ledger(path)
        ledgers.append(ledger)
        clock = SlotClock(max(FIRST_SLOT, ledger.last_slot + 1), 200, monotonic=lambda: time.now)
        return Bank(ledger, clock, wall=lambda: 1_790_000_000 + time.now)

    yield opener
    for ledger in ledgers:
        ledger.close()
