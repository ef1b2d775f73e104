"""The chain: clock, blockhashes, VM, log and history as one thing.

Not thread-safe: every call comes from the one event loop.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from cbctl.localnet.blockhash import BlockhashQueue
from cbctl.localnet.errors import EXIT_FAILED, Stop, VmPanic
from cbctl.localnet.fees import PriorityFees
from cbctl.localnet.history import History, Landed
from cbctl.localnet.ledger import Entry, Ledger
from cbctl.localnet.slots import SlotClock
from cbctl.localnet.transactions import (
    LAMPORTS_PER_SIGNATURE,
    AnyMessage,
    budget_of,
    writable_keys,
)
from cbctl.localnet.vm import Outcome, Simulation, Vm, panics_named

log = logging.getLogger(__name__)
T = TypeVar("T")

# Slots behind the newest after which a transaction is confirmed and finalized.
CONFIRMED_AFTER = 1
FINALIZED_AFTER = 32


class Refused(NamedTuple):
    """A transaction that did not land; `error` is a TransactionError in serde's JSON form."""

    error: object


class Bank:
    """Construction runs the whole log.

    on_append  called after each record, so that somebody puts it on disk soon
    rpc_port   where it is served, once it is
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: SlotClock,
        on_append: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.genesis = ledger.genesis
        self.clock = clock
        self.rpc_port: int | None = None
        self._ledger = ledger
        self._on_append = on_append
        self._wall = wall
        self.hashes = BlockhashQueue(
            bytes.fromhex(self.genesis.blockhash_seed), self.genesis.first_slot
        )
        self._faucet = Keypair.from_seed(bytes.fromhex(self.genesis.faucet_seed))
        self._airdrops = 0
        self.fees = PriorityFees()
        # Slots of which not all was on disk when last looked, and how long the log must be for it.
        self._waiting: deque[list[int]] = deque()
        self.slot = -1
        self.unix_time = self.genesis.unix_time
        self.vm, self.history = self._run_log()
        # What the log made stays for good: no collection needs to look at it again.
        gc.freeze()
        self.tick()

    @property
    def genesis_hash(self) -> Hash:
        """What names this chain."""
        return Hash(bytes.fromhex(self.genesis.genesis_hash))

    @property
    def faucet(self) -> Pubkey:
        """The account that airdrops come from."""
        return self._faucet.pubkey()

    def _run_log(self) -> tuple[Vm, History]:
        """A VM and history from the log alone."""
        vm = Vm(self.genesis.unix_time, self.hashes.at)
        history = History()
        differing = 0
        # Nothing made here is garbage, and looking for some took a third of the time.
        gc.disable()
        try:
            vm.fund(self._faucet.pubkey(), self.genesis.faucet_lamports)
            for entry, place in self._ledger.entries():
                vm.enter(entry.slot, entry.unix_time)
                transaction = VersionedTransaction.from_bytes(entry.raw)
                outcome = vm.execute(transaction)
                differing += (outcome.error is None) != entry.succeeded
                signature = str(transaction.signatures[0])
                history.add(signature, entry.slot, entry.unix_time, place, outcome)
                self.unix_time = max(self.unix_time, entry.unix_time)
        except VmPanic as panic:
            raise Stop(
                f"the log cannot be run again ({panic}); it was written by {self.genesis.vm}: "
                "use that version, or remove the state folder to start a new chain",
                EXIT_FAILED,
            ) from None
        finally:
            gc.enable()
        if differing:
            log.warning(
                "%d transactions of the log end differently now than when they were sent; "
                "the chain was started with %s",
                differing,
                self.genesis.vm,
            )
        return vm, history

    def tick(self) -> int:
        """Brings slot, blockhashes and the VM's clock to this moment; returns the slot."""
        slot = self.clock.slot()
        if slot > self.slot:
            self.slot = slot
            self.unix_time = max(self.unix_time, int(self._wall()))
            self.hashes.advance(slot)
            self.mended(lambda: self.vm.enter(slot, self.unix_time))
        return slot

    def mended(self, work: Callable[[], T]) -> T:
        """Work with the VM; when it breaks, VmPanic, and the VM is a fresh one from the log."""
        used = self.vm
        try:
            with panics_named:
                return work()
        except VmPanic:
            if self.vm is used:  # else it was replaced further inside
                self._rebuild()
            raise

    def submit(
        self, transaction: VersionedTransaction, *, verified: bool = False
    ) -> Landed | Refused:
        """Runs a transaction, appends it to the log, and remembers it.

        verified  the caller has checked the signatures, which takes half of the time

        VmPanic when the VM broke on it: nothing of it is kept, and the VM is a fresh one.
        """
        self.tick()
        signature = str(transaction.signatures[0])
        if self.history.get(signature) is not None:
            return Refused("AlreadyProcessed")
        if not self.hashes.is_valid(str(transaction.message.recent_blockhash)):
            return Refused("BlockhashNotFound")
        if not verified and not all(transaction.verify_with_results()):
            return Refused("SignatureFailure")
        outcome = self.mended(lambda: self.vm.execute(transaction))
        if not outcome.landed:
            return Refused(outcome.error)
        entry = Entry(self.slot, self.unix_time, outcome.error is None, bytes(transaction))
        try:
            place = self._ledger.append(entry)
        except OSError as error:
            # The VM already holds the change and the log does not: going on would confirm
            # something that a restart loses.
            raise Stop(f"cannot write the ledger: {error}", EXIT_FAILED) from None
        landed = self.history.add(signature, self.slot, self.unix_time, place, outcome)
        self._note_price(transaction.message, outcome)
        if not self._waiting or self._waiting[-1][0] != self.slot:
            self._waiting.append([self.slot, 0])
        self._waiting[-1][1] = place.end
        self._on_append()
        return landed

    def would_succeed(self, transaction: VersionedTransaction) -> bool:
        """Whether it would if it ran now; VmPanic as in `submit`."""
        self.tick()
        return self.mended(lambda: self.vm.would_succeed(transaction))

    def simulate(self, transaction: VersionedTransaction) -> Simulation:
        """All that it would do if it ran now; VmPanic as in `submit`."""
        self.tick()
        return self.mended(lambda: self.vm.simulate(transaction))

    def _note_price(self, message: AnyMessage, outcome: Outcome) -> None:
        # Most offer nothing, and looking at every instruction takes longer than all the rest.
        base = message.header.num_required_signatures * LAMPORTS_PER_SIGNATURE
        price = budget_of(message).unit_price if outcome.fee > base else 0
        self.fees.add(self.slot, price, writable_keys(message, outcome.keys, outcome.loaded))

    def airdrop(self, to: Pubkey, lamports: int, blockhash: Hash | None = None) -> str:
        """Transfers from the faucet; the signature, whether the transfer succeeds or not."""
        self.tick()
        # Equal airdrops of one slot would be one transaction: a unit limit that counts up makes
        # them different.
        self._airdrops = (self._airdrops + 1) % 1_000_000
        message = Message.new_with_blockhash(
            [
                set_compute_unit_limit(10_000 + self._airdrops),
                transfer(TransferParams(from_pubkey=self.faucet, to_pubkey=to, lamports=lamports)),
            ],
            self.faucet,
            blockhash or self.hashes.at(self.slot),
        )
        transaction = VersionedTransaction(message, [self._faucet])
        self.submit(transaction)
        return str(transaction.signatures[0])

    def slot_at(self, commitment: str) -> int:
        """The newest slot that is processed, confirmed or finalized, with all that landed in it."""
        if commitment == "processed":
            return self.slot
        behind = CONFIRMED_AFTER if commitment == "confirmed" else FINALIZED_AFTER
        slot = self.slot - behind
        while self._waiting and self._waiting[0][1] <= self._ledger.synced:
            self._waiting.popleft()
        if self._waiting:
            slot = min(slot, self._waiting[0][0] - 1)
        return max(slot, self.genesis.first_slot)

    def balances(self) -> dict[Pubkey, int]:
        """Lamports of every account there is: whatever ever changed was named by a transaction."""
        known = self.vm.given_accounts().union(self.history.addresses())
        balance = self.vm.balance
        return {key: lamports for key in known if (lamports := balance(key))}

    def commitment(self, landed: Landed) -> str:
        """How sure a transaction is; never more than "processed" before it is on disk."""
        age = self.slot - landed.slot
        if age < CONFIRMED_AFTER or self._ledger.synced < landed.place.end:
            return "processed"
        return "finalized" if age >= FINALIZED_AFTER else "confirmed"

    def signed_bytes(self, landed: Landed) -> bytes:
        """The transaction as it was sent."""
        return self._ledger.read(landed.place)

    def time_of(self, slot: int) -> int:
        """Unix time of a slot of the past: recorded where something landed, estimated elsewhere."""
        known = self.history.at_or_before(slot)
        base_slot, base_time = (
            (known.slot, known.unix_time)
            if known is not None
            else (self.genesis.first_slot, self.genesis.unix_time)
        )
        elapsed = (slot - base_slot) * self.clock.slot_ms // 1000
        return min(base_time + elapsed, self.unix_time)

    def _rebuild(self) -> None:
        started = time.monotonic()
        self.vm, self.history = self._run_log()
        self.vm.enter(self.slot, self.unix_time)
        log.warning(
            "the VM panicked and was rebuilt from the log (%d transactions, %.2f s)",
            len(self.history),
            time.monotonic() - started,
        )
