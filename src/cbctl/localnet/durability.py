"""When what was written goes to disk: group commit of the ledger, saves of the store, and slots
reserved ahead."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from cbctl.localnet.bank import Bank
from cbctl.localnet.errors import EXIT_FAILED, Stop
from cbctl.localnet.ledger import Ledger
from cbctl.localnet.slots import SlotClock
from cbctl.localnet.state import StateFolder

# Transactions of this long share one fsync. Well under a slot, so that a transaction is on disk
# when its slot's end makes it "confirmed".
COMMIT_DELAY = 0.02


class GroupCommit:
    """Syncs the log soon after an append, in a thread, one sync at a time."""

    def __init__(self, ledger: Ledger, fatal: Callable[[Stop], None]) -> None:
        self._ledger = ledger
        self._fatal = fatal
        self._task: asyncio.Task[None] | None = None

    def soon(self) -> None:
        """To be called after each append."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._ledger.synced < self._ledger.size:
                await asyncio.sleep(COMMIT_DELAY)
                await asyncio.to_thread(self._ledger.sync)
        except OSError as error:
            # After a failed fsync nobody knows what is on disk; only a restart can tell.
            self._fatal(Stop(f"cannot write the ledger: {error}", EXIT_FAILED))
        finally:
            self._task = None

    async def finish(self) -> None:
        """Waits for a sync that is under way."""
        if self._task is not None:
            await self._task


# The store is saved after so many bytes of the ledger (running them again takes about a tenth of a
# second), and after so many seconds in any case.
SAVE_BYTES = 2 * 1024 * 1024
SAVE_SECONDS = 10.0


class Saves:
    """Saves the store from time to time, in a thread, one save at a time."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._task: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()

    def soon(self) -> None:
        """To be called after each append."""
        if self._bank.unsaved >= SAVE_BYTES:
            self._enough.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._bank.unsaved:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), SAVE_SECONDS)
                self._enough.clear()
                self._bank.settle()
                saved = asyncio.wrap_future(self._bank.begin_save())
                await asyncio.wait({saved})
                if saved.exception() is not None:
                    await asyncio.sleep(SAVE_SECONDS)
                self._bank.settle()
        finally:
            self._task = None

    async def finish(self) -> None:
        """Ends; what is not saved is run again by the next start, unless somebody saves it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


class SlotReserve:
    """Keeps the slot mark ahead of the clock, so that a restart never goes back."""

    def __init__(self, state: StateFolder, slot_ms: int) -> None:
        self._state = state
        # 64 is less than the 150 slots that a blockhash lives: what was signed before a crash can
        # still land after it. Only slots far shorter than a cluster's need more than 64.
        self._ahead = max(64, 3_000 // slot_ms)
        self._until = 0
        self._lock = threading.Lock()

    def first_slot(self, last_slot: int) -> int:
        """Where the clock starts: after every slot that a client may have seen."""
        return max(last_slot + 1, self._state.reserved_slot())

    def extend(self, slot: int) -> None:
        """Reserves further slots when less than half of them are left. From any thread."""
        with self._lock:
            if self._until - slot < self._ahead // 2:
                until = slot + self._ahead
                self._state.reserve_slots(until)
                self._until = until

    def cover(self, slot: int) -> None:
        """To be called before a slot is shown: `keep` comes late after a SIGSTOP, say."""
        if slot >= self._until:
            try:
                self.extend(slot)
            except OSError as error:
                raise _unwritable(error) from None

    def close(self, next_slot: int) -> None:
        """An orderly end: the next start goes on exactly here."""
        with self._lock:
            self._until = next_slot
            self._state.reserve_slots(next_slot, in_order=True)

    async def keep(self, clock: SlotClock, fatal: Callable[[Stop], None]) -> None:
        """Extends forever."""
        pause = clock.slot_ms * self._ahead / 8_000
        try:
            while True:
                await asyncio.sleep(pause)
                await asyncio.to_thread(self.extend, clock.slot())
        except OSError as error:
            fatal(_unwritable(error))


def _unwritable(error: OSError) -> Stop:
    return Stop(f"cannot write the state folder: {error}", EXIT_FAILED)
