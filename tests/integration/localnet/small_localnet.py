"""A localnet that saves its store all the time, in small files, and keeps little history: what else
takes hours happens within a second. Arguments as those of the localnet."""

from __future__ import annotations

import sys

from cbctl.localnet import bank, durability, ledger
from cbctl.localnet.__main__ import main

HISTORY_BYTES = 600_000

# Only in a process of its own: tests import this file for the number above.
if __name__ == "__main__":
    durability.SAVE_BYTES = 20_000
    durability.SAVE_SECONDS = 0.05
    ledger.SEGMENT_BYTES = 100_000
    bank.HISTORY_BYTES = HISTORY_BYTES  # type: ignore[attr-defined]
    sys.exit(main())
